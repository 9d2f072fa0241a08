import Belay

extension InMemoryState {
    /// Held tasks whose lease ran out, kind by kind, running ones first, the longest expired first.
    func expired(of kinds: [KindName], limit: Int) -> [TaskID] {
        guard !isHeld else { return [] }
        var found: [TaskID] = []
        for kind in kinds {
            for letter: Character in ["r", "h"] {
                found += index(letter, kind).upTo(now.microseconds).prefix(limit - found.count).map(\.member)
            }
        }
        return found
    }

    /// How an attempt ended whose lease ran out.
    func outcome(ofExpired task: StoredTask) -> Attempt.Outcome {
        task.record.deadline.map { $0 <= now } ?? false ? .timedOut : .crashed
    }

    /// Takes tasks back from holders that crashed: to ready with a delay, or to their end.
    mutating func takeBack(_ ids: [TaskID]) -> [ReapedTask] {
        ids.compactMap { id in
            guard let task = tasks[id], let kind = kinds[task.record.kind] else { return nil }
            let (crashes, now, outcome) = (task.record.crashes + 1, now, outcome(ofExpired: task))
            var due: Timestamp?
            let end: TaskState
            if task.record.cancelRequested != nil {
                end = .cancelled
            } else if task.record.attempts >= attemptLimit(of: task.record) {
                end = exhaustedState(of: task.record.kind)
            } else {
                end = .ready
                due = now + kind.policy.retry.delay(of: id, after: crashes)
            }
            change(id) { task in
                task.record.crashes = crashes
                task.remember(outcome, at: now, nextRun: due, isIgnored: end == .ignored)
            }
            move(id, to: end, at: due)
            note(.reaped, task, end.letter, by: task.record.worker ?? "-")
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
        state.settleRest()
        state.tick()
        return .making(reaped, more: expired.count >= limit)
    }
}

extension Purge: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> SweepStep<PurgedTask> {
        var gone: [PurgedTask] = []
        for (name, kind) in state.kinds.sorted(by: { $0.key < $1.key }) {
            let keep = kind.policy
            for end in [TaskState.succeeded, .exhausted, .cancelled, .ignored] {
                guard let kept = end == .succeeded ? keep.keepSucceeded : keep.keepOther else { continue }
                let oldest = state.now.microseconds - kept.microseconds
                let index = TaskIndex(letter: end.letters.first!, kind: name)
                let ids = state.index(index).upTo(oldest).prefix(limit - gone.count).map(\.member)
                gone += ids.map { .making(id: $0, kind: name, state: end) }
                for task in ids.compactMap({ state.tasks[$0] }) { state.note(.purged, task, end.letter) }
            }
        }
        forgetSilentWorkers(&state, andWaits: gone.count < limit)
        state.tick()
        state.delete(gone.map(\.id))
        return .making(gone, more: gone.count >= limit)
    }

    /// Workers that were not seen for a day, and, in the last step, waits that ended a minute ago, at most 100 of each.
    private func forgetSilentWorkers(_ state: inout InMemoryState, andWaits: Bool) {
        let dayAgo = state.now.microseconds - 86_400_000_000
        let silent = Set(state.workers.upTo(dayAgo).prefix(100).map(\.member))
        for worker in silent { state.workers.remove(worker) }
        state.grants = state.grants.filter { !silent.contains($0.key.worker) }
        state.beats = state.beats.filter { !silent.contains($0.key) }
        guard andWaits else { return }
        let minuteAgo = state.now.microseconds - 60_000_000
        for kind in state.kinds.keys {
            for entry in state.idle[kind]?.upTo(minuteAgo).prefix(100) ?? [] { state.idle[kind]?.remove(entry.member) }
            // The last one that took the kind stays: an explanation tells when it left.
            let takers = state.takers[kind] ?? ScoredSet()
            let away = takers.upTo(dayAgo).prefix(100)
            for entry in away.count == takers.count ? away.dropLast() : away {
                state.takers[kind]?.remove(entry.member)
            }
        }
    }
}
