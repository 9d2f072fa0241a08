import Belay

extension Cancel: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [CancelOutcome] {
        let (now, why) = (state.now, reason.isEmpty ? nil : reason)
        var asked: [String] = []
        let outcomes = ids.map { id -> CancelOutcome in
            guard let record = state.tasks[id]?.record else { return .notFound }
            switch record.state {
            case .ready:
                state.change(id) { $0.record.cancelReason = why }
                state.move(id, to: .cancelled)
                return .cancelled
            case .running:
                if record.cancelRequested == nil {
                    state.change(id) { ($0.record.cancelRequested, $0.record.cancelReason) = (now, why) }
                    asked.append(record.worker ?? "")
                }
                return .requested
            case .cancelled: return .cancelled
            case .succeeded, .exhausted: return .ended(record.state)
            }
        }
        for worker in asked { state.tellCancelled(worker) }
        state.tick()
        return outcomes
    }
}

extension Retry: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [RetryOutcome] {
        let outcomes = ids.map { id -> RetryOutcome in
            guard let record = state.tasks[id]?.record else { return .notFound }
            switch record.state {
            case .running: return .running
            case .ready:
                if record.due > state.now { state.move(id, to: .ready) }
            case .succeeded, .exhausted, .cancelled:
                let limit = state.attemptLimit(of: record)
                state.change(id) { $0.revive(budget, limit: limit) }
                state.move(id, to: .ready)
            }
            return .ready
        }
        state.tick()
        return outcomes
    }
}

extension Destroy: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> String? {
        state.empty()
        return nil
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
    }

    private mutating func forgetCounts() {
        (record.attempts, record.failures, record.crashes, record.snoozes) = (0, 0, 0, 0)
    }
}
