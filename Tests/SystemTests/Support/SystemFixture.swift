import Belay
import BelayTestKit
import Logging
import RedisWire
import Testing

extension Logger {
    /// A logger that says nothing.
    static var silent: Logger {
        var logger = Logger(label: "silent") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return logger
    }
}

/// A tracker in a namespace of its own on a private server, and a client to look at the server with.
func withTracker(
    options: PrivateRedisServer.Options = PrivateRedisServer.Options(),
    _ body: @Sendable (Tracker, RedisClient) async throws -> Void
) async throws {
    try await withPrivateRedisServer(options) { server in
        let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
        let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
        try await body(tracker, client)
        await tracker.close()
        await client.close()
    }
}

/// Runs a worker beside `body`, and ends it afterwards.
func withWorker(
    _ tracker: Tracker,
    configuration: Worker.Configuration = Worker.Configuration(),
    handlers: [Handler],
    _ body: @Sendable () async throws -> Void
) async throws {
    let worker = try Worker(tracker, configuration: configuration, handlers: handlers)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await worker.run() }
        try await body()
        group.cancelAll()
        do { try await group.waitForAll() } catch is CancellationError {}
    }
}

/// Waits until a condition holds; fails the test when it does not within the time.
func eventually(
    within limit: Duration = .seconds(10),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("did not come true within \(limit)", sourceLocation: sourceLocation)
}

extension RedisClient {
    /// Ids that events of a name tell of, in the order of the stream.
    func events(named name: String, of tracker: Tracker) async throws -> [String] {
        var ids: [String] = []
        for entry in try await send(RedisCommand("XRANGE", "{\(tracker.namespace):0}:events", "-", "+")).elements ?? []
        {
            let fields = (entry.elements?[1].elements ?? []).map { $0.string ?? "" }
            let pairs = Dictionary(
                uniqueKeysWithValues: stride(from: 0, to: fields.count, by: 2).map { (fields[$0], fields[$0 + 1]) }
            )
            if pairs["e"] == name { ids += (pairs["i"] ?? "").split(separator: "\n").map(String.init) }
        }
        return ids
    }

    /// How many EVALSHA calls the server has seen.
    func scriptCalls() async throws -> Int {
        let info = try await send(RedisCommand("INFO", "commandstats")).string ?? ""
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_evalsha:calls=") {
            return Int(line.dropFirst("cmdstat_evalsha:calls=".count).prefix { $0 != "," }) ?? 0
        }
        return 0
    }
}
