import ArgumentParser
import Belay

/// Deletes tasks.
struct DeleteTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete tasks with all that is kept of them: history, log, result.",
        discussion: """
            There is no way back. Ended tasks are deleted by themselves when their kind's
            retention is over ('belay kinds'); 'belay cancel' and 'belay ignore' end a task
            and keep its history.
            """
    )

    @OptionGroup var names: TaskNames

    @Flag(help: "Also running tasks; their holders are refused from then on.")
    var force = false

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.delete(ids, force: force)
            for (id, outcome) in zip(ids, outcomes) { session.output.tell(id, outcome.rawValue) }
            let missing = zip(ids, outcomes).filter { $0.1 == .notFound }.map(\.0)
            if !missing.isEmpty { throw Failure.noTask(missing) }
            guard let place = outcomes.firstIndex(of: .running) else { return }
            throw Failure(
                .failed,
                "\(Escaping.name(ids[place])) is held by a worker and was not deleted; "
                    + "'belay cancel' asks it to stop, --force deletes it all the same"
            )
        }
    }
}
