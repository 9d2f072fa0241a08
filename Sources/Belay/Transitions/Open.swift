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
        if reply.word == "NOPERM" {
            throw TrackerError(
                .unauthorised,
                "the user may not run \(try reply.string(1)) on this tracker's keys; grant the rights that lua/README.md lists"
            )
        }
        try reply.requireOK()
        return try reply.int(5)
    }
}
