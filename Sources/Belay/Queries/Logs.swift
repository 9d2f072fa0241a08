import BelayScripts
package import RedisWire

/// A task's log.
package struct Logs: Verb {
    package static let script = RedisScript(.logs)
    package var id: TaskID

    package func encode(into call: inout ScriptCall) { call.keys(CollectionOfOne(id)) }

    /// Oldest first; nil when there is no such task.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [LogLine]? {
        if reply.word == "GONE" { return nil }
        try reply.requireOK()
        var attempts: [Attempt] = []
        var ignored: Set<Int> = []
        for line in try reply.list(2) {
            let bytes = try reply.bytes(line)
            let attempt = try Attempt(remembered: bytes, of: reply)
            if bytes.prefix(while: { $0 != UInt8(ascii: "\n") }).split(separator: UInt8(ascii: " ")).dropFirst(6).first
                == Array("-n".utf8)[...]
            {
                ignored.insert(attempt.fence)
            }
            attempts.append(attempt)
        }
        let record = try reply.list(3)
        guard record.count == 7, let created = reply.optionalMoment(record[6]) else {
            throw reply.malformed("a record of \(record.count) parts")
        }
        if let latest = try Attempt(latest: record, of: reply) { attempts.append(latest) }
        var lines: [LogLine] = []
        for line in try reply.list(4) { lines.append(try LogLine(stored: reply.text(line), of: reply)) }
        return LogLine.merged(created: created, attempts: attempts, ignored: ignored, lines: lines)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [LogLine]? {
        try await tracker.one(self, of: id)
    }
}

extension LogLine {
    /// `time event actor nonce`, a newline, the message.
    init(stored text: String, of reply: ScriptReply) throws(TrackerError) {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let words = parts[0].split(separator: " ")
        guard parts.count == 2, words.count == 4, let time = Int(words[0]) else {
            throw reply.malformed("a log line “\(text.prefix(120))”")
        }
        let event = String(words[1])
        self.init(
            time: Timestamp(microseconds: time),
            event: event,
            state: Self.states[event],
            actor: String(words[2]),
            message: String(parts[1])
        )
    }

    private static let states: [String: TaskState] = [
        "enqueued": .ready, "paused": .paused, "ignored": .ignored, "cancelled": .cancelled, "requeued": .ready,
    ]

    /// The whole log: what the record and the attempts tell, and the lines that were written beside them, in the order of
    /// time; at the same moment what began comes before what ended, and a line after what it follows.
    /// - Parameter ignored: Fences of the attempts after which the task was set aside.
    package static func merged(
        created: Timestamp,
        attempts: [Attempt],
        ignored: Set<Int>,
        lines: [LogLine]
    ) -> [LogLine] {
        var all: [LogLine] = []
        if !lines.contains(where: { $0.event == "enqueued" }) {
            all.append(LogLine(time: created, event: "enqueued", state: .ready, actor: "-"))
        }
        for attempt in attempts {
            all.append(LogLine(time: attempt.began, event: "claimed", state: .running, actor: attempt.worker))
            guard let ended = attempt.ended else { continue }
            all.append(
                LogLine(
                    time: ended,
                    event: attempt.outcome.rawValue,
                    state: ignored.contains(attempt.fence) ? .ignored : attempt.stateAfter,
                    actor: attempt.worker,
                    message: attempt.failure?.description ?? ""
                )
            )
        }
        // The sort is stable: equals stay in this order.
        let first = lines.filter { $0.event == "enqueued" }
        return (first + all + lines.filter { $0.event != "enqueued" }).sorted { $0.time < $1.time }
    }
}

extension Attempt {
    /// Where its end led the task, when that was not to be set aside.
    fileprivate var stateAfter: TaskState {
        switch outcome {
        case .running: .running
        case .succeeded: .succeeded
        case .cancelled: .cancelled
        case .released, .snoozed, .superseded: .ready
        case .failed, .crashed, .timedOut: nextRun == nil ? .exhausted : .ready
        }
    }
}
