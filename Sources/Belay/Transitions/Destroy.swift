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
}
