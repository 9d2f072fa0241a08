import BelayScripts
package import RedisWire

/// Forgets foreign tasks, a step at a time.
package struct Clear: Verb {
    package static let script = RedisScript(.clear)
    package var finishedOnly: Bool
    package var limit = Limits.batch

    package init(finishedOnly: Bool, limit: Int = Limits.batch) {
        self.finishedOnly = finishedOnly
        self.limit = limit
    }

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(finishedOnly ? "finished" : "all")
        call.append(limit)
    }

    /// How many tasks were forgotten, and whether there is more to do.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> ClearStep {
        try reply.requireOK()
        return ClearStep(deleted: try reply.int(3), more: try reply.int(2) == 1)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> ClearStep {
        try await tracker.first(self)
    }
}

/// One step of forgetting.
package struct ClearStep: Sendable, Hashable {
    package var deleted: Int
    package var more: Bool

    package init(deleted: Int, more: Bool) {
        self.deleted = deleted
        self.more = more
    }
}
