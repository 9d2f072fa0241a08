import BelayScripts
package import RedisWire

/// Events from an entry of the stream on.
package struct Stream: Verb {
    package static let script = RedisScript(.stream)
    package var start: EventStart
    package var limit: Int

    package func validate() throws(TrackerError) {
        guard (2...Limits.batch).contains(limit) else {
            throw .invalid("number of entries", limit, allowed: "2 to \(Limits.batch)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        switch start {
        case .oldest: call.append("")
        case .newest: call.append("$")
        case .after(let position): call.append(position.entry)
        }
        call.append(limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> EventPage {
        try reply.requireOK()
        let isLost = try reply.int(2) == 1
        var response = EventPage(events: [], isLost: isLost, position: nil, now: try reply.moment())
        if case .after(let position) = start { response.position = position }
        for entry in try reply.list(3) {
            let parts = try reply.items(entry)
            guard parts.count == 2 else { throw reply.malformed("an entry of \(parts.count) parts") }
            let events = try TrackerEvent.events(entry: reply.text(parts[0]), fields: reply.items(parts[1]), of: reply)
            guard let last = events.last else { continue }
            response.position = last.position
            switch start {
            case .oldest: response.events += events
            case .newest: break
            case .after(let seen):
                response.events += events.filter { $0.position.entry != seen.entry || $0.position.place > seen.place }
            }
        }
        return response
    }
}

extension TrackerEvent {
    /// The events of one entry: `e` name, `t` time, `k` kind, `i` ids and `d` details by lines, `w` worker.
    static func events(entry: String, fields: [RedisReply], of reply: ScriptReply) throws(TrackerError)
        -> [TrackerEvent]
    {
        var values: [String: String] = [:]
        for i in stride(from: 0, to: fields.count - 1, by: 2) {
            values[try reply.text(fields[i])] = try reply.text(fields[i + 1])
        }
        guard let name = values["e"], let time = values["t"].flatMap({ Int($0) }), let ids = values["i"] else {
            throw reply.malformed("the event \(entry) lacks name, time or tasks")
        }
        let kind = values["k"].flatMap { $0.isEmpty ? nil : KindName(trusted: $0) }
        let details = values["d"]?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
        return ids.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { place, id in
            TrackerEvent(
                position: Position(entry: entry, place: place),
                name: Name(rawValue: name),
                time: Timestamp(microseconds: time),
                kind: kind,
                task: id.isEmpty ? nil : TaskID(trusted: String(id)),
                detail: details.indices.contains(place) ? String(details[place]) : "",
                worker: values["w"]
            )
        }
    }
}
