import BelayScripts
package import RedisWire

/// Merges events of Celery into foreign tasks and workers.
package struct Ingest: Verb {
    package static let script = RedisScript(.ingest)
    package var events: [CeleryEvent]

    package init(events: [CeleryEvent]) { self.events = events }

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(events.count) else {
            throw .invalid("number of events", events.count, allowed: "1 to \(Limits.batch)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        for event in events {
            call.append(event.uuid == nil ? event.type : event.word)
            call.append(event.uuid?.description ?? "")
            call.append(event.state?.name ?? "")
            call.append(event.hostname ?? "")
            call.append(event.timestamp.microseconds)
            call.append(event.clock)
            if let heard = event.localReceived { call.append(heard.microseconds) } else { call.append("") }
            call.append(event.fields.count)
            for (name, value) in event.fields.sorted(by: { $0.key < $1.key }) {
                call.append(name)
                if name == "freq", let interval = event.interval { call.append(interval) } else { call.append(value) }
            }
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> IngestOutcome {
        if reply.word == "FULL" { throw .fullOfStates(try reply.string(2)) }
        try reply.requireOK()
        let applied = try reply.int(2)
        return IngestOutcome(applied: applied, unchanged: events.count - applied, evicted: try reply.int(3))
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> IngestOutcome {
        try await tracker.first(self)
    }
}

extension TrackerError {
    package static func fullOfStates(_ state: String) -> TrackerError {
        TrackerError(
            .full,
            "foreign tasks are in \(Limits.foreignStates) states that Celery does not know, which is the limit; “\(state)” would be "
                + "one more. Nothing was ingested"
        )
    }
}
