import Belay

/// What is known of Celery's tasks and workers.
struct StoredFleet: Sendable {
    var tasks: [TaskID: StoredForeign] = [:]
    /// Tasks by their newest event.
    var byTime = ScoredSet<TaskID>()
    var workers: [String: StoredForeignWorker] = [:]
    /// Workers by when they were last heard of.
    var byBeat = ScoredSet<String>()
    /// Events that changed something, and tasks received.
    var counts = (events: 0, received: 0)
}

/// A place in time.
struct ForeignMoment: Sendable {
    let time: Timestamp
    let clock: Int

    /// Above 0 when this is newer: by clock where both have one, then by timestamp.
    func after(_ other: ForeignMoment) -> Int {
        if clock > 0, other.clock > 0, clock != other.clock { return clock - other.clock }
        return time.microseconds - other.time.microseconds
    }
}

/// A foreign task.
struct StoredForeign: Sendable {
    let uuid: TaskID
    var state: ForeignState
    var moment: ForeignMoment
    /// The newest of its retries.
    var retried: ForeignMoment?
    var stamps: [String: ForeignMoment] = [:]
    var hostname: String?
    var client: String?
    var last: Timestamp
    var fields: [String: String] = [:]

    private static let lateReceived: Set = [
        "name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires",
    ]

    init(_ uuid: TaskID, _ state: ForeignState, _ moment: ForeignMoment) {
        (self.uuid, self.state, self.moment, last) = (uuid, state, moment, moment.time)
    }

    /// Merges an event; false when it changes nothing.
    mutating func merge(_ event: CeleryEvent, _ state: ForeignState) -> Bool {
        let moment = ForeignMoment(time: event.timestamp, clock: event.clock)
        if let stamp = stamps[event.word], moment.after(stamp) <= 0 { return false }
        let isLate = !stamps.isEmpty && !takes(state, moment)
        stamps[event.word] = moment
        if !isLate { (self.state, self.moment) = (state, moment) }
        if state == .retry, retried.map({ moment.after($0) > 0 }) ?? true { retried = moment }
        if !event.isOfWorker {
            client = event.hostname ?? client
        } else if !isLate {
            hostname = event.hostname ?? hostname
        }
        for (name, value) in event.fields {
            if !isLate || event.word != "received" || Self.lateReceived.contains(name) { fields[name] = value }
        }
        last = max(last, moment.time)
        return true
    }

    private func takes(_ state: ForeignState, _ moment: ForeignMoment) -> Bool {
        let (rank, current, newer) = (state.precedence, self.state.precedence, moment.after(self.moment))
        if state == .retry || self.state == .retry { return newer > 0 || newer == 0 && rank >= current }
        if let retried, moment.after(retried) < 0 { return false }
        return rank > current || rank == current && newer >= 0
    }

    var shown: ForeignTask {
        ForeignTask(
            uuid: uuid,
            state: state,
            timestamp: moment.time,
            clock: moment.clock,
            hostname: hostname,
            client: client,
            lastEvent: last,
            moments: stamps.mapValues(\.time),
            fields: fields
        )
    }
}

/// A foreign worker.
struct StoredForeignWorker: Sendable {
    var beats: [Timestamp] = []
    var left: Timestamp?
    /// When its fields were told.
    var told: Timestamp?
    var drift: Duration?
    var fields: [String: String] = [:]
    var interval: Duration?
    /// Whether the call that is applied says that it began to work.
    var joined = false

    /// When it was last heard of.
    var last: Timestamp { beats.last ?? left ?? Timestamp(microseconds: -1) }

    private static func heard(_ event: CeleryEvent, _ now: Timestamp) -> Timestamp {
        min(event.localReceived ?? event.timestamp, now)
    }

    mutating func beat(_ event: CeleryEvent, now: Timestamp) -> Bool {
        let time = Self.heard(event, now)
        if let left, time <= left { return false }
        let place = beats.firstIndex { $0 >= time } ?? beats.count
        if place < beats.count && beats[place] == time || beats.count == 4 && place == 0 { return false }
        beats.insert(time, at: place)
        if beats.count > 4 { beats.removeFirst() }
        if beats.last == time, let received = event.localReceived { drift = received - event.timestamp }
        return true
    }

