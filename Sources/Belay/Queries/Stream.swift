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

    /// Merges the streams of all partitions by time, as far as all were read.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> EventPage {
        var merge = EventMerge(start, count: tracker.parts.count)
        guard merge.isValid else {
            throw .invalid("position", "\(start)", allowed: "one of a tracker of \(tracker.parts.count) partitions")
        }
        let limit = max(2, (limit + tracker.parts.count - 1) / tracker.parts.count)
        while true {
            let (before, starts) = (merge.read, merge.starts)
            let pages = try await tracker.each(tracker.parts.indices) { place, part throws(TrackerError) in
                try await part.perform(Stream(start: starts[place], limit: limit))
            }
            merge.take(pages, limit: limit, of: self.limit)
            // What is told once although it happens in each partition may leave nothing of a page.
            if !merge.events.isEmpty || merge.read == before || start == .newest { return merge.page(pages) }
        }
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

/// The pages of several partitions in the order of time. A pure value.
struct EventMerge {
    private let start: EventStart
    /// What was read last of each partition; nil for nothing.
    private(set) var read: [TrackerEvent.Position.Spot?]
    private(set) var events: [TrackerEvent] = []
    private var isLost = false
    private var latest: Int?

    init(_ start: EventStart, count: Int) {
        self.start = start
        read = Array(repeating: nil, count: count)
        if case .after(let position) = start { read = position.read }
        isValid = read.count == count
    }

    /// Whether the position to begin with is of as many partitions.
    let isValid: Bool

    /// Where to begin in each partition.
    var starts: [EventStart] {
        read.map { spot in
            if start == .newest { return .newest }
            return spot.map { .after(TrackerEvent.Position(entry: $0.entry, place: $0.place)) } ?? .oldest
        }
    }

    /// What happens in every partition, and is told once.
    private static let common: Set<TrackerEvent.Name> = [
        .defined, .undefined, .kindPaused, .kindResumed, .workerOnline, .workerOffline, .workerDrained,
    ]

    /// Takes pages of at most so many entries each, until there are as many entries as asked for, or a page has run out that may
    /// go on.
    mutating func take(_ pages: [EventPage], limit: Int, of all: Int) {
        for (place, page) in pages.enumerated() {
            isLost = isLost || page.isLost
            if start == .newest { read[place] = page.position.map { .init(entry: $0.entry, place: $0.place) } }
            // Nothing stands at the old place any more: the oldest is next.
            if page.isLost, page.events.isEmpty { read[place] = nil }
        }
        let mayGoOn = pages.map { page in Set(page.events.map(\.position.entry)).count >= limit - 1 }
        var (taken, entries) = (Array(repeating: 0, count: pages.count), 0)
        while true {
            var best: Int?
            for (place, page) in pages.enumerated() {
                guard taken[place] < page.events.count else {
                    if mayGoOn[place], !page.events.isEmpty { return }
                    continue
                }
                if let known = best, pages[known].events[taken[known]].time <= page.events[taken[place]].time {
                    continue
                }
                best = place
            }
            guard let place = best else { return }
            var event = pages[place].events[taken[place]]
            if event.position.entry != read[place]?.entry { entries += 1 }
            guard entries <= all else { return }
            taken[place] += 1
            read[place] = .init(entry: event.position.entry, place: event.position.place)
            guard place == 0 || event.task != nil || !Self.common.contains(event.name),
                let position = TrackerEvent.Position(read, at: place)
            else { continue }
            event.position = position
            events.append(event)
            latest = place
        }
    }

    func page(_ pages: [EventPage]) -> EventPage {
        let place = latest ?? read.firstIndex { $0 != nil }
        return EventPage(
            events: events,
            isLost: isLost,
            position: place.flatMap { TrackerEvent.Position(read, at: $0) },
            now: pages.map(\.now).max() ?? Timestamp(microseconds: 0)
        )
    }
}
