import BelayScripts
package import RedisWire

/// Creates or checks a tracker's header; the first call of every backend.
package struct Open: Verb {
    package enum Clock: String, Sendable { case server, manual }

    package static let script = RedisScript(.open)
    package var clock: Clock
    package var payloadLimit: Int

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(1)
        call.append(clock.rawValue)
        call.append(payloadLimit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Int {
        try reply.requireOK()
        return try reply.int(5)
    }
}
