public import Belay
import Logging
import RedisWire

/// Runs `body` with an in-memory tracker and the clock that moves its time, and closes the tracker after it.
///
/// ```swift
/// try await withInMemoryTracker { tracker, clock in
///     try await tracker.enqueue(thumbnails, Thumbnail(image: "a.png", width: 320))
///     clock.advance(by: .seconds(60))
/// }
/// ```
/// - Parameters:
///   - namespace: What ``Belay/Tracker/namespace`` says.
///   - clock: The time; a clock of its own unless said otherwise.
///   - partitions: How many partitions it has, 1 to 256.
///   - body: The test.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func withInMemoryTracker<Value>(
    namespace: String = "test",
    clock: ManualClock = ManualClock(),
    partitions: Int = 1,
    _ body: (Tracker, ManualClock) async throws -> Value
) async throws -> Value {
    let tracker = Tracker.inMemory(namespace: namespace, clock: clock, partitions: partitions)
    return try await closing(tracker) { tracker in try await body(tracker, clock) }
}

/// Runs `body` with a tracker on a private Redis, in a namespace of its own, and closes the tracker after it.
///
/// Without `server`, all trackers of the process share one private server; a test that stops, kills or pauses its server
/// brings its own, by `withPrivateRedisServer`.
/// - Parameters:
///   - server: The server; nil for the one that the process shares.
///   - clock: The time, which then stands still until it is moved; nil for the server's own clock.
///   - partitions: How many partitions it has, 1 to 256.
///   - body: The test.
/// - Returns: What `body` returns.
/// - Throws: ``PrivateRedisServerError`` when `redis-server` cannot be started, and what `body` throws.
public func withRedisTracker<Value>(
    on server: PrivateRedisServer? = nil,
    clock: ManualClock? = nil,
    partitions: Int = 1,
    _ body: (Tracker) async throws -> Value
) async throws -> Value {
    let running: PrivateRedisServer
    if let server { running = server } else { running = try await .shared() }
    let nonce = String(UInt64.random(in: .min ... .max), radix: 36)
    var configuration = Tracker.Configuration(
        redis: try RedisConfiguration(url: running.url),
        namespace: "test-\(nonce)"
    )
    configuration.manualClock = clock
    configuration.partitions = partitions
    var logger = Logger(label: "belay.test")
    logger.logLevel = .error
    return try await closing(Tracker(configuration: configuration, logger: logger), body)
}

/// Runs `body` with a tracker and closes it, whether `body` returns or throws.
private func closing<Value>(_ tracker: Tracker, _ body: (Tracker) async throws -> Value) async throws -> Value {
    let value: Value
    do {
        value = try await body(tracker)
    } catch {
        await tracker.close()
        throw error
    }
    await tracker.close()
    return value
}
