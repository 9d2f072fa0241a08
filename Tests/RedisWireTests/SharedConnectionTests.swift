import RedisWire
import Testing

@Suite("The shared connection", .serialized)
struct SharedConnectionTests {
    @Test("gives each of a thousand concurrent tasks its own reply")
    func pipelining() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<1000 {
                        group.addTask {
                            for call in 0..<20 {
                                let reply = try await client.send(RedisCommand("ECHO", "\(task)-\(call)"))
                                #expect(reply.string == "\(task)-\(call)")
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let clients = try await client.send(RedisCommand("CLIENT", "LIST")).string ?? ""
                #expect(clients.split(separator: "\n").count == 1)
            }
        }
    }

    @Test("carries every type of reply")
    func replyTypes() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                #expect(try await client.send(RedisCommand("GET", "none")) == .null)
                #expect(try await client.send(RedisCommand("INCRBY", "n", "41")) == .integer(41))
                #expect(try await client.send(RedisCommand("GET", "n")).int == 41)
                #expect(try await client.send(RedisCommand("LRANGE", "none", "0", "-1")) == .array([]))
                var arguments = RedisArguments()
                arguments.append("binary")
                arguments.append(bytes: Array(0...255))
                _ = try await client.send(RedisCommand("SET", arguments))
                #expect(try await client.send(RedisCommand("GET", "binary")).rawBytes == Array(0...255))
                let nested = "return {1, {'a', false, {}}, redis.status_reply('ok'), redis.error_reply('MINE inner')}"
                let reply = try await client.send(RedisCommand("EVAL", nested, "0"))
                #expect(
                    reply
                        == .array([
                            .integer(1), .array([.bytes([97]), .null, .array([])]), .bytes(Array("ok".utf8)),
                            .error(RedisServerError(message: "MINE inner")),
                        ])
                )
            }
        }
    }

    @Test("throws an error reply and goes on")
    func errorReplies() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                _ = try await client.send(RedisCommand("SET", "k", "v"))
                let error = try await failure { try await client.send(RedisCommand("LPUSH", "k", "v")) }
                #expect(error.code == .server)
                #expect(error.serverError?.prefix == "WRONGTYPE")
                #expect(error.outcome == .refused)
                #expect(error.message.hasPrefix("LPUSH: WRONGTYPE"))
                #expect(try await client.send(RedisCommand("GET", "k")).string == "v")
            }
        }
    }

    @Test("lets callers wait, not fail, when its bounds are tiny")
    func backPressure() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.maxBytesInFlight = 200
                $0.maxWaiting = 3
                $0.commandTimeout = .seconds(30)
            } _: { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<500 {
                        group.addTask {
                            let text = "\(task)-" + String(repeating: "x", count: task)
                            let reply = try await client.send(RedisCommand("ECHO", text))
                            #expect(reply.string == text)
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("times out when the server is stuck, and works again when it is not")
    func stuckServer() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .milliseconds(300)
            } _: { client in
                _ = try await client.send(RedisCommand("PING"))
                server.freeze()
                let start = ContinuousClock.now
                let error = try await failure { try await client.send(RedisCommand("ECHO", "late")) }
                #expect(error.code == .timedOut)
                #expect(error.outcome == .unknown)
                #expect(ContinuousClock.now - start < .seconds(2))
                try await eventually { !client.isConnected }
                let second = try await failure { try await client.send(RedisCommand("ECHO", "later")) }
                #expect(second.isRetriable)
                #expect(second.outcome == .notSent)
                server.thaw()
                try await eventually { (try? await client.send(RedisCommand("ECHO", "mine")))?.string == "mine" }
            }
        }
    }

    @Test("never gives a late reply to another caller")
    func pausedServer() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .milliseconds(150)
            } _: { client in
                for round in 0..<5 {
                    _ = try? await client.send(RedisCommand("CLIENT", "PAUSE", "200", "ALL"))
                    for call in 0..<4 {
                        let text = "\(round)-\(call)"
                        let reply = try? await client.send(RedisCommand("ECHO", text))
                        if let reply { #expect(reply.string == text) }
                    }
                }
            }
        }
    }

    @Test("never mixes up replies when calls are cancelled at random moments")
    func cancellation() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.maxWaiting = 64
            } _: { client in
                let counts = Locked((answered: 0, cancelled: 0))
                await withTaskGroup(of: Void.self) { group in
                    for worker in 0..<100 {
                        group.addTask {
                            for call in 0..<100 {
                                let text = "\(worker)-\(call)"
                                let task = Task { try await client.send(RedisCommand("ECHO", text)) }
                                if call.isMultiple(of: 3) {
                                    for _ in 0..<Int.random(in: 0...20) { await Task.yield() }
                                    task.cancel()
                                }
                                switch await task.result {
                                case .success(let reply):
                                    #expect(reply.string == text)
                                    counts.change { $0.answered += 1 }
                                case .failure(let error):
                                    #expect((error as? RedisError)?.code == .cancelled)
                                    counts.change { $0.cancelled += 1 }
                                }
                            }
                        }
                    }
                }
                let (answered, cancelled) = counts.value
                #expect(answered + cancelled == 10_000)
                #expect(cancelled > 100, "the test must hit something")
                #expect(client.isConnected)
            }
        }
    }

    @Test("returns at once to a task that is cancelled while the server is stuck")
    func cancelledWhileStuck() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .seconds(20)
            } _: { client in
                _ = try await client.send(RedisCommand("PING"))
                server.freeze()
                let task = Task { try await client.send(RedisCommand("ECHO", "lost")) }
                try await Task.sleep(for: .milliseconds(300))
                let start = ContinuousClock.now
                task.cancel()
                let error = try await failure { try await task.value }
                #expect(error.code == .cancelled)
                #expect(error.outcome == .unknown)
                #expect(ContinuousClock.now - start < .seconds(1))
                server.thaw()
                #expect(try await client.send(RedisCommand("ECHO", "mine")).string == "mine")
            }
        }
    }

    @Test("is closed when idle and opened again")
    func idle() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.idleTimeout = .milliseconds(100)
            } _: { client in
                _ = try await client.send(RedisCommand("PING"))
                try await eventually { !client.isConnected }
                #expect(try await client.send(RedisCommand("PING")).string == "PONG")
            }
        }
    }

    @Test("survives the death and the return of the server")
    func restart() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.commandTimeout = .seconds(5)
            } _: { client in
                _ = try await client.send(RedisCommand("PING"))
                let stop = Locked(false)
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for worker in 0..<20 {
                        group.addTask {
                            var failures = 0
                            var call = 0
                            while !stop.value {
                                call += 1
                                do throws(RedisError) {
                                    let reply = try await client.send(RedisCommand("ECHO", "\(worker)-\(call)"))
                                    #expect(reply.string == "\(worker)-\(call)")
                                } catch {
                                    #expect(error.isUnderstood, "\(error)")
                                    failures += 1
                                }
                            }
                            return failures
                        }
                    }
                    try await Task.sleep(for: .milliseconds(200))
                    server.kill()
                    try await Task.sleep(for: .milliseconds(300))
                    try await server.start()
                    try await eventually { (try? await client.send(RedisCommand("PING"))) != nil }
                    stop.change { $0 = true }
                    // One call of each worker was in flight when the server died; all others waited for its return.
                    for try await failures in group { #expect(failures <= 2) }
                }
            }
        }
    }

    @Test("fails what was in flight as unknown when the server drops the connection")
    func dropped() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                _ = try await client.send(RedisCommand("PING"))
                server.freeze()
                let task = Task { try await client.send(RedisCommand("ECHO", "x")) }
                try await Task.sleep(for: .milliseconds(300))
                server.kill()
                let error = try await failure { try await task.value }
                #expect(error.code == .connectionClosed)
                #expect(error.outcome == .unknown)
                #expect(error.isRetriable)
            }
        }
    }

    @Test("is given up when a full server refuses it, and made when there is room")
    func maxClients() async throws {
        try await PrivateServer.with(["--maxclients", "1"]) { server in
            let first = RedisClient(configuration: server.configuration())
            try await eventually { (try? await first.send(RedisCommand("PING"))) != nil }
            try await server.withClient {
                $0.commandTimeout = .milliseconds(500)
            } _: { second in
                let error = try await failure { try await second.send(RedisCommand("PING")) }
                #expect(error.code == .connectionFailed)
                #expect(error.isRetriable)
                #expect(error.serverError?.reason == "MAXCLIENTS")
                await first.close()
                try await eventually { (try? await second.send(RedisCommand("PING"))) != nil }
            }
        }
    }
}

