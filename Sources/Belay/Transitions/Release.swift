import BelayScripts
package import RedisWire

/// Hands held tasks back without spending their attempts.
package struct Release: Verb {
    package static let script = RedisScript(.release)
    package var handles: [ClaimHandle]
    /// Nil: each keeps its place in the line.
    package var delay: Duration?

    package func validate() throws(TrackerError) {
        try HolderBatch.check(handles.count)
        if let delay, !Limits.delay.contains(delay) { throw .invalid("delay", delay, allowed: "0 s to 3,650 days") }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(handles.lazy.map(\.id))
        for handle in handles {
            call.append(handle)
            call.append(delay)
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [HandBackOutcome] {
        try reply.requireOK()
        return try reply.handBacks(handles.count)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [HandBackOutcome] {
        try await tracker.split(handles, by: { $0.id }) { part, some throws(TrackerError) in
            try await part.perform(Release(handles: some, delay: delay))
        }
    }
}
