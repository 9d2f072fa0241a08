import ArgumentParser
import Belay

/// Ends the pause of tasks.
struct ResumeTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let paused tasks be taken again; or, as its holder, run on.",
        discussion: """
            A task that waited keeps its place in the line; one that its holder paused runs
            on, and its kind's time-out begins anew.

            With --token and --fence, or in a program that 'belay work' or 'belay run'
            started and no task named, the holder ends the pause of its own task.
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
                case .held(let handle): [try await session.tracker.resume(handle, message: message)]
                case .tasks(let ids): try await session.tracker.resume(ids, message: message)
                }
            try session.tell(outcomes, of: target.ids, hint: "'belay retry' runs an ended task again")
        }
    }
}
