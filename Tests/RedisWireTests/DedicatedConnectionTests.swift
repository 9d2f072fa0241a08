import RedisWire
import Testing

@Suite("A dedicated connection", .serialized)
struct DedicatedConnectionTests {
    @Test("may block without holding up the shared one")
    func blocking() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                async let popped = client.withDedicatedConnection(routedBy: "list") { connection in
                    try await connection.send(RedisCommand("BLPOP", "list", "10"), timeout: .seconds(12))
                }
                for call in 0..<100 {
                    #expect(try await client.send(RedisCommand("ECHO", "\(call)")).string == "\(call)")
                }
                _ = try await client.send(RedisCommand("RPUSH", "list", "item"))
                #expect(try await popped.elements?.map(\.string) == ["list", "item"])
            }
        }
    }

    @Test("keeps its state between commands, and is closed at the end")
    func state() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                let ids = try await client.withDedicatedConnection(routedBy: "k") { connection in
                    _ = try await connection.send(RedisCommand("SELECT", "3"))
                    _ = try await connection.send(RedisCommand("SET", "k", "v"))
                    let first = try await connection.send(RedisCommand("CLIENT", "ID")).int
                    return [first, try await connection.send(RedisCommand("CLIENT", "ID")).int]
                }
                #expect(ids[0] != nil && ids[0] == ids[1])
                #expect(try await client.send(RedisCommand("GET", "k")) == .null)
                try await eventually {
                    let list = try await client.send(RedisCommand("CLIENT", "LIST")).string ?? ""
                    return list.split(separator: "\n").count == 1
                }
            }
        }
    }

    @Test("ends with its first time-out")
    func timeout() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                try await client.withDedicatedConnection(routedBy: "k") { connection in
                    _ = try await connection.send(RedisCommand("PING"))
                    let error = try await failure {
                        try await connection.send(RedisCommand("BLPOP", "none", "0"), timeout: .milliseconds(500))
                    }
                    #expect(error.code == .timedOut)
                    #expect(error.outcome == .unknown)
                    let next = try await failure { try await connection.send(RedisCommand("PING")) }
                    #expect(next.outcome == .notSent)
                }
            }
        }
    }

    @Test("ends when its task is cancelled, and the server forgets the blocked client")
    func cancellation() async throws {
        try await PrivateServer.with { server in
            try await server.withClient { client in
                let task = Task {
                    try await client.withDedicatedConnection(routedBy: "k") { connection in
                        try await connection.send(RedisCommand("BLPOP", "none", "0"), timeout: .seconds(60))
                    }
                }
                try await eventually {
                    try await client.send(RedisCommand("INFO", "clients")).string?.contains("blocked_clients:1") == true
                }
                task.cancel()
                #expect(try await failure { try await task.value }.code == .cancelled)
                try await eventually {
                    try await client.send(RedisCommand("INFO", "clients")).string?.contains("blocked_clients:0") == true
                }
            }
        }
    }

    @Test("ends when the client closes")
    func clientCloses() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: server.configuration())
            let task = Task {
                try await client.withDedicatedConnection(routedBy: "k") { connection in
                    try await connection.send(RedisCommand("BLPOP", "none", "0"), timeout: .seconds(60))
                }
            }
            try await eventually {
                try await client.send(RedisCommand("INFO", "clients")).string?.contains("blocked_clients:1") == true
            }
            await client.close()
            let error = try await failure { try await task.value }
            #expect(error.code == .closed)
            #expect(error.outcome == .unknown)
        }
    }
}
