import ArgumentParser
import Belay

/// Shows the tasks of several kinds in one line.
struct Queue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Show the waiting tasks of several kinds as one line, the longest due first.",
        discussion: "It is the line that 'belay claim KIND… --order due' takes from; --by-priority that of a worker."
    )

    @Argument(help: "The kinds, 1 to 100.")
    var kinds: [String]

    @Flag(help: "Highest priority first, then the longest due.")
    var byPriority = false

    @Flag(help: "With those that are not due yet.")
    var all = false

    @Option(help: "At most so many, 1 to 500.")
    var limit = 50

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let kinds = try Names.kinds(kinds)
        try await global.withSession { session in
            let tasks = try await session.tracker.peek(
                kinds,
                limit: limit,
                order: byPriority ? .priority : .due,
                scheduled: all
            )
            let now = session.output.isJSON ? nil : try await session.tracker.stats().now
            List.show(tasks, now: now, session.output)
        }
    }
}
