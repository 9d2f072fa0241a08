import Belay

extension ClaimMany: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        let jumped = state.sawJump(from: estimatedNow)
        let place = ClaimLane(worker: worker.description, lane: lane)
        if let grant = state.grants[place], grant.token == token { return again(grant, state) }
        var known: [KindName] = []
        for kind in kinds where state.kinds[kind] != nil && !known.contains(kind) { known.append(kind) }
        let expired = state.expired(of: known, limit: 10)
        let open = state.open(known)
        var (hindered, starting): ([(id: TaskID, cause: CancelCause)], [String: TaskID]) = ([], [:])
        let picked = state.queue(of: open, order, limit: count) { task in
            guard let cause = state.hindrance(task, &starting) else { return true }
            hindered.append((task.record.id, cause))
            return false
        }
        let waiting = picked.isEmpty ? state.nextDue(of: open) : nil
        let retried = state.takeBack(expired).compactMap(\.due)
        var nextDue = picked.isEmpty ? (retried + [waiting].compactMap { $0 }).min() : nil
        for (id, cause) in hindered { state.hinder(id, cause) }
        if jumped { state.hold(for: known) }
        let claims = picked.map { state.take($0, token: token, worker: worker, lease: lease) }
        if !picked.isEmpty {
            let seen = state.grants[place]?.seen
            // That a worker lives is told once a second.
            let isNews = seen.map { state.now - $0 >= .seconds(1) } ?? true
            if isNews { state.sees(worker) }
            state.grants[place] = Grant(token: token, ids: picked, seen: isNews ? state.now : seen ?? state.now)
            if mayBeWaiting { for kind in known { state.idle[kind]?.remove(worker.description) } }
        } else if let wait {
            state.sees(worker)
            for kind in kinds {
                let end = state.now + wait
                state.idle[kind, default: ScoredSet()].insert(worker.description, score: end.microseconds)
            }
        }
        if picked.count < count { state.settleRest() } else { state.settle() }
        state.tick()
        // What became ready, or may stand behind those that were hindered, is there now.
        if picked.isEmpty, !hindered.isEmpty || state.kin.hasFreed { nextDue = state.now }
        return .making(claims, nextDue: nextDue, now: state.now)
    }

    /// The same grant once more, without what was ended since.
    private func again(_ grant: Grant, _ state: InMemoryState) -> Response {
        let held = grant.ids.compactMap { state.tasks[$0] }.filter { $0.isHeld && $0.token == token }
        return .making(held.map { state.claim(of: $0, by: worker) }, nextDue: nil, now: state.now)
    }
}

extension InMemoryState {
    /// The most attempts of a task: its own limit, or its kind's.
    func attemptLimit(of record: TaskRecord) -> Int { record.attemptLimit ?? kinds[record.kind]?.policy.attempts ?? 1 }

    /// Where a task of a kind ends when its attempts are used up.
    func exhaustedState(of kind: KindName) -> TaskState {
        kinds[kind]?.policy.whenExhausted == .ignored ? .ignored : .exhausted
    }

    /// The tasks to be claimed, in the order of claiming, equals by id; those that are due, or all that wait. Of each lane so many
    /// are looked at as are wanted still, and those left out that may not be taken.
    func queue(
        of kinds: [KindName],
        _ order: ClaimOrder,
        limit: Int,
        scheduled: Bool = false,
        where mayBeTaken: (StoredTask) -> Bool = { _ in true }
    ) -> [TaskID] {
        let lanes = order == .due ? [Array(Limits.priorities)] : Limits.priorities.reversed().map { [$0] }
        var picked: [TaskID] = []
        for priorities in lanes where picked.count < limit {
            let found = kinds.flatMap { kind in
                priorities.flatMap { priority in
                    index("q", kind, priority).upTo(scheduled ? .max : now.microseconds).prefix(limit - picked.count)
                }
            }
            let first = found.sorted { $0.precedes($1) }.prefix(limit - picked.count)
            picked += first.map(\.member).filter { tasks[$0].map(mayBeTaken) ?? false }
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
        let policy = kinds[tasks[id]!.record.kind]!.policy
        let deadline = policy.timeout.map { began + $0 }
        change(id) { task in
            task.record.attempts += 1
            task.record.fence = max((task.record.fence ?? 0) + 1, began.microseconds)
            task.record.began = began
            task.record.worker = worker.description
            task.record.deadline = deadline
            (task.record.progress, task.record.progressMessage, task.record.result) = (nil, nil, nil)
            task.record.renewals = 0
            task.token = token
        }
        let expires = began + (lease ?? policy.lease)
        move(id, to: .running, at: min(expires, deadline ?? expires))
        let task = tasks[id]!
        started(task)
        note(.claimed, task, "\(task.record.fence ?? 0)", by: worker.description)
        return claim(of: task, by: worker)
    }

    /// A lock as its holder sees it.
    func claim(of task: StoredTask, by worker: WorkerName) -> Claim {
        task.claim(by: worker, softTimeout: kinds[task.record.kind]?.policy.softTimeout)
    }

    /// Notes that a worker lives.
    mutating func sees(_ worker: WorkerName) { workers.insert(worker.description, score: now.microseconds) }
}
