import Foundation
import RedisWire
import Testing

@Suite("Evaluating a script", .serialized)
struct EvaluateTests {
    private let increment = RedisScript(name: "increment", source: "return redis.call('INCRBY', KEYS[1], ARGV[1])")

    private func run(
        _ client: RedisClient,
        by amount: Int = 1,
        retryingUnknown: Bool = true
    ) async throws(RedisError) -> Int? {
        var arguments = RedisArguments()
        arguments.append("counter")
        arguments.append(amount)
        return try await client.evaluate(
            increment,
            routedBy: "counter",
            keyCount: 1,
            arguments: arguments,
            retryingUnknown: retryingUnknown
        ).int
    }

    @Test("sends its source when the server does not know it, in the same call")
    func noScript() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                #expect(try await run(client) == 1)
                #expect(try await run(client) == 2)
                _ = try await client.send(RedisCommand("SCRIPT", "FLUSH"))
                #expect(try await run(client) == 3)
                let statistics = try await client.send(RedisCommand("INFO", "commandstats")).string ?? ""
                #expect(statistics.contains("cmdstat_eval:calls=2,"))
            }
        }
    }

    @Test("survives the death and the return of the server")
    func restart() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                _ = try await run(client)
                server.kill()
                async let result = run(client, by: 10)
                try await Task.sleep(for: .milliseconds(300))
                try await server.start()
                #expect(try await result == 10)
            }
        }
    }

    @Test("gives up in the end, with the reason")
    func givesUp() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .milliseconds(500)
                $0.evaluateTimeout = .milliseconds(1500)
            } _: { client in
                _ = try await run(client)
                server.kill()
                let start = ContinuousClock.now
                let error = try await failure { try await run(client) }
                let elapsed = ContinuousClock.now - start
                #expect(elapsed > .milliseconds(300) && elapsed < .seconds(3))
                #expect(error.code == .connectionFailed)
                #expect(error.isRetriable)
            }
        }
    }

    @Test("is repeated after an unknown outcome unless the caller forbids it")
    func unknownOutcome() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .milliseconds(500)
            } _: { client in
                _ = try await run(client)
                server.freeze()
                let error = try await failure { try await run(client, retryingUnknown: false) }
                #expect(error.outcome == .unknown)
                async let result = run(client)
                try await Task.sleep(for: .milliseconds(700))
                server.thaw()
                #expect(try await (result ?? 0) >= 2)
            }
        }
    }

    @Test("remembers that an earlier try may have run")
    func worstOutcome() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .milliseconds(500)
                $0.evaluateTimeout = .milliseconds(1500)
            } _: { client in
                _ = try await run(client)
                server.freeze()
                // The first try leaves and gets no reply; the next ones find no connection.
                let error = try await failure { try await run(client) }
                #expect(error.outcome == .unknown)
                server.thaw()
            }
        }
    }

    @Test("waits for a replica to become the master again, on a new connection")
    func readOnly() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                _ = try await run(client)
                let id = try await client.send(RedisCommand("CLIENT", "ID")).int
                try await server.withClient { admin in
                    _ = try await admin.send(RedisCommand("REPLICAOF", "127.0.0.1", "1"))
                    let refused = try await failure { try await client.send(RedisCommand("SET", "k", "v")) }
                    #expect(refused.serverError?.prefix == "READONLY")
                    #expect(refused.isRetriable && refused.outcome == .refused)
                    async let result = run(client)
                    try await Task.sleep(for: .milliseconds(300))
                    _ = try await admin.send(RedisCommand("REPLICAOF", "NO", "ONE"))
                    #expect(try await result == 2)
                }
                #expect(try await client.send(RedisCommand("CLIENT", "ID")).int != id)
            }
        }
    }

    @Test("waits while the server loads its data")
    func loading() async throws {
        let server = FakeServer {
            $0 < 3 ? "-LOADING Redis is loading the dataset in memory\r\n" : "+PONG\r\n"
        } answer: { _, _ in
            Array(":7\r\n".utf8)
        }
        defer { server.stop() }
        let client = RedisClient(configuration: RedisConfiguration(port: server.port))
        #expect(try await run(client) == 7)
        #expect(server.connections == 3)
        await client.close()
    }

    @Test("is repeated while the server refuses it for now")
    func refusedForNow() async throws {
        let refusals = ["LOADING a", "MASTERDOWN b", "BUSY c", "TRYAGAIN d", "CLUSTERDOWN e", "NOREPLICAS f"]
        let calls = Locked(0)
        let server = FakeServer { _, _ in
            calls.change { $0 += 1 }
            let call = calls.value
            return Array((call <= refusals.count ? "-\(refusals[call - 1])\r\n" : ":7\r\n").utf8)
        }
        defer { server.stop() }
        let client = RedisClient(configuration: RedisConfiguration(port: server.port))
        #expect(try await run(client, retryingUnknown: false) == 7)
        #expect(calls.value == refusals.count + 1)
        #expect(server.connections == 1)
        await client.close()
    }

    @Test("is not repeated after errors that time does not heal")
    func finalErrors() async throws {
        try await PrivateServer.with(["--maxmemory-policy", "noeviction"]) { server in
            try await server.withClient { client in
                _ = try await client.send(RedisCommand("LPUSH", "counter", "x"))
                let wrongType = try await failure { try await run(client) }
                #expect(wrongType.serverError?.reason == "WRONGTYPE")
                _ = try await client.send(RedisCommand("DEL", "counter"))
                let broken = RedisScript(name: "broken", source: "return nothing.at.all")
                let scriptError = try await failure {
                    try await client.evaluate(broken, routedBy: "k", keyCount: 0, arguments: .init())
                }
                #expect(scriptError.code == .server)
                #expect(!scriptError.isRetriable)
                _ = try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
                let start = ContinuousClock.now
                let full = try await failure { try await run(client) }
                #expect(full.serverError?.reason == "OOM")
                #expect(full.outcome == .refused)
                #expect(ContinuousClock.now - start < .seconds(2))
            }
        }
    }

    @Test("stops between two tries when its task is cancelled")
    func cancelled() async throws {
        let client = RedisClient(configuration: try RedisConfiguration(url: "unix:///nowhere/redis.sock"))
        let task = Task { try await run(client) }
        try await Task.sleep(for: .milliseconds(200))
        task.cancel()
        let error = try await failure { try await task.value }
        #expect(error.code == .cancelled)
        #expect(error.outcome == .notSent)
        await client.close()
    }

    @Test("counts each of many concurrent calls once while the server lives")
    func concurrent() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<200 {
                        group.addTask { for _ in 0..<10 { _ = try await run(client) } }
                    }
                    try await group.waitForAll()
                }
                #expect(try await client.send(RedisCommand("GET", "counter")).int == 2000)
            }
        }
    }
}
