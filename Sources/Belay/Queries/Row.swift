import RedisWire

extension TaskRecord {
    /// A task as listings show it:
    /// `[id kind state attempts failures crashes priority created updated begun worker due progress message]`
    init(row: RedisReply, of reply: ScriptReply) throws(TrackerError) {
        let parts = try reply.items(row)
        guard parts.count == 14 else { throw reply.malformed("a row of \(parts.count) parts") }
        self.init(
            id: TaskID(trusted: try reply.text(parts[0])),
            kind: KindName(trusted: try reply.text(parts[1])),
            state: try reply.state(reply.text(parts[2])),
            created: Timestamp(microseconds: try reply.number(parts[7]))
        )
        attempts = try reply.number(parts[3])
        failures = try reply.number(parts[4])
        crashes = try reply.number(parts[5])
        priority = try reply.number(parts[6])
        began = reply.optionalMoment(parts[9])
        let changed = Timestamp(microseconds: try reply.number(parts[8]))
        updated = state == .running ? max(changed, began ?? changed) : changed
        let name = try reply.text(parts[10])
        worker = name.isEmpty ? nil : name
        due = Timestamp(microseconds: try reply.number(parts[11]))
        progress = parts[12].int.map { Double($0) / 1000 }
        let message = try reply.text(parts[13])
        progressMessage = message.isEmpty ? nil : message
    }
}
