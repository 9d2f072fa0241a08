import ArgumentParser
import Belay

/// Removes a kind.
struct RemoveKind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a kind that has no tasks, or with all its tasks."
    )

    @Argument(help: "The kind.")
    var name: String

    @Flag(help: "Delete all its tasks with it, running ones too. There is no way back.")
    var force = false

    @OptionGroup var global: GlobalOptions

    /// What was removed, in JSON.
    private struct View: Encodable {
        var kind: KindName
        var outcome: String
        var tasks: Int
    }

    func run() async throws {
        let name = try KindName(name)
        try await global.withSession { session in
            switch try await session.tracker.undefine(name, force: force) {
            case .removed(let tasks):
                guard !session.output.isJSON else {
                    return session.output.json(View(kind: name, outcome: "removed", tasks: tasks))
                }
                session.output.line("\(name)  removed" + (tasks > 0 ? " with \(tasks) tasks" : ""))
            case .inUse(let tasks):
                throw Failure(
                    .failed,
                    "kind “\(name)” has \(tasks) tasks ('belay ls --kind \(name)'); delete them, or give --force"
                )
            case .notFound: throw Failure(.notFound, "no kind “\(name)” in this tracker; 'belay kinds' lists them")
            }
        }
    }
}
