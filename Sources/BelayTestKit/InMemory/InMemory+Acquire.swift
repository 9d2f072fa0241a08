import Belay

extension Acquire: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> AcquireOutcome {
        guard let task = state.tasks[id] else { return .refused(.notFound) }
        var end: TaskState?
        if task.isHeld {
            if task.token == token { return .claimed(state.claim(of: task, by: worker)) }
            let expires = task.record.leaseExpires ?? state.now
            let isFree = expires <= state.now && !state.isHeld
            guard isFree || options.contains(.ignoreLock) || held != nil && held == task.token else {
                return .refused(.locked(until: expires, by: task.record.worker ?? ""))
            }
            end = isFree ? endOfCrashed(task.record, state) : nil
            let outcome = isFree ? state.outcome(ofExpired: task) : .superseded
            if let end, refuses(end) { return bury(as: end, outcome, in: &state) }
            displace(outcome, in: &state)
        } else {
            switch task.record.state {
            case .ready, .running:
                if task.record.due > state.now, !options.contains(.ignoreDue) {
                    return .refused(.notDue(at: task.record.due))
                }
                var starting: [String: TaskID] = [:]
                if !options.contains(.force), let cause = state.hindrance(task, &starting) {
                    state.hinder(id, cause)
                    state.tick()
                    return .refused(.ended(.cancelled))
                }
            case .blocked: return .refused(.blocked)
            case .paused: return .refused(.paused)
            case .succeeded, .exhausted, .cancelled, .ignored:
                if refuses(task.record.state) { return .refused(.ended(task.record.state)) }
                end = task.record.state
            }
        }
        let isAnew = end != nil && options.contains(.restart)
        state.change(id) { task in
            if task.record.state == .succeeded { task.remember(.succeeded, at: task.record.updated) }
            // One who takes a lock over takes the request to stop over, too.
            if end != nil { task.forgetCancellation() }
            if isAnew { task.beginAnew() }
        }
        let claim = state.take(id, token: token, worker: worker, lease: lease)
        state.sees(worker)
        state.tick()
        return .claimed(claim)
    }

    /// Where a task whose holder crashed would have ended, had it been reaped; nil when it runs again.
    private func endOfCrashed(_ record: TaskRecord, _ state: InMemoryState) -> TaskState? {
        if record.cancelRequested != nil { return .cancelled }
        return record.attempts >= state.attemptLimit(of: record) ? state.exhaustedState(of: record.kind) : nil
    }

    private func refuses(_ end: TaskState) -> Bool {
        !options.contains(.restart) && (end == .succeeded || !options.contains(.force))
    }

    /// Ends a task whose holder crashed.
    private func bury(as end: TaskState, _ outcome: Attempt.Outcome, in state: inout InMemoryState) -> AcquireOutcome {
        let now = state.now
        if let task = state.tasks[id] { state.note(.reaped, task, end.letter, by: task.record.worker) }
        state.change(id) { task in
            task.record.crashes += 1
            task.remember(outcome, at: now, isIgnored: end == .ignored)
        }
        state.move(id, to: end)
        state.tick()
        return .refused(.ended(end))
    }

    /// Ends the attempt of the holder before.
    private func displace(_ outcome: Attempt.Outcome, in state: inout InMemoryState) {
        let now = state.now
        if let task = state.tasks[id] {
            let event: TrackerEvent.Name = outcome == .superseded ? .superseded : .reaped
            state.note(event, task, TaskState.ready.letter, by: task.record.worker)
        }
        state.change(id) { task in
            if outcome != .superseded { task.record.crashes += 1 }
            task.remember(outcome, at: now, nextRun: now)
        }
    }
}
