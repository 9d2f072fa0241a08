import BelayScripts
package import RedisWire

/// What is remembered of a task's runs.
package struct Attempts: Verb {
    package static let script = RedisScript(.attempts)
    package var id: TaskID

    package func encode(into call: inout ScriptCall) { call.keys(CollectionOfOne(id)) }

    /// Oldest first; nil when there is no such task.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [Attempt]? {
        if reply.word == "GONE" { return nil }
        try reply.requireOK()
        var attempts: [Attempt] = []
        for line in try reply.list(2) { attempts.append(try Attempt(remembered: reply.bytes(line), of: reply)) }
        let latest = try reply.list(3)
        guard latest.count == 6 else { throw reply.malformed("a latest attempt of \(latest.count) parts") }
        let state = try reply.state(reply.text(latest[0]))
        // Only a running or succeeded attempt is told by the record; any other end stands in the list.
        if state == .running || state == .succeeded, let began = reply.optionalMoment(latest[3]) {
            attempts.append(
                Attempt(
                    number: try reply.number(latest[1]),
                    fence: try reply.number(latest[2]),
                    outcome: state == .running ? .running : .succeeded,
                    worker: try reply.text(latest[5]),
                    began: began,
                    ended: state == .running ? nil : reply.optionalMoment(latest[4])
                )
            )
        }
        return attempts
    }
}

extension Attempt {
    /// `number fence begun ended outcome worker due`, a newline, the failure as it was stored.
    init(remembered bytes: [UInt8], of reply: ScriptReply) throws(TrackerError) {
        let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let words = String(decoding: bytes[..<newline], as: UTF8.self).split(separator: " ")
        guard words.count == 7, let number = Int(words[0]), let fence = Int(words[1]), let began = Int(words[2]),
            let ended = Int(words[3]), let outcome = Outcome(rawValue: String(words[4]))
        else { throw reply.malformed("an attempt “\(String(decoding: bytes.prefix(120), as: UTF8.self))”") }
        self.init(
            number: number,
            fence: fence,
            outcome: outcome,
            worker: String(words[5]),
            began: Timestamp(microseconds: began),
            ended: Timestamp(microseconds: ended),
            nextRun: Int(words[6]).map(Timestamp.init(microseconds:)),
            failure: FailureText.decode(bytes[newline...].dropFirst())
        )
    }
}
