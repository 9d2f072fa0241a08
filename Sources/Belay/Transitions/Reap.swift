import BelayScripts
package import RedisWire

/// Takes back tasks whose lease ran out.
package struct Reap: Verb {
    package static let script = RedisScript(.reap)
    package var limit: Int
    package var estimatedNow: Timestamp?

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
        if let estimatedNow { call.append(estimatedNow.microseconds) } else { call.append("") }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> SweepStep<ReapedTask> {
        try reply.requireOK()
        var items: [ReapedTask] = []
        for item in try reply.list(3) {
            let parts = try reply.items(item)
            guard parts.count == 5 else { throw reply.malformed("a reaped task of \(parts.count) parts") }
            items.append(
                ReapedTask(
                    id: TaskID(trusted: try reply.text(parts[0])),
                    kind: KindName(trusted: try reply.text(parts[1])),
                    state: try reply.state(reply.text(parts[2])),
                    due: reply.optionalMoment(parts[3]),
                    worker: try reply.text(parts[4])
                )
            )
        }
        return SweepStep(items: items, more: try reply.int(2) == 1)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> SweepStep<ReapedTask> {
        try await tracker.inTurn(limit: limit) { part, limit throws(TrackerError) in
            try await part.perform(Reap(limit: limit, estimatedNow: part.estimatedNow))
        }
    }
}
