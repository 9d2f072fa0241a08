import BelayScripts
package import RedisWire

/// One foreign task, with its children.
package struct ForeignOne: Verb {
    package static let script = RedisScript(.foreign)
    package var uuid: TaskID

    package init(uuid: TaskID) { self.uuid = uuid }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        for argument in ["one", uuid.description, "\(Limits.batch)", ""] { call.append(argument) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> ForeignTask? {
        if reply.word == "GONE" { return nil }
        try reply.requireOK()
        var task = try ForeignTask(row: reply.element(2), of: reply)
        for child in try reply.list(3) { task.children.append(TaskID(trusted: try reply.text(child))) }
        return task
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> ForeignTask? {
        try await tracker.first(self)
    }
}

/// A page of foreign tasks.
package struct ForeignMany: Verb {
    package static let script = ForeignOne.script
    package var filter: ForeignFilter
    package var limit: Int
    package var cursor: String?

    package init(filter: ForeignFilter, limit: Int, cursor: String? = nil) {
        self.filter = filter
        self.limit = limit
        self.cursor = cursor
    }

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(limit) else {
            throw .invalid("page size", limit, allowed: "1 to \(Limits.batch)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append("page")
        switch filter {
        case .all: call.append("z")
        case .state(let state): call.append("s:" + state.name)
        case .name(let name): call.append("n:" + name)
        case .worker(let host): call.append("h:" + host)
        }
        call.append(limit)
        call.append(cursor ?? "")
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> ForeignPage {
        if reply.word == "BAD_CURSOR" { throw Self.unknown(cursor ?? "") }
        try reply.requireOK()
        let cursor = try reply.string(2)
        var tasks: [ForeignTask] = []
        for row in try reply.list(3) { tasks.append(try ForeignTask(row: row, of: reply)) }
        return ForeignPage(tasks: tasks, cursor: cursor.isEmpty ? nil : cursor)
    }

    package static func unknown(_ cursor: String) -> TrackerError {
        .invalid("cursor", cursor, allowed: "what the page before returned")
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> ForeignPage {
        try await tracker.first(self)
    }
}

/// How many foreign tasks there are.
package struct ForeignCount: Verb {
    package static let script = ForeignOne.script

    package init() {}

    package func encode(into call: inout ScriptCall) {
        call.keys()
        for argument in ["counts", "", "\(Limits.batch)", ""] { call.append(argument) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> ForeignCounts {
        try reply.requireOK()
        var counts = ForeignCounts(
            tasks: try reply.int(2),
            states: [:],
            names: [:],
            events: try reply.int(3),
            received: try reply.int(4)
        )
        for (name, count) in try pairs(reply, 5) { counts.states[ForeignState(name: name)] = count }
        for (name, count) in try pairs(reply, 6) { counts.names[name] = count }
        return counts
    }

    private func pairs(_ reply: ScriptReply, _ index: Int) throws(TrackerError) -> [(String, Int)] {
        let parts = try reply.list(index)
        guard parts.count.isMultiple(of: 2) else { throw reply.malformed("counts of \(parts.count) parts") }
        var pairs: [(String, Int)] = []
        for i in stride(from: 0, to: parts.count, by: 2) {
            pairs.append((try reply.text(parts[i]), try reply.number(parts[i + 1])))
        }
        return pairs
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> ForeignCounts {
        try await tracker.first(self)
    }
}

extension ForeignTask {
    /// `[id field value ...]`: `s` state, `m` "timestamp clock" of the event that brought it, `l` its newest event, `h` worker,
    /// `client`; `@word` "timestamp clock" of the newest event of a sort, `.name` what events told.
    init(row: RedisReply, of reply: ScriptReply) throws(TrackerError) {
        let (uuid, values) = try reply.named(row)
        guard let state = values["s"], let moment = values["m"].flatMap(Self.moment),
            let last = values["l"].flatMap({ ScriptReply.moment($0) })
        else { throw reply.malformed("the foreign task \(uuid) lacks state or time") }
        self.init(
            uuid: TaskID(trusted: uuid),
            state: ForeignState(name: state),
            timestamp: moment.time,
            clock: moment.clock,
            hostname: values["h"],
            client: values["client"],
            lastEvent: last,
            moments: [:],
            fields: [:]
        )
        for (name, value) in values {
            if name.hasPrefix("@") { moments[String(name.dropFirst())] = Self.moment(value)?.time }
            if name.hasPrefix(".") { fields[String(name.dropFirst())] = value }
        }
    }

    private static func moment(_ text: String) -> (time: Timestamp, clock: Int)? {
        let words = text.split(separator: " ")
        guard words.count == 2, let time = ScriptReply.moment(words[0]), let clock = ScriptReply.exact(words[1]) else {
            return nil
        }
        return (time, clock)
    }
}
