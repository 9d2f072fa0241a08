import ArgumentParser
import Belay

/// Runs tasks again.
struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run tasks again: an ended or paused one anew, a waiting one now.",
        discussion: """
            A kind's limit of waiting tasks does not hold here. A task whose parents have
            not ended waits for them ('waiting'). All of a tag: 'belay flow retry'.
            """
    )

    @OptionGroup var names: TaskNames

    @Flag(help: "Keep the count of attempts, with one more where none is left; otherwise it begins at 0.")
    var kept = false

    @Flag(
        help:
            "Also running tasks: they are taken from their holders, who are refused; and blocked ones, without parents."
    )
    var force = false

    @Option(help: "For the tasks' logs, at most 1024 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.retry(
                ids,
                budget: kept ? .kept : .fresh,
                force: force,
                message: message
            )
            for (id, outcome) in zip(ids, outcomes) { session.output.tell(id, "\(outcome)") }
            let missing = zip(ids, outcomes).filter { $0.1 == .notFound }.map(\.0)
            if !missing.isEmpty { throw Failure.noTask(missing) }
            if let place = outcomes.firstIndex(of: .blocked) {
                throw Failure(
                    .failed,
                    "\(Escaping.name(ids[place])) waits for its parents; 'belay explain' tells which, "
                        + "--force runs it without them"
                )
            }
            let running = zip(ids, outcomes).filter { $0.1 == .running }.map(\.0)
            guard let first = running.first else { return }
            throw Failure(
                .failed,
                "\(running.count) of the tasks run now (“\(Escaping.line(first.description))”); "
                    + "'belay cancel' stops them, --force takes them from their holders"
            )
        }
    }
}

extension Output {
    /// What became of a task.
    func tell(_ id: TaskID, _ outcome: String) {
        if isJSON {
            json(OutcomeView(id: id, kind: nil, outcome: outcome))
        } else {
            line("\(Escaping.line(id.description))  \(outcome)")
        }
    }
}
