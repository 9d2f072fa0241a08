public import Belay
import Logging

/// A clock that runs on by itself from a fixed moment, as fast as time does.
///
/// For tests of whole workers, whose leases must really run out. Tests of single verbs are better off with a
/// `ManualClock`: nothing in them waits.
public struct RunningClock: Sendable {
    private let start: Timestamp
    private let began = ContinuousClock.now

    /// A clock that starts now at a moment, 2026-01-01T00:00:00Z unless said otherwise.
    public init(from start: Timestamp = Timestamp(microseconds: 1_767_225_600_000_000)) { self.start = start }

    /// A clock that starts now at 2026-01-01T00:00:00Z.
    public static var running: RunningClock { RunningClock() }

    /// What the clock shows.
    public var now: Timestamp { start + began.duration(to: .now) }
}

extension Tracker {
    /// A tracker in this process' memory: no Redis, no files, and time moves only when the test says so.
    ///
    /// It answers every verb exactly as a tracker on Redis does; one suite of tests runs against both, and random traces
    /// are compared answer by answer. What it holds is gone with it.
    ///
    /// ```swift
    /// let clock = ManualClock()
    /// let tracker = Tracker.inMemory(clock: clock)
    /// try await tracker.enqueue(thumbnails, Thumbnail(image: "a.png", width: 320), options: .init(delay: .seconds(60)))
    /// #expect(try await tracker.claim([thumbnails.name]).isEmpty)
    /// clock.advance(by: .seconds(60))
    /// #expect(try await tracker.claim([thumbnails.name]).count == 1)
    /// ```
    /// - Parameters:
    ///   - namespace: What ``Belay/Tracker/namespace`` says; two in-memory trackers never share anything.
    ///   - clock: The time.
    ///   - payloadLimit: The largest payload or result, bytes.
    ///   - partitions: How many partitions it has, 1 to 256.
    public static func inMemory(
        namespace: String = "test",
        clock: ManualClock = ManualClock(),
        payloadLimit: Int = Limits.defaultPayloadBytes,
        partitions: Int = 1
    ) -> Tracker {
        inMemory(namespace, payloadLimit, partitions) { clock.now }
    }

    /// A tracker in this process' memory whose time runs on by itself, for tests of whole workers.
    ///
    /// ```swift
    /// let tracker = Tracker.inMemory(clock: .running)
    /// ```
    /// - Parameters:
    ///   - namespace: What ``Belay/Tracker/namespace`` says; two in-memory trackers never share anything.
    ///   - clock: The time.
    ///   - payloadLimit: The largest payload or result, bytes.
    ///   - partitions: How many partitions it has, 1 to 256.
    public static func inMemory(
        namespace: String = "test",
        clock: RunningClock,
        payloadLimit: Int = Limits.defaultPayloadBytes,
        partitions: Int = 1
    ) -> Tracker {
        inMemory(namespace, payloadLimit, partitions) { clock.now }
    }

    private static func inMemory(
        _ namespace: String,
        _ payloadLimit: Int,
        _ partitions: Int,
        time: @escaping @Sendable () -> Timestamp
    ) -> Tracker {
        precondition(Limits.partitions.contains(partitions), "a tracker has 1 to 256 partitions")
        let parts = (0..<partitions).map { _ in
            InMemoryBackend(InMemoryState(payloadLimit: payloadLimit), time: time)
        }
        let backend: any TrackerBackend = partitions == 1 ? parts[0] : PartitionedBackend(parts)
        return Tracker(backend: backend, namespace: namespace, logger: Logger(label: "belay.test"))
    }
}
