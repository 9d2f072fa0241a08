import RedisWire
import Testing

@Suite("A subscription", .serialized)
struct SubscriptionTests {
    private func message(_ event: RedisSubscription.Event?) -> String? {
        guard case .message(let channel, let payload) = event else { return nil }
        return channel + ":" + String(decoding: payload, as: UTF8.self)
    }

    @Test("hears the messages of all its channels, in order")
    func messages() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                var events = client.subscribe(to: ["a", "b"], routedBy: "a").makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                for number in 0..<100 {
                    let channel = number.isMultiple(of: 2) ? "a" : "b"
                    _ = try await client.send(RedisCommand("PUBLISH", channel, "\(number)"))
                }
                for number in 0..<100 {
                    #expect(message(await events.next()) == "\(number.isMultiple(of: 2) ? "a" : "b"):\(number)")
                }
            }
        }
    }

    @Test("tells of each reconnect after the server has died")
    func reconnect() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                var events = client.subscribe(to: ["c"], routedBy: "c").makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                for round in 0..<3 {
                    server.kill()
                    try await server.start()
                    #expect(await events.next() == .subscribed)
                    _ = try await client.evaluate(
                        RedisScript(name: "publish", source: "return redis.call('PUBLISH', 'c', ARGV[1])"),
                        routedBy: "c",
                        keyCount: 0,
                        arguments: RedisArguments("\(round)")
                    )
                    #expect(message(await events.next()) == "c:\(round)")
                }
            }
        }
    }

    @Test("notices a server that no longer answers")
    func stuckServer() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.pingInterval = .milliseconds(200)
                $0.commandTimeout = .milliseconds(200)
                $0.connectTimeout = .milliseconds(200)
            } _: { client in
                var events = client.subscribe(to: ["c"], routedBy: "c").makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                server.freeze()
                try await Task.sleep(for: .milliseconds(800))
                server.thaw()
                #expect(await events.next() == .subscribed)
            }
        }
    }

    @Test("stays open in silence")
    func silence() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.pingInterval = .milliseconds(40)
            } _: { client in
                var events = client.subscribe(to: ["c"], routedBy: "c").makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                try await Task.sleep(for: .milliseconds(500))
                _ = try await client.send(RedisCommand("PUBLISH", "c", "x"))
                #expect(message(await events.next()) == "c:x")
            }
        }
    }

    @Test("ends when its task is cancelled")
    func cancellation() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                let heard = Locked(0)
                let task = Task {
                    for await _ in client.subscribe(to: ["c"], routedBy: "c") { heard.change { $0 += 1 } }
                }
                try await eventually { heard.value == 1 }
                task.cancel()
                await task.value
                try await eventually {
                    try await client.send(RedisCommand("PUBSUB", "CHANNELS")).elements?.count == 0
                }
            }
        }
    }

    @Test("ends its connection when the reader leaves the loop")
    func leaving() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                for await event in client.subscribe(to: ["c"], routedBy: "c") where event == .subscribed { break }
                try await eventually {
                    try await client.send(RedisCommand("PUBSUB", "CHANNELS")).elements?.count == 0
                }
            }
        }
    }

    @Test("ends when the client closes")
    func clientCloses() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: server.configuration())
            var events = client.subscribe(to: ["c"], routedBy: "c").makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            await client.close()
            #expect(await events.next() == nil)
        }
    }

    @Test("loses nothing when the reader is slower than the sender")
    func slowReader() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                var events = client.subscribe(to: ["c"], routedBy: "c").makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                let payload = String(repeating: "x", count: 1000)
                let script = RedisScript(
                    name: "flood",
                    source: "for i = 1, 5000 do redis.call('PUBLISH', 'c', i .. ARGV[1]) end return 1"
                )
                _ = try await client.evaluate(script, routedBy: "c", keyCount: 0, arguments: RedisArguments(payload))
                try await Task.sleep(for: .milliseconds(300))
                for number in 1...5000 {
                    #expect(message(await events.next()) == "c:\(number)\(payload)")
                }
            }
        }
    }
}
