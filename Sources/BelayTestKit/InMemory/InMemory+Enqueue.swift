import Belay

extension Define: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) {
        var offered = try StoredKind(policy)
        if let stored = state.kinds[kind] {
            if stored.text == offered.text { return }
            guard replace else { throw .conflict(kind, stored: stored.policy, offered: policy) }
            offered.priorities = stored.priorities
        } else if state.kinds.count >= Limits.kinds {
            throw .fullOfKinds()
        }
        state.kinds[kind] = offered
        state.tick()
    }
}

extension Enqueue: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> Set<Int> {
        let fresh = try unknownKinds(in: state)
        for item in items {
            try Self.check(item.payload, limit: state.payloadLimit, what: "payload of task “\(item.id)”")
        }
        var (seen, created, taken): (Set<TaskID>, [Item], Set<Int>) = ([], [], [])
        for (place, item) in items.enumerated() {
            if !seen.insert(item.id).inserted {
                taken.insert(place)
            } else if let task = state.tasks[item.id] {
                // A generated id is its own proof that an earlier request of this caller made the task.
                if let nonce, task.nonce != nonce { taken.insert(place) }
            } else {
                created.append(item)
            }
        }
        for (name, kind) in fresh { state.kinds[name] = kind }
        for item in created { create(item, in: &state) }
        for name in fresh.keys where state.kinds[name]?.priorities.isEmpty == true {
            state.kinds[name]?.priorities = [5]
        }
        state.tick()
        return taken
    }

    /// The kinds to be defined by this call, which no task has used yet.
    private func unknownKinds(in state: InMemoryState) throws(TrackerError) -> [KindName: StoredKind] {
        var fresh: [KindName: StoredKind] = [:]
        for (name, policy) in kinds where state.kinds[name] == nil {
            guard let policy else { throw .unknownKind(name) }
            guard state.kinds.count + fresh.count < Limits.kinds else { throw .fullOfKinds() }
            var kind = try StoredKind(policy)
            kind.priorities = []
            fresh[name] = kind
        }
        return fresh
    }

    private func create(_ item: Item, in state: inout InMemoryState) {
        let kind = kinds[item.kind].name
        var record = TaskRecord(id: item.id, kind: kind, state: .ready, created: state.now)
        switch item.due {
        case .now: break
        case .after(let delay): record.due = state.now + delay
        case .at(let moment): record.due = moment
        }
        record.priority = item.priority
        record.attemptLimit = item.attempts
        record.payload = item.payload
        state.kinds[kind]?.priorities.insert(item.priority)
        state.create(StoredTask(record: record, nonce: nonce, trace: item.traceAsStored))
    }
}
