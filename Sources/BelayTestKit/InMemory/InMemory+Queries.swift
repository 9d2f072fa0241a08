import Belay

extension Open: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Int { state.payloadLimit }
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
        return state.due(of: known, limit: limit).compactMap { state.tasks[$0]?.row }
    }
}

extension Stats: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> TrackerStats {
        let kinds = state.kinds.keys.sorted().map { counts(of: $0, state) }
        return TrackerStats(now: state.now, kinds: kinds, workers: state.workers.count)
    }

    private func counts(of name: KindName, _ state: InMemoryState) -> TrackerStats.Kind {
        var kind = TrackerStats.Kind(kind: name)
        let indexes = state.readyIndexes(name)
        let due = indexes.map { $0.upTo(state.now.microseconds) }
        kind.ready = due.reduce(0) { $0 + $1.count }
        kind.scheduled = indexes.reduce(0) { $0 + $1.count } - kind.ready
        kind.running = state.index(.running, name).count
        kind.succeeded = state.index(.succeeded, name).count
        kind.exhausted = state.index(.exhausted, name).count
        kind.cancelled = state.index(.cancelled, name).count
        let oldest = due.compactMap(\.first?.score).min()
        kind.oldestReadyAge = oldest.map { .microseconds(state.now.microseconds - $0) }
        let next = zip(indexes, due).compactMap { $0.entries[$1.endIndex...].first?.score }.min()
        kind.nextDue = next.map(Timestamp.init(microseconds:))
        return kind
    }
}

extension Find: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> TaskPage {
        var tasks: [TaskRecord] = []
        let start = try cursor.flatMap { $0.isEmpty ? nil : $0 }.map { text throws(TrackerError) in try Place(text) }
        var isStarted = start == nil
        for index in indexes(state) {
            var entries = state.index(index.state, index.kind, index.priority).entries[...]
            if !isStarted, let start, index.name == start.index {
                isStarted = true
                entries = state.index(index.state, index.kind, index.priority).after(
                    score: start.score,
                    member: start.id
                )
            }
            guard isStarted else { continue }
            for entry in entries {
                if let task = state.tasks[entry.member] { tasks.append(task.row) }
                if tasks.count >= limit {
                    return .making(tasks, cursor: "\(index.name)\n\(entry.score)\n\(entry.member)")
                }
            }
        }
        guard isStarted else { throw Place.unknown(cursor ?? "") }
        return .making(tasks, cursor: nil)
    }

    /// The indexes to go through: by state in the order wanted, then kind, then priority.
    private func indexes(_ state: InMemoryState) -> [TaskIndex] {
        let names = state.kinds.keys.sorted().filter { kinds.isEmpty || kinds.contains($0) }
        var listed: Set<TaskState> = []
        return states.filter { listed.insert($0).inserted }.flatMap { wanted in
            names.flatMap { name -> [TaskIndex] in
                guard wanted == .ready else { return [TaskIndex(state: wanted, kind: name, priority: nil)] }
                let priorities = state.kinds[name]?.priorities.sorted(by: >) ?? []
                return priorities.map { TaskIndex(state: .ready, kind: name, priority: $0) }
            }
        }
    }
}

/// A place in the order of a search, as a cursor tells it.
private struct Place {
    let index: String
    let score: Int
    let id: TaskID

    init(_ cursor: String) throws(TrackerError) {
        let parts = cursor.split(separator: "\n", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let score = Int(parts[1]) else { throw Self.unknown(cursor) }
        index = String(parts[0])
        self.score = score
        id = TaskID(trusted: String(parts[2]))
    }

    static func unknown(_ cursor: String) -> TrackerError {
        TrackerError(.invalidArgument, "cursor “\(cursor)” is not what the page before returned")
    }
}