    /// Merges an event of the worker itself; false when it changes nothing.
    mutating func merge(_ event: CeleryEvent, now: Timestamp) -> Bool {
        let time = Self.heard(event, now)
        var changed = false
        if event.type == "worker-offline" {
            if left.map({ time > $0 }) ?? true {
                (left, changed) = (time, true)
                beats.removeAll { $0 <= time }
            }
        } else {
            changed = beat(event, now: now)
            if changed, event.type == "worker-online", beats.last == time { joined = true }
        }
        if told.map({ event.timestamp > $0 }) ?? true {
            (told, changed) = (event.timestamp, true)
            fields.merge(event.fields) { $1 }
            interval = event.interval ?? interval
        }
        return changed
    }

    func shown(_ hostname: String, now: Timestamp) -> ForeignWorker {
        ForeignWorker(
            hostname: hostname,
            beats: beats,
            left: left,
            drift: drift,
            fields: fields,
            interval: interval,
            now: now
        )
    }
}

extension Ingest: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> IngestOutcome {
        var fleet = state.fleet
        var outcome = IngestOutcome(applied: 0, unchanged: 0, evicted: 0)
        // In the order in which the call names them, whether or not they change.
        var (tasks, hosts): ([TaskID], [String]) = ([], [])
        var changedTasks: Set<TaskID> = []
        var workers: [String: (worker: StoredForeignWorker, was: Bool, changed: Bool)] = [:]
        for event in events {
            var changed = false
            if let uuid = event.uuid, let state = event.state {
                if !tasks.contains(uuid) { tasks.append(uuid) }
                let moment = ForeignMoment(time: event.timestamp, clock: event.clock)
                changed = fleet.tasks[uuid, default: StoredForeign(uuid, state, moment)].merge(event, state)
                if changed { changedTasks.insert(uuid) }
                if changed, event.word == "received" { fleet.counts.received += 1 }
            }
            if let host = event.hostname, event.isOfWorker {
                if workers[host] == nil { hosts.append(host) }
                let known = fleet.workers[host] ?? StoredForeignWorker()
                var entry = workers[host] ?? (known, !known.beats.isEmpty, false)
                let isOwn = event.uuid == nil
                let isHeard =
                    isOwn ? entry.worker.merge(event, now: state.now) : entry.worker.beat(event, now: state.now)
                entry.changed = entry.changed || isHeard
                workers[host] = entry
                changed = changed || isOwn && isHeard
            }
            if changed { outcome.applied += 1 } else { outcome.unchanged += 1 }
        }
        guard !changedTasks.isEmpty || workers.values.contains(where: \.changed) else { return outcome }
        try Self.checkStates(of: tasks, in: fleet, before: state.fleet)
        for uuid in tasks where changedTasks.contains(uuid) {
            guard let task = fleet.tasks[uuid] else { continue }
            fleet.byTime.insert(uuid, score: task.last.microseconds)
            state.noteIngested(uuid, task.state.name)
        }
        for host in hosts {
            guard let entry = workers[host], entry.changed else { continue }
            var worker = entry.worker
            let (was, has) = (entry.was, !worker.beats.isEmpty)
            if has, worker.joined || !was { state.noteIngested(nil, "worker-online", by: host) }
            if was, !has { state.noteIngested(nil, "worker-offline", by: host) }
            worker.joined = false
            fleet.workers[host] = worker
            fleet.byBeat.insert(host, score: worker.last.microseconds)
        }
        fleet.counts.events += outcome.applied
        outcome.evicted = max(0, fleet.byTime.count - Limits.foreignTasks)
        for _ in 0..<outcome.evicted { if let first = fleet.byTime.removeFirst() { fleet.tasks[first.member] = nil } }
        if outcome.evicted > 0 { state.noteIngested(nil, "evicted \(outcome.evicted)") }
        while fleet.byBeat.count > Limits.foreignWorkers, let first = fleet.byBeat.removeFirst() {
            fleet.workers[first.member] = nil
        }
        state.fleet = fleet
        state.tick()
        return outcome
    }

    /// Refuses a state that is one too many.
    private static func checkStates(
        of tasks: [TaskID],
        in fleet: StoredFleet,
        before: StoredFleet
    ) throws(TrackerError) {
        let known = Set(before.tasks.values.map(\.state)).filter { $0.precedence == 7 }
        let new = tasks.compactMap { fleet.tasks[$0]?.state }.filter { $0.precedence == 7 && !known.contains($0) }
        var seen: [ForeignState] = []
        for state in new where !seen.contains(state) { seen.append(state) }
        if let last = seen.last, known.count + seen.count > Limits.foreignStates { throw .fullOfStates(last.name) }
    }
}

