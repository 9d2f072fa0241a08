import Belay

extension Define: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) {
        let offered = try StoredKind(policy)
        if let stored = state.kinds[kind] {
            if stored.text == offered.text { return }
            guard replace else { throw .conflict(kind, stored: stored.policy, offered: policy) }
            state.kinds[kind] = stored.replaced(by: offered)
        } else if state.kinds.count >= Limits.kinds {
            throw .fullOfKinds()
        } else {
            state.kinds[kind] = offered
        }
        state.note(.defined, kind: kind, offered.text)
        state.tick()
    }
}

extension Enqueue: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> Response {
        let fresh = try unknownKinds(in: state)
        for item in items {
            try Self.check(item.payload, limit: state.payloadLimit, what: "payload of task “\(item.id)”")
        }
        var (seen, created, response): (Set<TaskID>, [Item], Response) = ([], [], Response())
        var refused: [TaskID: Int] = [:]
        var room = kinds.map { self.room(of: $0.name, in: state, fresh) }
        for (place, item) in items.enumerated() {
            if !seen.insert(item.id).inserted {
                if let limit = refused[item.id] {
                    response.full[place] = limit
                } else {
                    response.duplicates.insert(place)
                }
            } else if let task = state.tasks[item.id] {
                // A generated id is its own proof that an earlier request of this caller made the task.
                if let nonce, task.nonce != nonce { response.duplicates.insert(place) }
            } else if let left = room[item.kind], left.count <= 0 {
                (response.full[place], refused[item.id]) = (left.limit, left.limit)
            } else {
                room[item.kind]?.count -= 1
                created.append(item)
            }
        }
        for (name, kind) in fresh {
            var kind = kind
            kind.begin(with: created.filter { kinds[$0.kind].name == name }.map(\.priority))
            state.kinds[name] = kind
        }
        for item in created { create(item, in: &state) }
        state.tick()
        return response
    }

    /// The kinds to be defined by this call, which no task has used yet.
    private func unknownKinds(in state: InMemoryState) throws(TrackerError) -> [KindName: StoredKind] {
        var fresh: [KindName: StoredKind] = [:]
        for (name, policy) in kinds where state.kinds[name] == nil {
            guard let policy else { throw .unknownKind(name) }
            guard state.kinds.count + fresh.count < Limits.kinds else { throw .fullOfKinds() }
            fresh[name] = try StoredKind(policy)
        }
        return fresh
    }

    /// How many more tasks of a kind may wait, and how many in all; nil when that is not limited.
    private func room(of kind: KindName, in state: InMemoryState, _ fresh: [KindName: StoredKind])
        -> (count: Int, limit: Int)?
    {
        guard let limit = (state.kinds[kind] ?? fresh[kind])?.policy.queueLimit else { return nil }
        return (limit - state.readyIndexes(kind).reduce(0) { $0 + $1.count }, limit)
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
        state.kinds[kind]?.use(item.priority)
        let task = StoredTask(record: record, nonce: nonce, trace: item.traceAsStored)
        state.create(task)
        state.note(.enqueued, task)
        if !message.isEmpty { state.log(item.id, "enqueued", .ready, by: actor, message) }
    }
}
