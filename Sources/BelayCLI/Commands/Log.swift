import ArgumentParser
import Belay

/// Shows the log of a task, or adds a line to it.
struct ShowLog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show a task's log: its transitions and messages, oldest first; or add a line.",
        discussion: """
            The last 20 attempts and the last 100 other lines are kept.

            With --token and --fence, or in a program that 'belay work' or 'belay run'
            started and no task named, --add writes as the holder of the task's lock.

            EXAMPLES
              belay log mail-7
              belay log mail-7 --add 'asked the provider, ticket 4711'
              belay log --add 'half of it is done'   in a program of belay work
            """
    )

    @OptionGroup var name: TaskName
    @OptionGroup(title: "As the holder") var lock: LockOptions

    @Option(help: "Add this line, at most 1024 bytes, instead of showing the log.")
    var add: String?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let target = try HoldTarget(name, lock, global)
        let id = target.ids[0]
        try await global.withSession { session in
            guard let add else {
                guard let lines = try await session.tracker.log(of: id) else { throw Failure.noTask([id]) }
                return show(lines, session.output)
            }
            let outcome =
                switch target {
                case .held(let handle): try await session.tracker.log(handle, add)
                case .tasks: try await session.tracker.note(id, add)
                }
            try session.tell(outcome, of: id)
        }
    }

    private func show(_ lines: [LogLine], _ output: Output) {
        guard !output.isJSON else {
            for line in lines { output.json(line) }
            return
        }
        var table = Table([
            .left("AT"), .left("EVENT"), .left("STATE"), .left("BY", least: 8), .left("MESSAGE", least: 16),
        ])
        table.rows = lines.map { line in
            [
                .init(line.time.description), .init(line.event),
                .init(line.state?.rawValue ?? "", line.state.flatMap(Colours.of)), .init(line.actor),
                .init(line.message),
            ]
        }
        output.table(table)
    }
}