extension InMemoryState {
    fileprivate mutating func noteIngested(_ uuid: TaskID?, _ detail: String, by worker: String? = nil) {
        events.note(EventLog.Key(name: .ingested, kind: nil, worker: worker), uuid, detail)
    }
}

extension Clear: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> ClearStep {
        let states: [ForeignState] = [.success, .failure, .revoked]
        let entries = state.fleet.byTime.entries
        let tasks = state.fleet.tasks
        let doomed =
            finishedOnly
            ? states.flatMap { wanted in entries.filter { tasks[$0.member]?.state == wanted } } : entries
        let gone = doomed.prefix(limit).map(\.member)
        for uuid in gone {
            state.fleet.tasks[uuid] = nil
            state.fleet.byTime.remove(uuid)
        }
        var hosts = 0
        if !finishedOnly {
            while hosts < limit, let first = state.fleet.byBeat.removeFirst() {
                state.fleet.workers[first.member] = nil
                hosts += 1
            }
            state.fleet.counts = (0, 0)
        }
        state.tick()
        return ClearStep(deleted: gone.count, more: gone.count >= limit || hosts >= limit)
    }
}

extension ForeignOne: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> ForeignTask? {
        guard var task = state.fleet.tasks[uuid]?.shown else { return nil }
        let children = state.fleet.tasks.values.filter { $0.shown.parent == uuid }.map(\.uuid)
        task.children = Array(children.sorted().prefix(Limits.batch))
        return task
    }
}

extension ForeignMany: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> ForeignPage {
        var entries = state.fleet.byTime.entries[...]
        if let cursor, !cursor.isEmpty {
            // By bytes: an id may begin with a character that joins the space before it.
            let parts = cursor.utf8.split(
                separator: UInt8(ascii: " "),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty,
                parts[0].allSatisfy({ (0x30...0x39).contains($0) })
            else { throw Self.unknown(cursor) }
            let id = TaskID(trusted: String(Substring(parts[1])))
            entries = entries[..<state.fleet.byTime.rank(of: Int(Substring(parts[0])) ?? .max, id, counting: false)]
        }
        var page = ForeignPage(tasks: [], cursor: nil)
        for entry in entries.reversed() {
            guard let task = state.fleet.tasks[entry.member], passes(task) else { continue }
            if page.tasks.count == limit {
                page.cursor = page.tasks.last.map { "\($0.lastEvent.microseconds) \($0.uuid)" }
                break
            }
            page.tasks.append(task.shown)
        }
        return page
    }

    private func passes(_ task: StoredForeign) -> Bool {
        switch filter {
        case .all: true
        case .state(let state): task.state == state
        case .name(let name): task.fields["name"] == name
        case .worker(let host): task.hostname == host
        }
    }
}

extension ForeignCount: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> ForeignCounts {
        let tasks = state.fleet.tasks.values
        var counts = ForeignCounts(
            tasks: tasks.count,
            states: [:],
            names: [:],
            events: state.fleet.counts.events,
            received: state.fleet.counts.received
        )
        for task in tasks {
            counts.states[task.state, default: 0] += 1
            if let name = task.fields["name"] { counts.names[name, default: 0] += 1 }
        }
        let names = counts.names.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for name in names.dropFirst(Limits.batch) { counts.names[name] = nil }
        return counts
    }
}

extension Fleet: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [ForeignWorker] {
        state.fleet.byBeat.entries.suffix(limit).reversed().compactMap { entry in
            state.fleet.workers[entry.member]?.shown(entry.member, now: state.now)
        }
    }
}
