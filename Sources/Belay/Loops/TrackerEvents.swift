import Logging

/// The events of a tracker in their order, as they happen, without an end.
///
/// It rides out a server that is away, and goes on where it was. When events were trimmed before they could be read, an
/// event named ``TrackerEvent/Name/historyLost`` stands in their place. When the server lost what was read last, too, as
/// after a restore, reading begins with the oldest event that is kept, so some come again.
///
/// Those of several partitions come in the order of time as far as the clocks of their servers agree; those of one task are
/// always in order.
///
/// ```swift
/// for try await event in tracker.events() where event.name == .exhausted { alert(event.task) }
/// ```
public struct TrackerEvents: AsyncSequence, Sendable {
    /// What it gives.
    public typealias Element = TrackerEvent

    let tracker: Tracker
    let start: EventStart
    let pollInterval: Duration

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// Reads page by page.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let source: TrackerEvents
        private var start: EventStart
        private var waiting: ArraySlice<TrackerEvent> = []

        init(_ source: TrackerEvents) {
            self.source = source
            start = source.start
        }

        /// The next event; nil when the calling task is cancelled.
        /// - Throws: ``TrackerError`` that does not pass by itself.
        public mutating func next() async throws -> TrackerEvent? {
            while waiting.isEmpty {
                guard !Task.isCancelled, try await readUnlessAway() else { return nil }
                if waiting.isEmpty { try? await ContinuousClock().sleep(for: source.pollInterval) }
            }
            return waiting.popFirst()
        }

        /// Reads; passes over a server that is away. Answers whether to go on: not when the calling task was cancelled.
        private mutating func readUnlessAway() async throws(TrackerError) -> Bool {
            do {
                try await read()
            } catch {
                guard error.code != .cancelled else { return false }
                guard error.isRetriable else { throw error }
                source.tracker.logger.debug("cannot read events, trying again", metadata: ["error": "\(error)"])
            }
            return true
        }

        private mutating func read() async throws(TrackerError) {
            let page = try await source.tracker.perform(Stream(start: start, limit: Limits.batch))
            waiting = page.events[...]
            if page.isLost, case .after(let position) = start {
                let lost = TrackerEvent(position: position, name: .historyLost, time: page.now, detail: "")
                waiting = [lost] + waiting
            }
            if let position = page.position {
                // After a loss nothing stands at the old position: begin with the oldest.
                start = page.isLost && page.events.isEmpty ? .oldest : .after(position)
            } else {
                start = .oldest
            }
        }
    }
}
