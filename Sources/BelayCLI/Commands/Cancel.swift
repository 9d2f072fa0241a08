import ArgumentParser
import Belay

/// Ends tasks.
struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End tasks that have not ended; running ones are asked to stop."
    )

    @OptionGroup var names: TaskNames

    @Option(help: "Kept with the task, at most 64 bytes.")
    var reason = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.cancel(ids, reason: reason)
            var missing: [TaskID] = []
            var ended: [(TaskID, TaskState)] = []
            for (id, outcome) in zip(ids, outcomes) {
                session.output.tell(id, Self.word(outcome))
                if outcome == .notFound { missing.append(id) }
                if case .ended(let state) = outcome { ended.append((id, state)) }
            }
            if !missing.isEmpty { throw Failure.noTask(missing) }
            guard let (id, state) = ended.first else { return }
            throw Failure(
                .failed,
                "\(Escaping.name(id)) has already \(state == .succeeded ? "succeeded" : "ended: \(state)")"
            )
        }
    }

    private static func word(_ outcome: CancelOutcome) -> String {
        switch outcome {
        case .cancelled: "cancelled"
        case .requested: "requested"
        case .ended(let state): state.rawValue
        case .notFound: "notFound"
        }
    }
}
