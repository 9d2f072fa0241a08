import ArgumentParser
import Belay

/// Sets tasks aside.
struct IgnoreTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ignore",
        abstract: "Set tasks aside: they are not run, and count as neither failed nor cancelled.",
        discussion: """
            The way back is 'belay retry', or 'belay claim --id ID --force'.

            EXAMPLE
              belay ls --state exhausted --json | jq -r .id | xargs belay ignore
            """
    )

    @OptionGroup var names: TaskNames

    @Option(help: "For the tasks' logs, at most 1024 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.ignore(ids, message: message)
            try session.tell(outcomes, of: ids, hint: "'belay cancel' asks a running task to stop; a success stands")
        }
    }
}
