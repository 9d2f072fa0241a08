import BelayScripts
package import RedisWire

/// Says how far a holder is.
package struct Progress: Verb {
    package static let script = RedisScript(.progress)
    package var handle: ClaimHandle
    package var fraction: Double?
    package var message: String

    package func validate() throws(TrackerError) {
        if let fraction, !(0...1).contains(fraction) { throw .invalid("progress", fraction, allowed: "0 to 1") }
        try Names.checkNote("progress message", message)
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(CollectionOfOne(handle.id))
        call.append(handle)
        if let fraction { call.append(Int((fraction * 1000).rounded())) } else { call.append("") }
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
        try await tracker.one(self, of: handle.id)
    }
}
