import Belay

/// What a worker told of itself.
struct StoredBeat: Sendable {
    let since: Timestamp
    let time: Timestamp
    let aliveUntil: Timestamp
    let beat: Beat
}

extension Beat: InMemoryVerb {
    func apply(to state: inout InMemoryState) {
        let name = worker.description
        let last = state.beats[name]
        if let last, repeats(last, at: state.now) { return }
        let leaves = event == .offline || event == .drained
        let aliveUntil = leaves ? state.now : state.now + interval + interval
        let since = event == .online ? nil : last?.since
        state.sees(worker)
        for kind in kinds where state.kinds[kind] != nil {
            state.takers[kind, default: ScoredSet()].insert(name, score: aliveUntil.microseconds)
        }
        state.beats[name] = StoredBeat(
            since: since ?? state.now,
            time: state.now,
            aliveUntil: aliveUntil,
            beat: self
        )
        switch event {
        case .online: state.note(.workerOnline, kind: nil, by: name)
        case .offline: state.note(.workerOffline, kind: nil, by: name)
        case .drained: state.note(.workerDrained, kind: nil, by: name)
        case .heartbeat: break
        }
        state.tick()
    }

    /// Whether the worker said so just before: the last beat of one that left is also its end.
    private func repeats(_ last: StoredBeat, at now: Timestamp) -> Bool {
        switch event {
        case .online: last.since == last.time && last.aliveUntil > now && last.beat.kinds == kinds
        case .offline, .drained: last.aliveUntil == last.time
        case .heartbeat: false
        }
    }
}

extension Leave: InMemoryVerb {
    func apply(to state: inout InMemoryState) { for kind in kinds { state.idle[kind]?.remove(worker.description) } }
}

extension Workers: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [WorkerInfo] {
        state.workers.entries.suffix(limit).reversed().map { entry in
            var worker = WorkerInfo.making(name: entry.member, seen: Timestamp(microseconds: entry.score))
            guard let stored = state.beats[entry.member] else { return worker }
            worker.since = stored.since
            worker.aliveUntil = stored.aliveUntil
            worker.interval = stored.beat.interval
            worker.slots = stored.beat.slots
            worker.active = stored.beat.active
            worker.succeeded = stored.beat.succeeded
            worker.failed = stored.beat.failed
            worker.software = stored.beat.software
            worker.drift = stored.beat.clock.map { $0 - stored.time }
            worker.kinds = stored.beat.kinds
            worker.isAlive = state.now < stored.aliveUntil
            return worker
        }
    }
}
