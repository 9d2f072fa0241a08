import BelayScripts
package import RedisWire

/// Adds a line to a task's log.
package struct Log: Verb {
    package static let script = RedisScript(.log)
    package var id: TaskID
    /// The holder's proof; nil when an operator writes.
    package var handle: ClaimHandle?
    package var actor: String
    /// Tells a repeated request from a second one.
    package var nonce: String
    package var message: String

    package func validate() throws(TrackerError) { try Names.checkMessage(message) }

    package func encode(into call: inout ScriptCall) {
        call.keys(CollectionOfOne(id))
        if let handle {
            call.append(handle)
        } else {
            call.append("")
            call.append("")
        }
        call.append(actor)
        call.append(nonce)
        call.append(message)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> WriteOutcome {
        switch reply.word {
        case "OK": return .accepted
        case "STALE": return .stale
        case "GONE": return .gone
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> WriteOutcome {
        try await tracker.one(self, of: id)
    }
}
