import BelayScripts
package import RedisWire

/// Pauses a kind or the whole tracker, or ends its pause.
package struct Gate: Verb {
    package static let script = RedisScript(.gate)
    /// Nil for the whole tracker.
    package var kind: KindName?
    package var pause: Bool
    package var actor: String
    package var message: String

    package func validate() throws(TrackerError) { try Names.checkNote("message", message) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(kind?.description ?? "")
        call.append(pause ? "pause" : "resume")
        call.append(actor)
        call.append(message)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) {
        switch reply.word {
        case "OK": return
        case "UNKNOWN_KIND": throw .unknownKind(try reply.string(2))
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) {
        let results = await tracker.results(tracker.parts.indices) { _, part throws(TrackerError) in
            try await part.perform(self)
        }
        let isUnknown = results.map { if case .failure(let error) = $0 { error.code == .unknownKind } else { false } }
        if let kind, isUnknown.contains(true), isUnknown.contains(false) {
            // Some partitions do not know the kind yet.
            try await tracker.settle(kind, offered: nil)
            _ = try await tracker.all(self)
        } else {
            for result in results { try result.get() }
        }
    }
}