@Suite("Closing a client", .serialized)
struct ClosingTests {
    @Test("fails later calls, twice is fine")
    func closed() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: server.configuration())
            _ = try await client.send(RedisCommand("PING"))
            await client.close()
            await client.close()
            let error = try await failure { try await client.send(RedisCommand("PING")) }
            #expect(error.code == .closed)
            #expect(error.outcome == .notSent)
            #expect(!error.isRetriable)
            let dedicated = try await failure {
                try await client.withDedicatedConnection(routedBy: "k") { try await $0.send(RedisCommand("PING")) }
            }
            #expect(dedicated.code == .closed)
            for await _ in client.subscribe(to: ["c"], routedBy: "c") { Issue.record("a closed client has no events") }
        }
    }

    @Test("before the first command is fine")
    func unused() async throws {
        await RedisClient(configuration: RedisConfiguration(port: 1)).close()
    }

    @Test("answers what was in flight")
    func inFlight() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: server.configuration { $0.commandTimeout = .seconds(10) })
            let task = Task { try await client.send(RedisCommand("BLPOP", "list", "10")) }
            try await server.withClient { observer in
                try await eventually {
                    let info = try await observer.send(RedisCommand("INFO", "clients")).string
                    return info?.contains("blocked_clients:1") == true
                }
                async let closing: Void = client.close()
                try await Task.sleep(for: .milliseconds(50))
                _ = try await observer.send(RedisCommand("RPUSH", "list", "x"))
                await closing
            }
            #expect(try await task.value.elements?.map(\.string) == ["list", "x"])
        }
    }

    @Test("by releasing it ends its connections")
    func released() async throws {
        try await PrivateServer.with { server in
            do {
                let client = RedisClient(configuration: server.configuration())
                _ = try await client.send(RedisCommand("PING"))
            }
            try await server.withClient { observer in
                try await eventually {
                    let list = try await observer.send(RedisCommand("CLIENT", "LIST")).string ?? ""
                    return list.split(separator: "\n").count == 1
                }
            }
        }
    }
}
