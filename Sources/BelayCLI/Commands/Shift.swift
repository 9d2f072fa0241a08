import Belay

extension Session {
    /// Tells what a change of state gave, task by task; throws when one of them was refused or is not there.
    /// - Parameter hint: What to do about a refusal.
    func tell(_ outcomes: [TransitionOutcome], of ids: [TaskID], hint: String) throws {
        var missing: [TaskID] = []
        var refusals: [(TaskID, IllegalTransition)] = []
        for (id, outcome) in zip(ids, outcomes) {
            switch outcome {
            case .done(let state): output.tell(id, state.rawValue)
            case .refused(let refusal):
                refusals.append((id, refusal))
                tell(id, refusal)
            case .stale: output.tell(id, "stale")
            case .notFound:
                missing.append(id)
                output.tell(id, "notFound")
            }
        }
        if !missing.isEmpty { throw Failure.noTask(missing) }
        if let (id, refusal) = refusals.first { throw Failure(.failed, "\(Escaping.name(id)) \(refusal). \(hint)") }
        if let place = outcomes.firstIndex(of: .stale) { throw Failure.lockLost(ids[place]) }
    }

    private func tell(_ id: TaskID, _ refusal: IllegalTransition) {
        guard output.isJSON else { return output.tell(id, "refused, it is \(refusal.found)") }
        output.json(OutcomeView(id: id, outcome: "refused", found: refusal.found, allowed: refusal.allowed))
    }
}

extension Failure {
    /// The lock that the command was to use is not held any more.
    static func lockLost(_ id: TaskID) -> Failure {
        Failure(
            .tryAgain,
            "the lock on \(Escaping.name(id)) is not held with this token and fence: it ran out, or another holder has it. "
                + "Nothing changed"
        )
    }
}

extension Escaping {
    /// A task in a message: `task “id”`.
    static func name(_ id: TaskID) -> String { "task “\(line(id.description))”" }
}
