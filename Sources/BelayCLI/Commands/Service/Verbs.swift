import ArgumentParser
import BelayService

/// Lists the verbs of the machine interface.
struct Verbs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verbs",
        abstract: "List the verbs of the machine interface: 'belay call', 'belay api' and 'belay serve' take them."
    )

    @OptionGroup var global: GlobalOptions

    /// A verb in JSON.
    private struct View: Encodable {
        var name: String
        var summary: String
        var isWrite: Bool
        /// The problems that are its own.
        var errors: [ProblemCode]
    }

    func run() async throws {
        let output = global.output
        guard !output.isJSON else {
            for verb in VerbTable.entries {
                output.json(
                    View(name: verb.name, summary: verb.summary, isWrite: verb.isWrite, errors: verb.errors)
                )
            }
            return
        }
        var table = Table([.left("VERB"), .left("TOKEN"), .left("DOES", least: 20)])
        table.rows = VerbTable.entries.map { verb in
            [.init(verb.name), .init(verb.isWrite ? "write" : "read", .dim), .init(verb.summary)]
        }
        output.table(table)
    }
}
