import BelayScripts
package import RedisWire

/// Keeps how far a consumer has read the events.
package struct Advance: Verb {
    package enum Response: Sendable, Hashable {
        case kept
        /// Another was faster, and has come there.
        case stale(TrackerEvent.Position?)
    }

    package static let script = RedisScript(.advance)
    package var consumer: String
    /// The position that it began from; nil for none.
    package var from: TrackerEvent.Position?
    package var to: TrackerEvent.Position

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(consumer)
        call.append(from?.description ?? "")
        call.append(to.description)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Response {
        switch reply.word {
        case "OK": return .kept
        case "STALE": return .stale(try reply.position(2))
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response {
        try await tracker.first(self)
    }
}

extension ScriptReply {
    /// A position in the events; nil for "".
    func position(_ index: Int) throws(TrackerError) -> TrackerEvent.Position? {
        let text = try string(index)
        if text.isEmpty { return nil }
        guard let position = TrackerEvent.Position(text) else { throw malformed("“\(text)” is no position") }
        return position
    }
}
