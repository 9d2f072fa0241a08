import ArgumentParser
import Belay

/// Keeps tasks from running.
struct PauseTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Keep waiting tasks from being taken; or, as its holder, pause a running one.",
        discussion: """
            A paused task stays where it is until 'belay resume'; nothing takes it.

            With --token and --fence, or in a program that 'belay work' or 'belay run'
            started and no task named, the holder pauses its own task: it keeps its lock,
            which must be renewed on, and its kind's time-out stands still.

            EXAMPLES
              belay pause mail-7 mail-8 --message 'the server is down'
              belay pause --kind report --identifier 2030-01
            """
    )

    @OptionGroup var names: TaskNames
    @OptionGroup(title: "As the holder") var lock: LockOptions

    @Option(help: "For the tasks' logs, at most 1024 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let target = try HoldTarget(names, lock, global)
        try await global.withSession { session in
            let outcomes =
                switch target {
                case .held(let handle): [try await session.tracker.pause(handle, message: message)]
                case .tasks(let ids): try await session.tracker.pause(ids, message: message)
                }
            try session.tell(outcomes, of: target.ids, hint: "'belay cancel' asks a running task to stop")
        }
    }
}
