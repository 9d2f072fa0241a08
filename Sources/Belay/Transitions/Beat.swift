import BelayScripts
package import RedisWire

/// What a worker's beat says.
public enum BeatEvent: String, Sendable, Hashable, Codable, CaseIterable {
    /// It begins to work.
    case online
    /// It works on.
    case heartbeat
    /// It leaves.
    case offline
    /// It leaves, because too much of what it ran failed.
    case drained
}

/// What a worker tells of itself.
package struct Beat: Verb {
    package static let script = RedisScript(.beat)
    package var worker: WorkerName
    package var event: BeatEvent
    package var interval: Duration
    package var slots: Int
    package var active: Int
    package var succeeded: Int
    package var failed: Int
    package var software: String
    /// What the worker's own clock shows, to tell how far it is off; nil when it has none.
    package var clock: Timestamp?
    package var kinds: [KindName]

    package func validate() throws(TrackerError) {
        guard Limits.beatInterval.contains(interval) else {
            throw .invalid("interval of heartbeats", interval, allowed: "1 s to 1 h")
        }
        for (what, count) in [("slots", slots), ("active", active), ("succeeded", succeeded), ("failed", failed)] {
            guard (0...Limits.queueLimit.upperBound).contains(count) else {
                throw .invalid(what, count, allowed: "0 to 1,000,000,000")
            }
        }
        guard (1...Limits.kindsPerClaim).contains(kinds.count) else {
            throw .invalid("number of kinds", kinds.count, allowed: "1 to \(Limits.kindsPerClaim)")
        }
        try Names.checkWord("software", software, limit: Limits.noteBytes)
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(worker.description)
        call.append(event.rawValue)
        call.append(interval)
        call.append(slots)
        call.append(active)
        call.append(succeeded)
        call.append(failed)
        call.append(software)
        if let clock { call.append(clock.microseconds) } else { call.append("") }
        for kind in kinds { call.append(kind.description) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) { try reply.requireOK() }

    /// Every partition is told, because each answers by itself whether anybody takes a kind.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) {
        _ = try await tracker.all(self)
    }
}
