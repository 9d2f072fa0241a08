package import Belay

/// Reads the events of a tracker page by page. Where events are missing, one named `history-lost` stands in their place.
package struct EventReader: Sendable {
    private let tracker: Tracker
    private var start: EventStart

    /// A reader that has read nothing yet.
    package init(_ tracker: Tracker, from start: EventStart) {
        self.tracker = tracker
        self.start = start
    }

    /// After what it has read; nil before the first page, and while nothing ever happened.
    package var position: TrackerEvent.Position? {
        if case .after(let position) = start { position } else { nil }
    }

    /// The next events, none when there are no more by now.
    package mutating func next() async throws(TrackerError) -> (events: [TrackerEvent], now: Timestamp) {
        let page = try await tracker.events(from: start, limit: Limits.batch)
        var events = page.events
        if page.isLost, let position {
            events.insert(TrackerEvent(position: position, name: .historyLost, time: page.now, detail: ""), at: 0)
        }
        // After a loss nothing stands at the old position.
        if let position = page.position, !(page.isLost && page.events.isEmpty) {
            start = .after(position)
        } else {
            start = .oldest
        }
        return (events, page.now)
    }
}
