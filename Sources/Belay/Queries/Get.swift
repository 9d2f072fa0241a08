import BelayScripts
package import RedisWire

/// Whole records by id.
package struct Get: Verb {
    package static let script = RedisScript(.get)
    package var ids: [TaskID]

    package func validate() throws(TrackerError) { try HolderBatch.check(ids.count) }

    package func encode(into call: inout ScriptCall) { call.keys(ids) }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [TaskRecord?] {
        try reply.requireOK()
        let answers = try reply.list(2)
        guard answers.count == ids.count else {
            throw reply.malformed("\(answers.count) answers for \(ids.count) tasks")
        }
        var records: [TaskRecord?] = []
        for (id, answer) in zip(ids, answers) {
            if case .null = answer {
                records.append(nil)
            } else {
                records.append(try TaskRecord(id: id, fields: try Fields(answer, of: reply), of: reply))
            }
        }
        return records
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TaskRecord?] {
        try await tracker.split(ids, by: { $0 }) { part, some throws(TrackerError) in
            try await part.perform(Get(ids: some))
        }
    }
}

/// The fields of a record, by the short names that `lua/README.md` spells out.
private struct Fields {
    private var values: [String: [UInt8]] = [:]

    init(_ flat: RedisReply, of reply: ScriptReply) throws(TrackerError) {
        let list = try reply.items(flat)
        guard list.count.isMultiple(of: 2) else { throw reply.malformed("a record with a field without value") }
        for i in stride(from: 0, to: list.count, by: 2) {
            values[try reply.text(list[i])] = try reply.bytes(list[i + 1])
        }
    }

    func bytes(_ name: String) -> [UInt8]? { values[name] }
    func text(_ name: String) -> String? { values[name].map { String(decoding: $0, as: UTF8.self) } }
    func int(_ name: String) -> Int? { text(name).flatMap { Int($0) } }
    func moment(_ name: String) -> Timestamp? { int(name).map(Timestamp.init(microseconds:)) }
    func body(_ name: String, contentType: String) -> Body? {
        values[name].map { Body(bytes: $0, contentType: text(contentType) ?? Body.json) }
    }
}

extension TaskRecord {
    fileprivate init(id: TaskID, fields: Fields, of reply: ScriptReply) throws(TrackerError) {
        guard let kind = fields.text("k"), let letter = fields.text("s"), let created = fields.moment("c") else {
            throw reply.malformed("the record of task “\(id)” lacks kind, state or creation time")
        }
        self.init(id: id, kind: KindName(trusted: kind), state: try reply.state(letter), created: created)
        attempts = fields.int("n") ?? 0
        failures = fields.int("f") ?? 0
        crashes = fields.int("x") ?? 0
        snoozes = fields.int("z") ?? 0
        attemptLimit = fields.int("l")
        priority = fields.int("q") ?? 5
        due = fields.moment("d") ?? created
        began = fields.moment("b")
        let changed = fields.moment("u") ?? created
        updated = state == .running ? max(changed, began ?? changed) : changed
        worker = fields.text("w")
        fence = fields.int("g")
        leaseExpires = fields.moment(".expires")
        renewals = fields.int("rn") ?? 0
        deadline = state == .running ? fields.moment("to") : nil
        progress = fields.int("pg").map { Double($0) / 1000 }
        progressMessage = fields.text("pm")
        cancelRequested = fields.moment("X")
        cancelReason = fields.text("cr").flatMap { $0.isEmpty ? nil : $0 }
        cause = fields.text("cc").flatMap { CancelCause($0) }
        expires = fields.moment("ex")
        tags = ["m", "m1", "m2", "m3", "m4", "m5", "m6", "m7"].compactMap {
            fields.text($0).map(TaskTag.init(trusted:))
        }
        awaited = state == .blocked ? fields.int("pn") ?? 0 : 0
        reuses = fields.int("ru") ?? 0
        payload =
            fields.body(".payload", contentType: "ct") ?? Body(bytes: [], contentType: fields.text("ct") ?? Body.json)
        result = fields.body(".result", contentType: "rt")
        data = fields.body(".data", contentType: "vt")
        lastFailure = try fields.bytes(".last").map { bytes throws(TrackerError) in
            try Attempt(remembered: bytes, of: reply) { _ in fields.bytes(".trace") }
        }
    }
}
