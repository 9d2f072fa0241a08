import Belay

extension Renew: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [Renewal] {
        var renewed: [TaskID: Timestamp] = [:]
        let renewals = items.map { handle, lease -> Renewal in
            guard let task = state.tasks[handle.id] else { return Renewal(.gone) }
            guard task.isLatest(handle), let expires = task.record.leaseExpires, expires > state.now || state.isHeld
            else { return Renewal(.stale) }
            let wanted = max(renewed[handle.id] ?? expires, state.now + lease)
            let end = min(wanted, task.record.deadline ?? wanted)
            renewed[handle.id] = end
            if task.record.cancelRequested != nil {
                let outcome = task.signal.map { RenewOutcome.terminateRequested(signal: $0) } ?? .cancelRequested
                return Renewal(outcome, end: end)
            }
            return end < wanted ? Renewal(.ending(at: end), end: end) : Renewal(.renewed)
        }
        for (id, end) in renewed {
            let isLonger = state.tasks[id]?.record.leaseExpires.map { $0 < end } ?? false
            state.extend(id, to: end)
            if isLonger { state.change(id) { $0.record.renewals += 1 } }
        }
        state.tick()
        return renewals
    }
}

extension Progress: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> WriteOutcome {
        guard let task = state.tasks[handle.id] else { return .gone }
        guard task.isHeld, task.isLatest(handle) else { return .stale }
        let said = (fraction.map { ($0 * 1000).rounded() / 1000 }, message.isEmpty ? nil : message)
        if (task.record.progress, task.record.progressMessage) == said { return .accepted }
        state.change(handle.id) { ($0.record.progress, $0.record.progressMessage) = said }
        let detail = fraction.map { "\(Int(($0 * 1000).rounded()))" } ?? ""
        state.note(.progressed, task, detail, by: task.record.worker)
        state.tick()
        return .accepted
    }
}

extension Complete: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> [WriteOutcome] {
        for item in items {
            try Enqueue.check(item.result, limit: state.payloadLimit, what: "result of task “\(item.handle.id)”")
        }
        let outcomes = items.map { handle, result -> WriteOutcome in
            guard let task = state.tasks[handle.id] else { return .gone }
            guard task.isLatest(handle) else { return .stale }
            if task.record.state == .succeeded { return .accepted }
            guard task.isHeld else { return .stale }
            state.change(handle.id) { task in
                task.record.failures = 0
                if !result.bytes.isEmpty { task.record.result = result }
            }
            state.move(handle.id, to: .succeeded)
            state.note(.succeeded, task, by: task.record.worker)
            return .accepted
        }
        state.tick()
        return outcomes
    }
}

extension Fail: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [HandBackOutcome] {
        let outcomes = state.handBack(items.map(\.handle), repeatsOf: .failed) { state, task, place in
            fail(task, items[place], in: &state)
        }
        state.tick()
        return outcomes
    }

    private func fail(_ task: StoredTask, _ item: Item, in state: inout InMemoryState) -> HandBackOutcome {
        let (id, now, failure) = (task.record.id, state.now, item.failure.asStored)
        if item.disposition == .cancelled || task.record.cancelRequested != nil {
            return state.end(id, .cancelled, attempt: .cancelled, failure)
        }
        let failures = task.record.failures + 1
        state.change(id) { $0.record.failures = failures }
        guard case .retry(let delay) = item.disposition, task.record.attempts < state.attemptLimit(of: task.record)
        else {
            return state.end(id, state.exhaustedState(of: task.record.kind), attempt: .failed, failure)
        }
        let backoff = delay ?? state.kinds[task.record.kind]!.policy.retry.delay(of: id, after: failures)
        state.change(id) { $0.remember(.failed, at: now, nextRun: now + backoff, failure: failure) }
        state.move(id, to: .ready, at: now + backoff)
        state.note(.retrying, task, "\((now + backoff).microseconds)", by: task.record.worker)
        return .ready(due: now + backoff)
    }
}

extension Release: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [HandBackOutcome] {
        let outcomes = state.handBack(handles, repeatsOf: .released) { state, task, _ in
            state.giveBack(task, .released, due: delay.map { state.now + $0 } ?? task.record.due)
        }
        state.tick()
        return outcomes
    }
}

extension SnoozeTasks: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [HandBackOutcome] {
        let outcomes = state.handBack(items.map(\.handle), repeatsOf: .snoozed) { state, task, place in
            state.giveBack(task, .snoozed, due: state.now + items[place].delay)
        }
        state.tick()
        return outcomes
    }
}

extension InMemoryState {
    /// Ends held attempts one by one: checks each handle, answers repeats by the history, and performs the rest.
    fileprivate mutating func handBack(
        _ handles: [ClaimHandle],
        repeatsOf outcome: Attempt.Outcome,
        _ perform: (inout InMemoryState, StoredTask, Int) -> HandBackOutcome
    ) -> [HandBackOutcome] {
        var performed: Set<TaskID> = []
        return handles.enumerated().map { place, handle in
            guard let task = tasks[handle.id] else { return .gone }
            guard task.isLatest(handle), !performed.contains(handle.id) else { return .stale }
            performed.insert(handle.id)
            if task.isHeld { return perform(&self, task, place) }
            guard let last = task.remembered(handle) else { return .stale }
            if last.outcome == .cancelled { return .cancelled }
            guard last.outcome == outcome else { return .stale }
            return last.nextRun.map { .ready(due: $0) }
                ?? (task.ignoredAfter.contains(last.fence) ? .ignored : .exhausted)
        }
    }

    /// Makes a held task ready again without spending the attempt, unless it was to be cancelled.
    fileprivate mutating func giveBack(_ task: StoredTask, _ outcome: Attempt.Outcome, due: Timestamp)
        -> HandBackOutcome
    {
        let (id, now) = (task.record.id, now)
        if task.record.cancelRequested != nil { return end(id, .cancelled, attempt: .cancelled) }
        change(id) { task in
            task.remember(outcome, at: now, nextRun: due)
            task.record.attempts -= 1
            if outcome == .snoozed { task.record.snoozes += 1 }
        }
        move(id, to: .ready, at: due)
        note(outcome == .snoozed ? .snoozed : .released, task, "\(due.microseconds)", by: task.record.worker)
        return .ready(due: due)
    }

    /// Ends a held task.
    fileprivate mutating func end(
        _ id: TaskID,
        _ state: TaskState,
        attempt: Attempt.Outcome,
        _ failure: TaskFailure? = nil
    ) -> HandBackOutcome {
        let now = now
        change(id) { $0.remember(attempt, at: now, isIgnored: state == .ignored, failure: failure) }
        move(id, to: state)
        if let task = tasks[id] {
            let event: TrackerEvent.Name = state == .cancelled ? .cancelled : state == .ignored ? .ignored : .exhausted
            note(event, task, by: task.record.worker)
        }
        return state == .cancelled ? .cancelled : state == .ignored ? .ignored : .exhausted
    }
}
