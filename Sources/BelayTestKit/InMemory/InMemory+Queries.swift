import Belay

extension Open: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        Response(payloadLimit: state.payloadLimit, partitions: 1)
    }
}

extension Get: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TaskRecord?] { ids.map { state.tasks[$0]?.shown } }
}

extension Attempts: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [Attempt]? { state.tasks[id]?.attempts }
}

extension Kinds: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [DefinedKind] {
        state.kinds.sorted { $0.key < $1.key }.map { DefinedKind(name: $0.key, policy: $0.value.policy) }
    }
}

extension Peek: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TaskRecord] {
        var known: [KindName] = []
        for kind in kinds where !known.contains(kind) { known.append(kind) }
        let shown = scheduled ? known : state.open(known)
        return state.queue(of: shown, order, limit: limit, scheduled: scheduled).compactMap { state.tasks[$0]?.row }
    }
}

extension Stats: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> TrackerStats {
        let kinds = state.kinds.keys.sorted().map { counts(of: $0, state) }
        let isPaused = state.gates[nil] != nil
        return TrackerStats(now: state.now, kinds: kinds, workers: state.workers.count, isPaused: isPaused)
    }

    private func counts(of name: KindName, _ state: InMemoryState) -> TrackerStats.Kind {
        var kind = TrackerStats.Kind(kind: name)
        let indexes = state.readyIndexes(name)
        let due = indexes.map { $0.upTo(state.now.microseconds) }
        kind.ready = due.reduce(0) { $0 + $1.count }
        kind.scheduled = indexes.reduce(0) { $0 + $1.count } - kind.ready
        kind.running = state.index("r", name).count
        kind.paused = state.index("p", name).count + state.index("h", name).count
        kind.succeeded = state.index("s", name).count
        kind.exhausted = state.index("x", name).count
        kind.cancelled = state.index("c", name).count
        kind.ignored = state.index("n", name).count
        kind.blocked = state.index("j", name).count
        kind.isPaused = state.gates[name] != nil
        let oldest = due.compactMap(\.first?.score).min()
        kind.oldestReadyAge = oldest.map { .microseconds(state.now.microseconds - $0) }
        let next = zip(indexes, due).compactMap { $0.entries[$1.endIndex...].first?.score }.min()
        kind.nextDue = next.map(Timestamp.init(microseconds:))
        return kind
    }
}
