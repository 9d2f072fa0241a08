import BelayScripts
package import RedisWire

/// Takes a worker out of the lines of those who wait for tasks of some kinds.
package struct Leave: Verb {
    package static let script = RedisScript(.leave)
    package var worker: WorkerName
    package var kinds: [KindName]

    package init(worker: WorkerName, kinds: [KindName]) {
        self.worker = worker
        self.kinds = kinds
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(worker.description)
        for kind in kinds { call.append(kind.description) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) { try reply.requireOK() }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) {
        _ = try await tracker.all(self)
    }
}
