import Belay

extension Cancel: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [CancelOutcome] {
        let (now, why) = (state.now, reason.isEmpty ? nil : reason)
        var asked: [String] = []
        let outcomes = ids.map { id -> CancelOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            if task.isHeld {
                guard task.record.cancelRequested == nil else { return .requested }
                state.change(id) { ($0.record.cancelRequested, $0.record.cancelReason) = (now, why) }
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
        return outcomes
    }
}

extension Retry: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [RetryOutcome] {
        var taken: [String] = []
        let outcomes = ids.map { id -> RetryOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            let (now, isWaiting) = (state.now, task.record.state == .ready)
            if task.wasLogged(nonce) { return .ready }
            if task.isHeld, !force { return .running }
            if task.isHeld { taken.append(task.record.worker ?? "") }
            if isWaiting, task.record.due <= now { return .ready }
            let limit = state.attemptLimit(of: task.record)
            state.change(id) { task in
                if task.isHeld { task.remember(.superseded, at: now, nextRun: now) }
                if task.record.state == .succeeded { task.remember(.succeeded, at: task.record.updated) }
                if !isWaiting { task.revive(budget, limit: limit) }
            }
            state.log(id, "requeued", .ready, by: actor, message, nonce: nonce)
            state.note(.requeued, task, task.letter)
            if task.isHeld { state.note(.superseded, task, TaskState.ready.letter, by: task.record.worker) }
            state.move(id, to: .ready)
            return .ready
        }
        for worker in taken { state.tellCancelled(worker) }
        state.tick()
        return outcomes
    }
}

extension Delete: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [DeleteOutcome] {
        var gone: Set<TaskID> = []
        let outcomes = ids.map { id -> DeleteOutcome in
            guard let task = state.tasks[id] else { return .notFound }
            if task.isHeld, !force { return .running }
            if gone.insert(id).inserted { state.note(.deleted, task, task.letter) }
            return .deleted
        }
        state.delete(Array(gone))
        return outcomes
    }
}

extension Undefine: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        guard state.kinds[kind] != nil else { return .notFound }
        let ids = "rhpsxcnq".flatMap { state.names(of: $0, kind) }.flatMap { state.index($0).entries.map(\.member) }
        if !ids.isEmpty, !force { return .inUse(tasks: ids.count) }
        let gone = ids.prefix(limit)
        for task in gone.compactMap({ state.tasks[$0] }) { state.note(.deleted, task, task.letter) }
        state.delete(Array(gone))
        if gone.count < ids.count { return .step(deleted: gone.count, more: true) }
        state.kinds[kind] = nil
        (state.idle[kind], state.takers[kind], state.gates[kind]) = (nil, nil, nil)
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

    private mutating func forgetEnd() {
        (record.cancelRequested, record.cancelReason) = (nil, nil)
        (record.progress, record.progressMessage, record.result) = (nil, nil, nil)
        record.renewals = 0
    }

    private mutating func forgetCounts() {
        (record.attempts, record.failures, record.crashes, record.snoozes) = (0, 0, 0, 0)
    }
}
