import Belay

extension ClaimMany: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        let jumped = state.sawJump(from: estimatedNow)
        let place = ClaimLane(worker: worker.description, lane: lane)
        if let grant = state.grants[place], grant.token == token { return again(grant, state) }
        var known: [KindName] = []
        for kind in kinds where state.kinds[kind] != nil && !known.contains(kind) { known.append(kind) }
        let expired = state.expired(of: known, limit: 10)
        let picked = state.due(of: known, limit: count)
        let waiting = picked.isEmpty ? state.nextDue(of: known) : nil
        let retried = state.takeBack(expired).compactMap(\.due)
        let nextDue = picked.isEmpty ? (retried + [waiting].compactMap { $0 }).min() : nil
        if jumped { state.hold(for: known) }
        let claims = picked.map { state.take($0, token: token, worker: worker, lease: lease) }
        if !picked.isEmpty {
            state.grants[place] = Grant(token: token, ids: picked)
            if mayBeWaiting { for kind in known { state.idle[kind]?.remove(worker.description) } }
        } else if let wait {
            state.sees(worker)
            for kind in kinds {
                let end = state.now + wait
                state.idle[kind, default: ScoredSet()].insert(worker.description, score: end.microseconds)
            }
        }
        state.tick()
        return .making(claims, nextDue: nextDue, now: state.now)
    }

    /// The same grant once more, without what was ended since.
    private func again(_ grant: Grant, _ state: InMemoryState) -> Response {
        let held = grant.ids.compactMap { state.tasks[$0] }.filter { $0.record.state == .running && $0.token == token }
        return .making(held.map { $0.claim(by: worker) }, nextDue: nil, now: state.now)
    }
}

extension Acquire: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> AcquireOutcome {
        guard let task = state.tasks[id] else { return .refused(.notFound) }
        var end: TaskState?
        switch task.record.state {
        case .running:
            if task.token == token { return .claimed(task.claim(by: worker)) }
            let expires = task.record.leaseExpires ?? state.now
            let isFree = expires <= state.now && !state.isHeld
            guard isFree || options.contains(.ignoreLock) else {
                return .refused(.locked(until: expires, by: task.record.worker ?? ""))
            }
            end = isFree ? endOfCrashed(task.record, state) : nil
            if let end, refuses(end) { return bury(as: end, in: &state) }
            displace(isFree ? .crashed : .superseded, in: &state)
        case .ready:
            if task.record.due > state.now, !options.contains(.ignoreDue) {
                return .refused(.notDue(at: task.record.due))
            }
        case .succeeded, .exhausted, .cancelled:
            end = task.record.state
            if refuses(task.record.state) { return .refused(.ended(task.record.state)) }
        }
        let isAnew = end != nil && options.contains(.restart)
        state.change(id) { task in
            (task.record.cancelRequested, task.record.cancelReason) =
                end != nil || task.record.cancelRequested != nil ? (nil, nil) : (nil, task.record.cancelReason)
            if isAnew { task.beginAnew() }
        }
        let claim = state.take(id, token: token, worker: worker, lease: lease)
        state.tick()
        return .claimed(claim)
    }

    /// Where a task whose holder crashed would have ended, had it been reaped; nil when it runs again.
    private func endOfCrashed(_ record: TaskRecord, _ state: InMemoryState) -> TaskState? {
        if record.cancelRequested != nil { return .cancelled }
        return record.attempts >= state.attemptLimit(of: record) ? .exhausted : nil
    }

    private func refuses(_ end: TaskState) -> Bool {
        !options.contains(.restart) && (end == .succeeded || !options.contains(.force))
    }

    /// Ends a task whose holder crashed.
    private func bury(as end: TaskState, in state: inout InMemoryState) -> AcquireOutcome {
        let now = state.now
        state.change(id) { task in
            task.record.crashes += 1
            task.remember(.crashed, at: now)
        }
        state.move(id, to: end)
        state.tick()
        return .refused(.ended(end))
    }

    /// Ends the attempt of the holder before.
    private func displace(_ outcome: Attempt.Outcome, in state: inout InMemoryState) {
        let now = state.now
        state.change(id) { task in
            if outcome == .crashed { task.record.crashes += 1 }
            task.remember(outcome, at: now, nextRun: now)
        }
    }
}

extension InMemoryState {
    /// The most attempts of a task: its own limit, or its kind's.
    func attemptLimit(of record: TaskRecord) -> Int { record.attemptLimit ?? kinds[record.kind]?.policy.attempts ?? 1 }

    /// The tasks to be claimed now, in the order of claiming: by priority, then due time, then id.
    func due(of kinds: [KindName], limit: Int) -> [TaskID] {
        var picked: [TaskID] = []
        for priority in Limits.priorities.reversed() where picked.count < limit {
            let found = kinds.flatMap {
                index(.ready, $0, priority).upTo(now.microseconds).prefix(limit - picked.count)
            }
            picked += found.sorted { $0.precedes($1) }.prefix(limit - picked.count).map(\.member)
        }
        return picked
    }

    /// When the next task of these kinds is due, when none is now.
    func nextDue(of kinds: [KindName]) -> Timestamp? {
        let firsts = kinds.flatMap { readyIndexes($0).compactMap(\.first?.score) }
        return firsts.filter { $0 > now.microseconds }.min().map(Timestamp.init(microseconds:))
    }

    /// Gives the lock of a task to a worker.
    mutating func take(_ id: TaskID, token: String, worker: WorkerName, lease: Duration?) -> Claim {
        let began = now
        change(id) { task in
            task.record.attempts += 1
            task.record.fence = max((task.record.fence ?? 0) + 1, began.microseconds)
            task.record.began = began
            task.record.worker = worker.description
            task.token = token
        }
        let kind = tasks[id]!.record.kind
        move(id, to: .running, at: now + (lease ?? kinds[kind]!.policy.lease))
        sees(worker)
        return tasks[id]!.claim(by: worker)
    }

    /// Notes that a worker lives.
    mutating func sees(_ worker: WorkerName) { workers.insert(worker.description, score: now.microseconds) }
}
