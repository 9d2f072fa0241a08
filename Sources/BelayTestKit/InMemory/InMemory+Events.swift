import Belay

extension InMemoryState {
    /// Notes what the verb being applied does to a task.
    mutating func note(
        _ name: TrackerEvent.Name,
        _ task: StoredTask,
        _ detail: String = "",
        by worker: String? = nil
    ) {
        events.note(EventLog.Key(name: name, kind: task.record.kind, worker: worker), task.record.id, detail)
    }

    /// Notes what it does to a kind, a gate or a worker.
    mutating func note(_ name: TrackerEvent.Name, kind: KindName?, _ detail: String = "", by worker: String? = nil) {
        events.note(EventLog.Key(name: name, kind: kind, worker: worker), nil, detail)
    }
}

extension Stream: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> EventPage {
        var page = EventPage(events: [], isLost: false, position: nil, now: state.now)
        switch start {
        case .oldest:
            page.events = state.events.entries.prefix(limit).flatMap(\.events)
            page.position = page.events.last?.position
        case .newest:
            page.position = state.events.entries.last?.events.last?.position
        case .after(let seen):
            let parts = seen.description.split(separator: "/")
            let found = state.events.entries(from: parts[0], limit: limit)
            let events = found.flatMap(\.events)
            page.position = events.last?.position ?? seen
            page.events = events
            if let first = found.first, first.id == parts[0] {
                page.events.removeFirst(min(first.tasks.count - 1, Int(parts[1]) ?? 0) + 1)
            } else {
                page.isLost = parts[0] != "0-0"
            }
        }
        return page
    }
}
