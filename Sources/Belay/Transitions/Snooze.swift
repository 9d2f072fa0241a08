import BelayScripts
package import RedisWire

/// Puts held tasks off without spending their attempts.
package struct SnoozeTasks: Verb {
    package static let script = RedisScript(.snooze)
    package var items: [(handle: ClaimHandle, delay: Duration)]

    package func validate() throws(TrackerError) {
        try HolderBatch.check(items.count)
        for item in items where !Limits.delay.contains(item.delay) {
            throw .invalid("delay", item.delay, allowed: "0 s to 3,650 days")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(items.lazy.map(\.handle.id))
        for item in items {
            call.append(item.handle)
            call.append(item.delay)
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [HandBackOutcome] {
        try reply.requireOK()
        return try reply.handBacks(items.count)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [HandBackOutcome] {
        try await tracker.split(items, by: { $0.handle.id }) { part, some throws(TrackerError) in
            try await part.perform(SnoozeTasks(items: some))
        }
    }
}
