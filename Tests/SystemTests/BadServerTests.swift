import Belay
import BelayTestKit
import Logging
import RedisWire
import Testing

/// Servers that cannot be used: each says what is wrong and what to do.
@Suite("Unusable servers", .timeLimit(.minutes(1)))
struct BadServerTests {
    private func failure(url: String) async throws -> TrackerError {
        var redis = try RedisConfiguration(url: url)
        redis.connectTimeout = .milliseconds(300)
        redis.commandTimeout = .milliseconds(500)
        redis.evaluateTimeout = .milliseconds(800)
        let tracker = try Tracker(configuration: .init(redis: redis), logger: .silent)
        let error = await #expect(throws: TrackerError.self) { try await tracker.stats() }
        await tracker.close()
        return try #require(error)
    }

    @Test("An unreachable server is unavailable, worth trying again, and nothing happened")
    func unreachable() async throws {
        let error = try await failure(url: "unix:///nonexistent/redis.sock")
        #expect(error.code == .unavailable)
        #expect(error.isRetriable)
        #expect(error.outcome == .nothing)
        #expect(error.message.contains("/nonexistent/redis.sock"))
    }

    @Test("A wrong password is unauthorised, names no password, and is not worth trying again")
    func wrongPassword() async throws {
        try await withPrivateRedisServer(.init(password: "right")) { server in
            let path = try #require(server.socketPath)
            let error = try await failure(url: "unix://:wrong-secret@\(path)")
            #expect(error.code == .unauthorised)
            #expect(!error.isRetriable)
            #expect(!error.description.contains("wrong-secret"))
        }
    }

    @Test("A server that evicts keys is refused with the setting to change")
    func evicting() async throws {
        try await withPrivateRedisServer(.init(arguments: ["--maxmemory-policy", "allkeys-lru"])) { server in
            let error = try await failure(url: server.url)
            #expect(error.code == .unsuitableServer)
            #expect(error.message.contains("allkeys-lru") && error.message.contains("noeviction"))
        }
    }

    @Test("A user without rights is unauthorised, and nothing was written")
    func noRights() async throws {
        try await withTracker { tracker, client in
            try await tracker.define("kind")
            let before = try await client.send(RedisCommand("DBSIZE")).int
            _ = try await client.send(
                RedisCommand("ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@all", "-zadd")
            )
            let path = try #require(
                try await client.send(RedisCommand("CONFIG", "GET", "unixsocket")).elements?[1].string
            )
            let weak = try Tracker(url: "unix://weak:pw@\(path)", namespace: "system", logger: .silent)
            await #expect(throws: TrackerError.self) { try await weak.enqueue([NewTask("kind")]) }
            await weak.close()
            #expect(try await client.send(RedisCommand("DBSIZE")).int == before)
        }
    }
}
