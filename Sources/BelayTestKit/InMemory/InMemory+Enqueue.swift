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
        try check(in: state)
        var call = EnqueueCall(room: kinds.map { self.room(of: $0.name, in: state, fresh) })
        for (name, kind) in fresh { state.kinds[name] = kind }
        for (place, item) in items.enumerated() { enqueue(item, at: place, &call, in: &state) }
        for name in fresh.keys { state.kinds[name]?.begin(with: call.priorities[name] ?? []) }
        for id in call.again {
            state.change(id) { ($0.record.reuses, $0.reusedBy) = ($0.record.reuses + 1, nonce) }
            if let task = state.tasks[id] { state.note(.reused, task) }
        }
        state.tick()
        return call.response
    }

    /// Checks all items before anything is created: their sizes, and that their parents exist or stand before them.
    private func check(in state: InMemoryState) throws(TrackerError) {
        var (seen, tagged): (Set<TaskID>, Set<TaskTag>) = ([], [])
        var search = CycleSearch()
        for item in items {
            try Self.check(item.payload, limit: state.payloadLimit, what: "payload of task “\(item.id)”")
            let isThere = seen.contains(item.id) || state.tasks[item.id] != nil
            for parent in isThere ? [] : item.wishes?.dependencies?.parents ?? [] {
                let isKnown =
                    switch parent {
                    case .task(let id): seen.contains(id) && id != item.id || state.tasks[id] != nil
                    case .tag(let tag): tagged.contains(tag) || state.kin.holds(tag, "qrhpjsxcn")
                    }
                guard isKnown else { throw .unknownParent(parent.description, of: item.id) }
            }
            if let wishes = item.wishes {
                if !isThere, let tag = search.cycle(of: wishes, in: state) {
                    throw .cycle(through: "g:\(tag)", of: item.id)
                }
                search.add(item.id, wishes, isNew: !isThere)
            }
            tagged.formUnion(item.wishes?.tags ?? [])
            seen.insert(item.id)
        }
    }

    private func enqueue(_ item: Item, at place: Int, _ call: inout EnqueueCall, in state: inout InMemoryState) {
        let id = item.id
        if !call.seen.insert(id).inserted {
            if let limit = call.refused[id] {
                call.response.full[place] = limit
            } else if let other = call.instead[id] {
                call.response.repeated[place] = other
            } else {
                call.response.duplicates.insert(place)
            }
        } else if let task = state.tasks[id] {
            // A generated id is its own proof that an earlier request of this caller made the task.
            guard let nonce, task.nonce != nonce else {
                guard let wishes = item.wishes, !wishes.isEmpty, task.content?.rule == nil else { return }
                if case .deduplicated(let other) = task.record.cause { call.response.repeated[place] = other }
                return
            }
            if item.wishes?.reuse ?? false, task.record.state == .succeeded {
                call.response.reused.insert(place)
                if task.reusedBy != nonce { call.again.append(id) }
            } else {
                call.response.duplicates.insert(place)
            }
        } else if let task = newTask(item, at: place, &call, in: state) {
            create(task, &call, in: &state)
        }
    }

    /// The task to be created; nil when it is refused, as its kind is full or another has the same content.
    private func newTask(_ item: Item, at place: Int, _ call: inout EnqueueCall, in state: InMemoryState) -> StoredTask?
    {
        var task = StoredTask(record: record(of: item, state), nonce: nonce, trace: item.traceAsStored)
        var isRefused = false
        if let unique = item.wishes?.unique {
            let hash = unique.hash(of: item.payload)
            let (original, before) = state.sameContent(item.id, task.record.kind, hash, unique)
            task.content = StoredContent(hash: hash, rule: original == nil ? unique : nil, before: before)
            if let original {
                (call.response.repeated[place], call.instead[item.id]) = (original, original)
                (task.record.state, task.record.cause) = (.cancelled, .deduplicated(of: original))
                isRefused = unique.later == .refuse
            }
        }
        if let dependencies = item.wishes?.dependencies {
            let limit = call.limit(of: dependencies.parents)
            if !isRefused, let limit {
                (call.response.full[place], call.refused[item.id]) = (limit, limit)
                isRefused = true
            }
            let parents = call.standing(for: dependencies.parents)
            let number = min(dependencies.needed, parents.count)
            task.wait = StoredWait(parents: parents, condition: dependencies.condition, number: number)
        }
        if !isRefused, task.record.state == .ready, let left = call.room[item.kind] {
            call.room[item.kind]?.count -= 1
            if left.count <= 0 {
                (call.response.full[place], call.refused[item.id]) = (left.limit, left.limit)
                isRefused = true
            }
        }
        return isRefused ? nil : task
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

    private func record(of item: Item, _ state: InMemoryState) -> TaskRecord {
        var record = TaskRecord(id: item.id, kind: kinds[item.kind].name, state: .ready, created: state.now)
        record.due = item.due.moment(from: state.now)
        record.priority = item.priority
        record.attemptLimit = item.attempts
        record.payload = item.payload
        record.tags = item.wishes?.tags ?? []
        record.expires = item.wishes?.expires?.moment(from: state.now)
        return record
    }

    private func create(_ new: StoredTask, _ call: inout EnqueueCall, in state: inout InMemoryState) {
        var task = new
        let (id, kind) = (task.record.id, task.record.kind)
        var event = TrackerEvent.Name.enqueued
        var detail = ""
        if task.record.state == .cancelled {
            (event, task.wait) = (.deduplicated, nil)
            if case .deduplicated(let other) = task.record.cause { detail = other.description }
        } else {
            if let content = task.content { state.kin.contents[kind, default: [:]][content.hash] = id }
            if var wait = task.wait {
                let (end, decisive) = state.judge(id, &wait)
                (task.record.state, task.wait) = (end, wait)
                if end == .blocked {
                    event = .blocked
                } else if end == .cancelled, let decisive {
                    (event, detail, task.record.cause) = (.parentFailed, decisive.description, .parentFailed(decisive))
                }
            }
        }
        state.kinds[kind]?.use(task.record.priority)
        call.priorities[kind, default: []].append(task.record.priority)
        state.create(task)
        state.note(event, task, detail)
        if !message.isEmpty { state.log(id, "enqueued", .ready, by: actor, message) }
    }
}

