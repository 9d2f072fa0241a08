import Belay

extension Cancel: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> TargetedResponse<CancelOutcome> {
        let (now, why) = (state.now, reason.isEmpty ? nil : reason)
        let (ids, more) = state.ids(of: targets, letters: "jqprh")
        var asked: [String] = []
        let outcomes = ids.map { id -> CancelOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            if task.isHeld {
                let isNews = task.record.cancelRequested == nil || signal != nil && signal != task.signal
                guard isNews else { return .requested }
                state.change(id) { task in
                    (task.record.cancelRequested, task.record.cancelReason) = (now, why)
                    task.signal = signal ?? task.signal
                }
                state.log(id, "cancel-requested", by: actor, reason)
                state.note(.cancelRequested, task, reason, by: task.record.worker)
                asked.append(task.record.worker ?? "")
                return .requested
            }
            if task.record.state == .cancelled { return .cancelled }
            if task.record.state.isTerminal { return .ended(task.record.state) }
            state.change(id) { $0.record.cancelReason = why }
            state.move(id, to: .cancelled)
            state.log(id, "cancelled", .cancelled, by: actor, reason)
            state.note(.cancelled, task, reason)
            return .cancelled
        }
        for worker in asked { state.tellCancelled(worker) }
        state.tick()
        return TargetedResponse(outcomes: outcomes, more: more, news: asked.count)
    }
}

extension Retry: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> TargetedResponse<RetryOutcome> {
        let (ids, more) = state.ids(of: targets)
        var (outcomes, moves, seen): ([RetryOutcome], [(place: Int, task: StoredTask)], Set<TaskID>) = ([], [], [])
        for (place, id) in ids.enumerated() {
            outcomes.append(outcome(of: state.tasks[id]))
            let isNew = seen.insert(id).inserted
            guard let task = state.tasks[id], outcomes[place] == .ready, isNew, !task.wasLogged(nonce),
                task.record.state != .ready || task.record.due > state.now
            else { continue }
            moves.append((place, task))
        }
        // Parents that are run again in this call have not ended any more when their children are looked at.
        for (_, task) in moves { begin(task, in: &state) }
        for (place, task) in moves {
            if mayWait(task), waits(task, in: &state) {
                outcomes[place] = .waiting
                state.note(.blocked, task)
            } else {
                state.note(.requeued, task, task.letter)
                if task.isHeld { state.note(.superseded, task, TaskState.ready.letter, by: task.record.worker) }
            }
        }
        for (_, task) in moves where task.isHeld { state.tellCancelled(task.record.worker ?? "") }
        state.tick()
        return TargetedResponse(outcomes: outcomes, more: more)
    }

    private func outcome(of task: StoredTask?) -> RetryOutcome {
        guard let task else { return .notFound }
        let isBlocked = task.record.state == .blocked
        if task.wasLogged(nonce) { return isBlocked ? .waiting : .ready }
        if task.isHeld, !force { return .running }
        return isBlocked && !force ? .blocked : .ready
    }

    /// Whether a task may have to wait for its parents again: one that ended.
    private func mayWait(_ task: StoredTask) -> Bool { task.wait != nil && task.record.state.isTerminal }

    private func begin(_ task: StoredTask, in state: inout InMemoryState) {
        let (id, now, limit) = (task.record.id, state.now, state.attemptLimit(of: task.record))
        state.change(id) { task in
            if task.isHeld { task.remember(.superseded, at: now, nextRun: now) }
            if task.record.state == .succeeded { task.remember(.succeeded, at: task.record.updated) }
            if task.record.state != .ready { task.revive(budget, limit: limit) }
        }
        state.log(id, "requeued", .ready, by: actor, message, nonce: nonce)
        state.move(id, to: mayWait(task) ? .blocked : .ready)
    }

    /// Whether a task waits for its parents again; one that does not, or can never have what it needs, is ready.
    private func waits(_ task: StoredTask, in state: inout InMemoryState) -> Bool {
        let id = task.record.id
        guard let old = task.wait else { return false }
        var wait = StoredWait(parents: old.parents, condition: old.condition, number: old.number)
        guard state.judge(id, &wait).state == .blocked else {
            state.move(id, to: .ready)
            return false
        }
        state.change(id) { $0.wait = wait }
        return true
    }
}

extension Delete: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> TargetedResponse<DeleteOutcome> {
        let (ids, more) = state.ids(of: targets)
        var (gone, seen): ([TaskID], Set<TaskID>) = ([], [])
        let outcomes = ids.map { id -> DeleteOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            if task.isHeld, !force { return .running }
            if seen.insert(id).inserted {
                state.note(.deleted, task, task.letter)
                gone.append(id)
            }
            return .deleted
        }
        state.delete(gone)
        return TargetedResponse(outcomes: outcomes, more: more)
    }
}

extension Undefine: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        guard state.kinds[kind] != nil else { return .notFound }
        let ids = "rhpjsxcnq".flatMap { state.names(of: $0, kind) }.flatMap { state.index($0).entries.map(\.member) }
        if !ids.isEmpty, !force { return .inUse(tasks: ids.count) }
        let gone = ids.prefix(limit)
        for task in gone.compactMap({ state.tasks[$0] }) { state.note(.deleted, task, task.letter) }
        state.delete(Array(gone))
        state.settle()
        if gone.count < ids.count { return .step(deleted: gone.count, more: true) }
        state.kinds[kind] = nil
        (state.idle[kind], state.takers[kind], state.gates[kind]) = (nil, nil, nil)
        (state.kin.contents[kind], state.kin.started[kind]) = (nil, nil)
        state.note(.undefined, kind: kind)
        if gone.isEmpty { state.tick(above: 0) }
        return .step(deleted: gone.count, more: false)
    }
}

extension Destroy: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> String? {
        state.empty()
        return nil
    }
}

extension InMemoryState {
    /// Deletes tasks, stores a time above their fences, and tells who held them.
    mutating func delete(_ ids: [TaskID]) {
        guard !ids.isEmpty else { return }
        let gone = ids.compactMap { tasks[$0] }
        for id in ids { delete(id) }
        tick(above: gone.compactMap(\.record.fence).max() ?? 0)
        for task in gone where task.isHeld { tellCancelled(task.record.worker ?? "") }
    }
}

extension StoredTask {
    /// Forgets how the task ended, and gives it attempts.
    fileprivate mutating func revive(_ budget: RetryBudget, limit: Int) {
        forgetEnd()
        // What somebody asks for runs, whatever else there is.
        record.expires = nil
        content?.rule = nil
        switch budget {
        case .fresh: forgetCounts()
        case .kept: if record.attempts >= limit { record.attemptLimit = record.attempts + 1 }
        }
    }

    /// Forgets how the task ended and counts from 0 again; history and fence go on.
    mutating func beginAnew() {
        forgetEnd()
        forgetCounts()
    }

    /// Forgets that and why it was cancelled.
    mutating func forgetCancellation() {
        (record.cancelRequested, record.cancelReason, record.cause, signal) = (nil, nil, nil, nil)
    }

    private mutating func forgetEnd() {
        forgetCancellation()
        (record.progress, record.progressMessage, record.result) = (nil, nil, nil)
        record.renewals = 0
    }

    private mutating func forgetCounts() {
        (record.attempts, record.failures, record.crashes, record.snoozes) = (0, 0, 0, 0)
    }
}
