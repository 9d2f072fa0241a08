import BelayScripts
package import RedisWire

/// Who works.
package struct Workers: Verb {
    package static let script = RedisScript(.workers)
    package var limit: Int

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [WorkerInfo] {
        try reply.requireOK()
        let now = try reply.moment()
        var workers: [WorkerInfo] = []
        for row in try reply.list(2) {
            let parts = try reply.items(row)
            guard parts.count == 13 else { throw reply.malformed("a worker of \(parts.count) parts") }
            let beat = reply.optionalMoment(parts[3])
            let aliveUntil = reply.optionalMoment(parts[4])
            let software = try reply.text(parts[10])
            workers.append(
                WorkerInfo(
                    name: try reply.text(parts[0]),
                    seen: Timestamp(microseconds: try reply.number(parts[1])),
                    since: reply.optionalMoment(parts[2]),
                    aliveUntil: aliveUntil,
                    interval: parts[5].int.map { .microseconds($0) },
                    slots: parts[6].int,
                    active: parts[7].int,
                    succeeded: parts[8].int,
                    failed: parts[9].int,
                    software: software.isEmpty ? nil : software,
                    drift: beat.flatMap { beat in reply.optionalMoment(parts[11]).map { $0 - beat } },
                    kinds: try reply.text(parts[12]).split(separator: " ").map { KindName(trusted: String($0)) },
                    isAlive: aliveUntil.map { now < $0 }
                )
            )
        }
        return workers
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [WorkerInfo] {
        // Of each worker the partition that heard from it last, and rather one that was told more than its name.
        let all = Dictionary(grouping: try await tracker.all(self).joined(), by: \.name).compactMap { _, told in
            var latest = told.max { ($0.aliveUntil ?? $0.seen) < ($1.aliveUntil ?? $1.seen) }
            if let beaten = told.filter({ $0.aliveUntil != nil }).max(by: { $0.seen < $1.seen }) { latest = beaten }
            latest?.seen = told.map(\.seen).max() ?? Timestamp(microseconds: 0)
            return latest
        }
        return Array(all.sorted { ($0.seen, $0.name) > ($1.seen, $1.name) }.prefix(limit))
    }
}
