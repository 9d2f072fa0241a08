import BelayScripts
package import RedisWire

/// Keeps a holder's data, or its response so far.
package struct Save: Verb {
    package enum Place: String, Sendable {
        case data = "v"
        case response = "r"
    }

    package static let script = RedisScript(.save)
    package var handle: ClaimHandle
    package var place: Place
    package var body: Body
    package var payloadLimit: Int

    package func validate() throws(TrackerError) { try Enqueue.check(body, limit: payloadLimit, what: what) }

    package var what: String { "\(place == .data ? "data" : "response") of task “\(handle.id)”" }

    package func encode(into call: inout ScriptCall) {
        call.keys(CollectionOfOne(handle.id))
        call.append(handle)
        call.append(place.rawValue)
        call.append(bytes: body.bytes)
        call.append(body.contentType == Body.json ? "" : body.contentType)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> WriteOutcome {
        switch reply.word {
        case "OK": return .accepted
        case "STALE": return .stale
        case "GONE": return .gone
        case "TOO_LARGE":
            throw TrackerError(.tooLarge, "\(what) has \(body.bytes.count) bytes; allowed: \(try reply.int(2))")
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> WriteOutcome {
        try await tracker.one(self, of: handle.id)
    }
}
