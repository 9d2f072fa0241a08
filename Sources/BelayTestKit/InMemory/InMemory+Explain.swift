import Belay

extension Explain: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Explanation? {
        guard let task = state.tasks[id] else { return nil }
        let record = task.record
        return .making(id: id, kind: record.kind, state: record.state, now: state.now, reasons: reasons(task, state))
    }

    private func reasons(_ task: StoredTask, _ state: InMemoryState) -> [Explanation.Reason] {
        let record = task.record
        switch record.state {
        case .ready: return waiting(task, state)
        case .blocked: return [awaiting(task, state)]
        case .running: return held(record, state)
        case .paused:
            let pause = Explanation.Reason.paused(since: record.updated, worker: task.isHeld ? record.worker : nil)
            return task.isHeld ? [pause] + held(record, state) : [pause]
        case .succeeded: return [.succeeded(at: record.updated)]
        case .exhausted:
            return [.exhausted(at: record.updated, attempts: record.attempts, error: task.latestFailure)]
        case .cancelled: return [cancelled(record)]
        case .ignored: return [.ignored(at: record.updated)]
        }
    }

    private func cancelled(_ record: TaskRecord) -> Explanation.Reason {
        switch record.cause {
        case .expired: .expired(at: record.updated)
        case .deduplicated(let other): .deduplicated(at: record.updated, of: other)
        case .parentFailed(let parent): .parentFailed(at: record.updated, parent: parent)
        case nil: .cancelled(at: record.updated, reason: record.cancelReason ?? "")
        }
    }

    private func awaiting(_ task: StoredTask, _ state: InMemoryState) -> Explanation.Reason {
        let open = (task.wait?.parents ?? []).compactMap { parent -> ParentOutcome? in
            let found: TaskState? =
                switch parent {
                case .task(let id): state.tasks[id]?.record.state
                case .tag(let tag): state.kin.isGood(tag) == nil ? .blocked : nil
                }
            guard let found, !found.isTerminal else { return nil }
            return ParentOutcome(parent: parent, state: found, result: nil)
        }
        let (needed, left) = (task.wait?.needed ?? 0, task.wait?.left ?? 0)
        return .awaiting(parents: Array(open.prefix(10)), needed: needed, unfinished: left)
    }

    private func waiting(_ task: StoredTask, _ state: InMemoryState) -> [Explanation.Reason] {
        let (record, now) = (task.record, state.now)
        var reasons: [Explanation.Reason] = []
        if record.due > now { reasons.append(.notDue(at: record.due, in: record.due - now)) }
        if record.failures + record.crashes > 0 {
            let limit = state.attemptLimit(of: record)
            reasons.append(.retrying(attempt: record.attempts + 1, of: limit, after: task.latestFailure))
        }
        for kind in [nil, record.kind] {
            guard let gate = state.gates[kind] else { continue }
            reasons.append(.kindPaused(kind: kind, since: gate.since, by: gate.actor, message: gate.message))
        }
        let takers = state.takers[record.kind] ?? ScoredSet()
        let alive = takers.count - takers.upTo(now.microseconds).count
        if alive == 0 {
            let left = takers.entries.last.map { Timestamp(microseconds: $0.score) }
            reasons.append(.noWorker(lastLeft: left))
        }
        let before = record.due <= now ? tasksBefore(record, state) : 0
        if before > 0 { reasons.append(.behind(tasks: before, endedLastMinute: endedLastMinute(record, state))) }
        let expires = record.attempts == 0 ? record.expires : nil
        if let expires, expires <= now { return [.expires(at: expires, in: expires - now)] + reasons }
        if reasons.isEmpty { reasons = [.imminent(workers: alive)] }
        return reasons + (expires.map { [.expires(at: $0, in: $0 - now)] } ?? [])
    }

    /// Due tasks of higher priority, and those of its own that are due longer.
    private func tasksBefore(_ record: TaskRecord, _ state: InMemoryState) -> Int {
        let higher = Limits.priorities.filter { $0 > record.priority }.map {
            state.index("q", record.kind, $0).upTo(state.now.microseconds).count
        }
        let equal = state.index("q", record.kind, record.priority).upTo(record.due.microseconds - 1).count
        return higher.reduce(equal, +)
    }

    private func endedLastMinute(_ record: TaskRecord, _ state: InMemoryState) -> Int {
        let ended = state.index("s", record.kind)
        return ended.count - ended.upTo(state.now.microseconds - 60_000_001).count
    }

    private func held(_ record: TaskRecord, _ state: InMemoryState) -> [Explanation.Reason] {
        let (worker, until) = (record.worker ?? "", record.leaseExpires ?? state.now)
        let lock: Explanation.Reason =
            until <= state.now
            ? .leaseOver(worker: worker, since: until)
            : .running(worker: worker, until: until, renewals: record.renewals)
        guard let asked = record.cancelRequested else { return [lock] }
        return [lock, .asked(toStopAt: asked, reason: record.cancelReason ?? "")]
    }
}

extension StoredTask {
    /// What the latest attempt ended with, without the backtrace.
    fileprivate var latestFailure: TaskFailure? {
        var failure = history.last?.failure
        failure?.backtrace = []
        return failure
    }
}
