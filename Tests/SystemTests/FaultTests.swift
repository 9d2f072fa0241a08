import Belay
import BelayTestKit
import RedisWire
import Synchronization
import Testing

/// The server is hurt while workers work: nothing may be lost, nothing done twice.
@Suite("Faults of the server", .timeLimit(.minutes(3)))
struct FaultTests {
    /// Two workers run `count` tasks while `hurt` does its worst; every task must succeed, and only one completion of each
    /// may have been accepted.
    private func load(
        count: Int,
        server: PrivateRedisServer,
        hurt: @Sendable (RedisClient) async throws -> Void
    ) async throws {
        let tracker = try Tracker(url: server.url, namespace: "load", logger: .silent)
        let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
        let kind: KindName = "load"
        try await tracker.define(
            kind,
            policy: KindPolicy(lease: .seconds(2), attempts: 20, retry: .fixed(.milliseconds(10)))
        )
        let runs = Mutex<[TaskID: Int]>([:])
        var configuration = Worker.Configuration()
        configuration.slots = 16
        let workers = try (0..<2).map { _ in
            try Worker(
                tracker,
                configuration: configuration,
                handlers: [
                    Handler(kind) { context in
                        runs.withLock { $0[context.claim.id, default: 0] += 1 }
                        try await Task.sleep(for: .milliseconds(2))
                        return Body(text: context.claim.id.description)
                    }
                ]
            )
        }
        let reaper = try Reaper(tracker)
        var ids: [TaskID] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { try await worker.run() } }
            group.addTask { try await reaper.run() }
            for start in stride(from: 0, to: count, by: 50) {
                ids += try await tracker.enqueue((start..<min(start + 50, count)).map { _ in NewTask(kind) }).map(\.id)
                try await hurt(client)
            }
            try await eventually(within: .seconds(60)) { try await tracker.stats().kinds[0].succeeded == count }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        let counts = try await tracker.stats().kinds[0]
        #expect(counts.total == count, "lost or doubled records")
        #expect(counts.succeeded == count)
        // Each task is in the stream of ends exactly once: no second completion was accepted.
        let ended = try await client.events(named: "succeeded", of: tracker)
        #expect(ended.count == count && Set(ended).count == count, "doubled completions")
        #expect(Set(ended) == Set(ids.map(\.description)))
        for record in try await tracker.get(Array(ids.prefix(500))) {
            #expect(record?.result?.text == record?.id.description)
        }
        await tracker.close()
        await client.close()
    }

    @Test("SCRIPT FLUSH under load: 0 of 2,000 lost, 0 doubled, no error seen")
    func scriptFlush() async throws {
        try await withPrivateRedisServer { server in
            try await load(count: 2_000, server: server) { client in
                _ = try await client.send(RedisCommand("SCRIPT", "FLUSH"))
            }
        }
    }

    @Test("Connections killed under load: 0 of 2,000 lost, 0 doubled")
    func connectionsKilled() async throws {
        try await withPrivateRedisServer { server in
            try await load(count: 2_000, server: server) { client in
                _ = try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                _ = try? await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "pubsub"))
            }
        }
    }

    @Test("redis-server killed and restarted with its AOF under load: 0 of 1,000 lost, 0 doubled")
    func restarted() async throws {
        // With everysec a server that waits for its disk answers before it has written, and may lose two seconds when killed.
        var options = PrivateRedisServer.Options()
        options.appendOnly = .always
        try await withPrivateRedisServer(options) { server in
            let kills = Mutex(0)
            try await load(count: 1_000, server: server) { _ in
                let nth = kills.withLock { kills in
                    kills += 1
                    return kills
                }
                guard nth.isMultiple(of: 5) else { return }
                server.kill9()
                try await server.restart()
            }
            #expect(kills.withLock { $0 } == 20)
        }
    }
}
