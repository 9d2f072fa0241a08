import RedisWire
import Testing

@Suite("A server that sends nonsense", .serialized)
struct HostileServerTests {
    private func failureOf(
        _ answer: String,
        _ change: (inout RedisConfiguration) -> Void = { _ in }
    ) async throws -> RedisError {
        let server = FakeServer { _, _ in Array(answer.utf8) }
        defer { server.stop() }
        var configuration = RedisConfiguration(port: server.port)
        change(&configuration)
        let client = RedisClient(configuration: configuration)
        let error = try await failure { try await client.send(RedisCommand("GET", "k")) }
        #expect(error.outcome == .unknown)
        #expect(error.endpoint == "127.0.0.1:\(server.port)")
        await client.close()
        return error
    }

    @Test(
        "loses its connection",
        arguments: ["HTTP/1.1 200 OK\r\n\r\n", "?", ":x\r\n", "*1\r\n#t\r\n", "$-7\r\n", "\u{0}\u{0}\u{0}"]
    )
    func garbage(_ answer: String) async throws {
        #expect(try await failureOf(answer).code == .protocolViolation)
    }

    @Test("cannot make the client allocate what it declares")
    func huge() async throws {
        for answer in ["$500000000000\r\n", "*2000000000\r\n", "*1\r\n$100000000\r\n"] {
            #expect(try await failureOf(answer).code == .tooLarge)
        }
        let deep = String(repeating: "*1\r\n", count: 100)
        #expect([.tooLarge, .protocolViolation].contains(try await failureOf(deep).code))
        let endless = String(repeating: "$10\r\n0123456789\r\n", count: 20)
        #expect(try await failureOf("*20\r\n" + endless) { $0.maxReplyBytes = 300 }.code == .tooLarge)
    }

    @Test("cannot hand the client a reply that nobody asked for")
    func unasked() async throws {
        let server = FakeServer { request, _ in
            let text = String(decoding: request, as: UTF8.self)
            return Array((text.contains("first") ? "+first\r\n+extra\r\n" : "+own\r\n").utf8)
        }
        defer { server.stop() }
        let client = RedisClient(configuration: RedisConfiguration(port: server.port))
        #expect(try await client.send(RedisCommand("GET", "first")).string == "first")
        try await eventually { (try? await client.send(RedisCommand("GET", "second")))?.string == "own" }
        #expect(server.connections >= 2)
        await client.close()
    }

    @Test("does not end a caller that retries: the next connection serves it")
    func recovers() async throws {
        let server = FakeServer { _, connection in connection == 1 ? nil : Array(":5\r\n".utf8) }
        defer { server.stop() }
        let client = RedisClient(configuration: RedisConfiguration(port: server.port))
        let script = RedisScript(name: "s", source: "return 5")
        let reply = try await client.evaluate(script, routedBy: "k", keyCount: 0, arguments: .init())
        #expect(reply.int == 5)
        await client.close()
    }

    @Test("that closes every connection is not asked in a tight loop")
    func closesAlways() async throws {
        let server = FakeServer { _, _ in nil }
        defer { server.stop() }
        var configuration = RedisConfiguration(port: server.port)
        configuration.evaluateTimeout = .seconds(1)
        let client = RedisClient(configuration: configuration)
        let script = RedisScript(name: "s", source: "return 5")
        let error = try await failure {
            try await client.evaluate(script, routedBy: "k", keyCount: 0, arguments: .init())
        }
        #expect(error.code == .connectionClosed)
        #expect(server.connections < 60)
        await client.close()
    }

    @Test("that answers with random bytes never crashes the client", arguments: 1...30)
    func noise(seed: UInt64) async throws {
        let server = FakeServer { _, connection in
            var random = SeededGenerator(seed: seed &* 1000 &+ UInt64(connection))
            let alphabet = Array("*$+-:\r\n0123456789 %#_(,".utf8)
            return (0..<200).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        }
        defer { server.stop() }
        var configuration = RedisConfiguration(port: server.port)
        configuration.commandTimeout = .milliseconds(100)
        let client = RedisClient(configuration: configuration)
        for _ in 0..<5 { _ = try? await client.send(RedisCommand("GET", "k")) }
        await client.close()
    }
}
