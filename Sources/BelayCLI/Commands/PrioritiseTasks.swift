import ArgumentParser
import Belay

/// Gives tasks another priority.
struct PrioritiseTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prioritise",
        abstract: "Give tasks that have not ended another priority.",
        discussion: """
            A waiting task keeps its due time; of a running one it is the priority of its
            next attempt.

            EXAMPLE
              belay ls --tag urgent --state ready --json | jq -r .id | xargs belay prioritise --priority 9
            """
    )

    @OptionGroup var names: TaskNames

    @Option(help: "0 to 9; 9 is claimed first.")
    var priority: Int

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.prioritise(ids, priority)
            var missing: [TaskID] = []
            var ended: [(TaskID, TaskState)] = []
            for (id, outcome) in zip(ids, outcomes) {
                switch outcome {
                case .done: session.output.tell(id, "done")
                case .ended(let state):
                    session.output.tell(id, state.rawValue)
                    ended.append((id, state))
                case .notFound:
                    session.output.tell(id, "notFound")
                    missing.append(id)
                }
            }
            if !missing.isEmpty { throw Failure.noTask(missing) }
            guard let (id, state) = ended.first else { return }
            throw Failure(.failed, "\(Escaping.name(id)) has already ended: \(state); 'belay retry' runs it again")
        }
    }
}
