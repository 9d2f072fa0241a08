import ArgumentParser
import Belay

/// Shows what would be claimed next.
struct Peek: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peek",
        abstract: "Show the tasks that a worker would take now, in its order."
    )

    @Option(help: "A kind; may be given often.")
    var kind: [String]

    @Option(help: "At most so many, 1 to 500.")
    var limit = 10

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let kinds = try Names.kinds(kind)
        try await global.withSession { session in
            let tasks = try await session.tracker.peek(kinds, limit: limit)
            let now = session.output.isJSON ? nil : try await session.tracker.stats().now
            List.show(tasks, now: now, session.output)
        }
    }
}
