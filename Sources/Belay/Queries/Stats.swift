import BelayScripts
package import RedisWire

/// Counts by kind and state.
package struct Stats: Verb {
    package static let script = RedisScript(.stats)

    package init() {}

    package func encode(into call: inout ScriptCall) { call.keys() }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> TrackerStats {
        try reply.requireOK()
        let now = try reply.moment()
        var kinds: [TrackerStats.Kind] = []
        for item in try reply.list(2) {
            let parts = try reply.items(item)
            guard parts.count == 13 else { throw reply.malformed("counts of \(parts.count) parts") }
            var kind = TrackerStats.Kind(kind: KindName(trusted: try reply.text(parts[0])))
            kind.ready = try reply.number(parts[1])
            kind.scheduled = try reply.number(parts[2])
            kind.running = try reply.number(parts[3])
            kind.succeeded = try reply.number(parts[4])
            kind.exhausted = try reply.number(parts[5])
            kind.cancelled = try reply.number(parts[6])
            kind.oldestReadyAge = reply.optionalMoment(parts[7]).map { now - $0 }
            kind.nextDue = reply.optionalMoment(parts[8])
            kind.paused = try reply.number(parts[9])
            kind.ignored = try reply.number(parts[10])
            kind.blocked = try reply.number(parts[11])
            kind.isPaused = try reply.number(parts[12]) == 1
            kinds.append(kind)
        }
        return TrackerStats(now: now, kinds: kinds, workers: try reply.int(3), isPaused: try reply.int(4) == 1)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> TrackerStats {
        Self.merged(try await tracker.all(self))
    }

    /// The counts of all partitions together. Workers tell every partition of themselves.
    static func merged(_ answers: [TrackerStats]) -> TrackerStats {
        let kinds = Dictionary(grouping: answers.flatMap(\.kinds), by: \.kind).sorted { $0.key < $1.key }
        return TrackerStats(
            now: answers.map(\.now).max() ?? Timestamp(microseconds: 0),
            kinds: kinds.map { _, shares in
                shares.dropFirst().reduce(into: shares[0]) { sum, share in
                    sum.ready += share.ready
                    sum.scheduled += share.scheduled
                    sum.blocked += share.blocked
                    sum.running += share.running
                    sum.paused += share.paused
                    sum.succeeded += share.succeeded
                    sum.exhausted += share.exhausted
                    sum.cancelled += share.cancelled
                    sum.ignored += share.ignored
                    sum.isPaused = sum.isPaused || share.isPaused
                    sum.oldestReadyAge = [sum.oldestReadyAge, share.oldestReadyAge].compactMap(\.self).max()
                    sum.nextDue = [sum.nextDue, share.nextDue].compactMap(\.self).min()
                }
            },
            workers: answers.map(\.workers).max() ?? 0,
            isPaused: answers.contains(where: \.isPaused)
        )
    }
}
