import Belay

extension Prioritise: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [PrioritiseOutcome] {
        let outcomes = ids.map { id -> PrioritiseOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            guard !task.record.state.isTerminal else { return .ended(task.record.state) }
            guard task.record.priority != priority else { return .done }
            state.prioritise(task, priority)
            state.log(id, "prioritised", by: actor, "\(priority)")
            state.note(.prioritised, task, "\(priority)")
            return .done
        }
        state.tick()
        return outcomes
    }
}