/// What an enqueue has found and done so far.
private struct EnqueueCall {
    var response = Enqueue.Response()
    var seen: Set<TaskID> = []
    /// Refused, as so many of the kind wait.
    var refused: [TaskID: Int] = [:]
    /// The task of the same content that stands in for a refused one.
    var instead: [TaskID: TaskID] = [:]
    /// Tasks whose success is used again.
    var again: [TaskID] = []
    /// How many more tasks of each kind may wait, and how many in all.
    var room: [(count: Int, limit: Int)?]
    /// The priorities of created tasks.
    var priorities: [KindName: [Int]] = [:]

    init(room: [(count: Int, limit: Int)?]) { self.room = room }

    /// The limit that refused one of these parents.
    func limit(of parents: [Dependencies.Parent]) -> Int? {
        for case .task(let id) in parents { if let limit = refused[id] { return limit } }
        return nil
    }

    /// The parents, with those in place of deduplicated ones, each once.
    func standing(for parents: [Dependencies.Parent]) -> [Dependencies.Parent] {
        var standing: [Dependencies.Parent] = []
        for parent in parents {
            var other = parent
            if case .task(let id) = parent, let original = instead[id] { other = .task(original) }
            if !standing.contains(other) { standing.append(other) }
        }
        return standing
    }
}

extension Enqueue.Due {
    fileprivate func moment(from now: Timestamp) -> Timestamp {
        switch self {
        case .now: now
        case .after(let delay): now + delay
        case .at(let moment): moment
        }
    }
}
