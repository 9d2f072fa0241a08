import BelayScripts
package import RedisWire

/// Deletes ended tasks that were kept as long as their kind says.
package struct Purge: Verb {
    package static let script = RedisScript(.purge)
    package var limit: Int

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> SweepStep<PurgedTask> {
        try reply.requireOK()
        var items: [PurgedTask] = []
        for item in try reply.list(3) {
            let parts = try reply.items(item)
            guard parts.count == 3 else { throw reply.malformed("a purged task of \(parts.count) parts") }
            items.append(
                PurgedTask(
                    id: TaskID(trusted: try reply.text(parts[0])),
                    kind: KindName(trusted: try reply.text(parts[1])),
                    state: try reply.state(reply.text(parts[2]))
                )
            )
        }
        return SweepStep(items: items, more: try reply.int(2) == 1)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> SweepStep<PurgedTask> {
        try await tracker.inTurn(limit: limit) { part, limit throws(TrackerError) in
            try await part.perform(Purge(limit: limit))
        }
    }
}
