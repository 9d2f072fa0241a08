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
        let traces = try reply.backtraces(4)
        var attempts: [Attempt] = []
        for line in try reply.list(2) {
            attempts.append(try Attempt(remembered: reply.bytes(line), of: reply) { traces[$0] })
        }
        if let latest = try Attempt(latest: reply.list(3), of: reply) { attempts.append(latest) }
        return attempts
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [Attempt]? {
        try await tracker.one(self, of: id)
    }
}

extension ScriptReply {
    /// `[digest backtrace ...]`
    fileprivate func backtraces(_ index: Int) throws(TrackerError) -> [String: [UInt8]] {
        let flat = try list(index)
        guard flat.count.isMultiple(of: 2) else { throw malformed("a digest without a backtrace") }
        var traces: [String: [UInt8]] = [:]
        for i in stride(from: 0, to: flat.count, by: 2) { traces[try text(flat[i])] = try bytes(flat[i + 1]) }
        return traces
    }
}

extension Attempt {
    /// `number fence begun ended outcome worker due backtrace`, a newline, the failure as it was stored. Attempts of older
    /// versions lack the last word: theirs is in the failure.
    init(
        remembered bytes: [UInt8],
        of reply: ScriptReply,
        backtrace: (String) -> [UInt8]? = { _ in nil }
    ) throws(TrackerError) {
        let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
        let words = String(decoding: bytes[..<newline], as: UTF8.self).split(separator: " ")
        guard (7...8).contains(words.count), let number = Int(words[0]), let fence = Int(words[1]),
            let began = Int(words[2]), let ended = Int(words[3]), let outcome = Outcome(rawValue: String(words[4]))
        else { throw reply.malformed("an attempt “\(String(decoding: bytes.prefix(120), as: UTF8.self))”") }
        let digest = words.count == 8 && words[7] != "-" ? String(words[7]) : nil
        self.init(
            number: number,
            fence: fence,
            outcome: outcome,
            worker: String(words[5]),
            began: Timestamp(microseconds: began),
            ended: Timestamp(microseconds: ended),
            nextRun: Int(words[6]).map(Timestamp.init(microseconds:)),
            failure: FailureText.decode(bytes[newline...].dropFirst(), backtrace: digest.flatMap(backtrace) ?? [])
        )
    }

    /// `[state attempts fence begun updated worker ...]`: the attempt that runs or succeeded, which the record tells; nil when
    /// the latest one ended otherwise and stands in the list.
    init?(latest: [RedisReply], of reply: ScriptReply) throws(TrackerError) {
        guard latest.count >= 6 else { throw reply.malformed("a latest attempt of \(latest.count) parts") }
        let letter = try reply.text(latest[0])
        _ = try reply.state(letter)
        let isSuccess = letter == "s"
        guard isSuccess || letter == "r" || letter == "h", let began = reply.optionalMoment(latest[3]) else {
            return nil
        }
        self.init(
            number: try reply.number(latest[1]),
            fence: try reply.number(latest[2]),
            outcome: isSuccess ? .succeeded : .running,
            worker: try reply.text(latest[5]),
            began: began,
            ended: isSuccess ? reply.optionalMoment(latest[4]) : nil
        )
    }
}
