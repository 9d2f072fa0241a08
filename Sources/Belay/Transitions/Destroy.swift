import BelayScripts
package import RedisWire

/// Deletes a tracker, a step at a time.
package struct Destroy: Verb {
    package static let script = RedisScript(.destroy)
    package var cursor = "0"

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(cursor)
    }

    /// The next cursor; nil when the tracker is gone.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> String? {
        try reply.requireOK()
        let cursor = try reply.string(2)
        return cursor == "0" ? nil : cursor
    }

    /// The last partition first: the first one tells how many there are.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> String? {
        let words = cursor.split(separator: " ")
        let place = words.count == 2 ? Int(words[0]) ?? -1 : tracker.parts.count - 1
        guard tracker.parts.indices.contains(place), let inner = words.last else {
            throw .invalid("cursor", cursor, allowed: "what the step before returned")
        }
        tracker.unsettle()
        let next = try await tracker.parts[place].perform(Destroy(cursor: String(inner)))
        if let next { return "\(place) \(next)" }
        return place > 0 ? "\(place - 1) 0" : nil
    }
}
