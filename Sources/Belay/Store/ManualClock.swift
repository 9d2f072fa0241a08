import Synchronization

/// A clock that stands still until a test moves it. A tracker that was created with one takes no other time.
///
/// Only for tests: it is passed to the scripts as their last argument, and a tracker of the server's clock refuses it.
public final class ManualClock: Sendable {
    private let microseconds: Mutex<Int>

    /// A clock that shows a moment, 2026-01-01T00:00:00Z unless said otherwise.
    public init(_ start: Timestamp = Timestamp(microseconds: 1_767_225_600_000_000)) {
        microseconds = Mutex(start.microseconds)
    }

    /// What the clock shows.
    public var now: Timestamp { Timestamp(microseconds: microseconds.withLock { $0 }) }

    /// Moves the clock forwards (or backwards, to test that).
    public func advance(by duration: Duration) { microseconds.withLock { $0 += duration.microseconds } }

    /// Sets the clock.
    public func set(_ moment: Timestamp) { microseconds.withLock { $0 = moment.microseconds } }
}
