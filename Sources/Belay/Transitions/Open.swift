import BelayScripts
package import RedisWire

/// Creates or checks a tracker's header; the first call of every backend.
package struct Open: Verb {
    package enum Clock: String, Sendable { case server, manual }

    package struct Response: Sendable, Hashable {
        package var payloadLimit: Int
        package var partitions: Int

        package init(payloadLimit: Int, partitions: Int) {
            self.payloadLimit = payloadLimit
            self.partitions = partitions
        }
    }

    package static let script = RedisScript(.open)
    package var clock: Clock
    package var payloadLimit: Int
    /// How many partitions it is to have; nil for as many as it has, 1 when it is new.
    package var partitions: Int?

    package init(clock: Clock, payloadLimit: Int, partitions: Int? = nil) {
        self.clock = clock
        self.payloadLimit = payloadLimit
        self.partitions = partitions
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        if let partitions { call.append(partitions) } else { call.append("") }
        call.append(clock.rawValue)
        call.append(payloadLimit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Response {
        switch reply.word {
        case "NOPERM":
            throw TrackerError(
                .unauthorised,
                "the user may not run \(try reply.string(1)) on this tracker's keys; grant the rights that lua/README.md lists"
            )
        default:
            try reply.requireOK()
            let partitions = try reply.int(3)
            guard Limits.partitions.contains(partitions) else { throw reply.malformed("\(partitions) partitions") }
            return Response(payloadLimit: try reply.int(5), partitions: partitions)
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response {
        try await tracker.first(self)
    }
}
