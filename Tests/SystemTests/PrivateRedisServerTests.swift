import BelayTestKit
import Foundation
import Logging
import RedisWire
import Testing

/// The fixture itself: a test that trusts a server must be able to.
@Suite("PrivateRedisServer", .timeLimit(.minutes(1)))
struct PrivateRedisServerTests {
    private func withClient(_ server: PrivateRedisServer, _ body: (RedisClient) async throws -> Void) async throws {
        let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
        try await body(client)
        await client.close()
    }

    private func expectPong(_ client: RedisClient) async throws {
        let answer = try await client.send(RedisCommand("PING")).string
        #expect(answer == "PONG")
    }

    @Test("Starts on a socket and on a free port, never 6379, and leaves nothing behind")
    func leavesNothing() async throws {
        for transport in [PrivateRedisServer.Options.Transport.unixSocket, .loopback] {
            let server = try await PrivateRedisServer.start(.init(transport: transport))
            try await withClient(server) { client in
                try await expectPong(client)
            }
            #expect(server.port != 6379)
            let pid = try #require(server.processID)
            server.stop()
            #expect(kill(pid, 0) == -1)
            #expect(!FileManager.default.fileExists(atPath: server.folder))
        }
    }

    @Test("Keeps its data over kill -9 with an append-only file, on the same port and with the same password")
    func survivesKill() async throws {
        let options = PrivateRedisServer.Options(transport: .loopback, appendOnly: .always, password: "a b/c@d")
        try await withPrivateRedisServer(options) { server in
            let port = server.port
            try await withClient(server) { _ = try await $0.send(RedisCommand("SET", "key", "value")) }
            server.kill9()
            #expect(server.processID == nil)
            try await server.restart()
            #expect(server.port == port)
            try await withClient(server) { client in
                let value = try await client.send(RedisCommand("GET", "key")).string
                #expect(value == "value")
            }
        }
    }

    @Test("A paused server does not answer, a resumed one does")
    func pause() async throws {
        try await withPrivateRedisServer { server in
            try await withClient(server) { client in
                try await expectPong(client)
                server.pause()
                await #expect(throws: RedisError.self) { try await client.send(RedisCommand("PING")) }
                server.resume()
                try await expectPong(client)
            }
        }
    }

    @Test("Starts the program that the options name, and says when it cannot be started")
    func executable() async throws {
        try await withTemporaryFolder { folder in
            let program = folder + "/wrapper"
            try Data("#!/bin/sh\necho \"$@\" >\(folder)/arguments\nexec redis-server \"$@\"\n".utf8)
                .write(to: URL(filePath: program))
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: program)
            try await withPrivateRedisServer(.init(executable: program)) { server in
                try await withClient(server) { try await expectPong($0) }
                let arguments = try String(contentsOfFile: folder + "/arguments", encoding: .utf8)
                #expect(arguments.hasPrefix("--dir \(server.folder) "))
            }
            let missing = folder + "/missing"
            let error = await #expect(throws: PrivateRedisServerError.self) {
                try await withPrivateRedisServer(.init(executable: missing)) { _ in }
            }
            #expect(error?.code == .didNotStart)
            #expect(error?.description.contains(missing) == true)
        }
    }
}
