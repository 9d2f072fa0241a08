import Belay

extension InMemoryState {
    /// Running tasks whose lease ran out, kind by kind, the longest expired first.
    func expired(of kinds: [KindName], limit: Int) -> [TaskID] {
        guard !isHeld else { return [] }
        var found: [TaskID] = []
        for kind in kinds where found.count < limit {
            found += index(.running, kind).upTo(now.microseconds).prefix(limit - found.count).map(\.member)
        }
        return found
    }

    /// Takes tasks back from holders that crashed: to ready with a delay, or to their end.
    mutating func takeBack(_ ids: [TaskID]) -> [ReapedTask] {
        ids.compactMap { id in
            guard let task = tasks[id], let kind = kinds[task.record.kind] else { return nil }
            let (crashes, now) = (task.record.crashes + 1, now)
            var due: Timestamp?
            let end: TaskState
            if task.record.cancelRequested != nil {
                end = .cancelled
            } else if task.record.attempts >= attemptLimit(of: task.record) {
                end = .exhausted
            } else {
                end = .ready
                due = now + kind.policy.retry.delay(of: id, after: crashes)
            }
            change(id) { task in
                task.record.crashes = crashes
                task.remember(.crashed, at: now, nextRun: due)
            }
            move(id, to: end, at: due)
            return .making(id: id, kind: task.record.kind, state: end, due: due, worker: task.record.worker ?? "-")
        }
    }
}

extension Reap: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> SweepStep<ReapedTask> {
        let jumped = state.sawJump(from: estimatedNow)
        let kinds = state.kinds.keys.sorted()
        let expired = state.expired(of: kinds, limit: limit)
        let reaped = state.takeBack(expired)
        if jumped { state.hold(for: kinds) }
        state.tick()
        return .making(reaped, more: expired.count >= limit)
    }
}

extension Purge: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> SweepStep<PurgedTask> {
        var gone: [PurgedTask] = []
        for (name, kind) in state.kinds.sorted(by: { $0.key < $1.key }) {
            let keep = kind.policy
            for (end, kept) in [
                (TaskState.succeeded, keep.keepSucceeded), (.exhausted, keep.keepOther), (.cancelled, keep.keepOther),
            ] {
                guard let kept else { continue }
                let oldest = state.now.microseconds - kept.microseconds
                let ids = state.index(end, name).upTo(oldest).prefix(limit - gone.count).map(\.member)
                gone += ids.map { .making(id: $0, kind: name, state: end) }
            }
        }
        let highest = gone.compactMap { state.tasks[$0.id]?.record.fence }.max()
        for task in gone { state.delete(task.id) }
        forgetSilentWorkers(&state)
        state.tick()
        if !gone.isEmpty { state.tick(above: highest ?? 0) }
        return .making(gone, more: gone.count >= limit)
    }

    /// Workers that were not seen for a day, and waits that ended a minute ago, at most 100 of each.
    private func forgetSilentWorkers(_ state: inout InMemoryState) {
        let dayAgo = state.now.microseconds - 86_400_000_000
        let silent = Set(state.workers.upTo(dayAgo).prefix(100).map(\.member))
        for worker in silent { state.workers.remove(worker) }
        state.grants = state.grants.filter { !silent.contains($0.key.worker) }
        let minuteAgo = state.now.microseconds - 60_000_000
        for kind in state.kinds.keys {
            for entry in state.idle[kind]?.upTo(minuteAgo).prefix(100) ?? [] { state.idle[kind]?.remove(entry.member) }
        }
    }
}
