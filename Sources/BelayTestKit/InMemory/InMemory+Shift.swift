import Belay

extension Pause: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TransitionOutcome] {
        state.shift(targets, "paused", .paused, by: actor, message, allowed: allowed) { task, isHolder in
            if task.record.state == .paused, task.isHeld || !isHolder { return .paused }
            return task.record.state == (isHolder ? .running : .ready) ? .paused : nil
        }
    }
}

extension Resume: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TransitionOutcome] {
        state.shift(targets, "resumed", nil, by: actor, message, allowed: allowed) { task, isHolder in
            if task.isHeld { return .running }
            return !isHolder && [.paused, .ready].contains(task.record.state) ? .ready : nil
        }
    }
}

extension Ignore: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TransitionOutcome] {
        state.shift(targets, "ignored", .ignored, by: actor, message, allowed: Self.allowed) { task, _ in
            !task.isHeld && Self.allowed.contains(task.record.state) ? .ignored : nil
        }
    }
}

extension InMemoryState {
    /// Moves tasks from state to state as an operator or their holder asks, where `choose` finds it legal; it answers the state
    /// after, the same when there is nothing to do.
    fileprivate mutating func shift(
        _ targets: ShiftTargets,
        _ event: String,
        _ told: TaskState?,
        by actor: String,
        _ message: String,
        allowed: [TaskState],
        _ choose: (StoredTask, Bool) -> TaskState?
    ) -> [TransitionOutcome] {
        var handle: ClaimHandle?
        if case .held(let held) = targets { handle = held }
        let outcomes = targets.ids.map { id -> TransitionOutcome in
            guard let task = tasks[id] else { return .notFound }
            if let handle, !task.isLatest(handle) { return .stale }
            guard let end = choose(task, handle != nil) else {
                return .refused(IllegalTransition(found: task.record.state, allowed: allowed))
            }
            if end != task.record.state {
                shift(task, to: end)
                let holder = handle == nil ? nil : task.record.worker
                log(id, event, told, by: handle == nil ? actor : holder ?? "", message)
                note(TrackerEvent.Name(rawValue: event), task, task.letter, by: holder)
            }
            return .done(end)
        }
        tick()
        return outcomes
    }

    private mutating func shift(_ task: StoredTask, to end: TaskState) {
        let (id, now) = (task.record.id, now)
        switch end {
        case .ready: move(id, to: .ready, at: task.record.due)
        case .running:
            let deadline = kinds[task.record.kind]?.policy.timeout.map { now + $0 }
            let expires = task.record.leaseExpires ?? now
            change(id) { task in
                task.record.deadline = deadline
                task.record.updated = now
            }
            move(id, to: .running, at: min(expires, deadline ?? expires))
        default:
            change(id) { $0.record.deadline = nil }
            move(id, to: end, at: end == .paused ? task.record.leaseExpires : nil)
        }
    }
}
