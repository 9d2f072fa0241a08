import Foundation
import RedisWire
import Testing

@Suite("A client connects", .serialized)
struct ConnectingTests {
    @Test("over TCP, lazily, and says so")
    func tcp() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: try RedisConfiguration(url: server.url))
            #expect(!client.isConnected)
            #expect(try await client.send(RedisCommand("PING")).string == "PONG")
            #expect(client.isConnected)
            await client.close()
            #expect(!client.isConnected)
        }
    }

    @Test("over a unix socket")
    func unix() async throws {
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: try RedisConfiguration(url: "unix://\(server.socket)?db=2"))
            #expect(try await client.send(RedisCommand("SET", "k", "v")).string == "OK")
            #expect(try await client.send(RedisCommand("GET", "k")).rawBytes == Array("v".utf8))
            await client.close()
        }
    }

    @Test("with database and client name")
    func databaseAndName() async throws {
        try await PrivateServer.with { server in
            let url = "\(server.url)/5?client_name=belay-test"
            let client = RedisClient(configuration: try RedisConfiguration(url: url))
            let info = try await client.send(RedisCommand("CLIENT", "INFO")).string ?? ""
            #expect(info.contains("name=belay-test "))
            #expect(info.contains("db=5 "))
            await client.close()
        }
    }

    @Test("to a database that does not exist: the error names it, at once")
    func wrongDatabase() async throws {
        try await PrivateServer.with { server in
            try await server.withClient {
                $0.database = 99
            } _: { client in
                let error = try await failure { try await client.send(RedisCommand("PING")) }
                #expect(error.code == .invalidConfiguration)
                #expect(error.outcome == .notSent)
                #expect(error.message.contains("99"))
            }
        }
    }

    @Test("with a password, and with an ACL user")
    func passwords() async throws {
        let options = ["--requirepass", "pa ss:@/%", "--user", "bob", "on", ">b@b", "~*", "&*", "+@all"]
        try await PrivateServer.with(options) { server in
            for (part, expected) in [(":pa%20ss%3A%40%2F%25", "default"), ("bob:b%40b", "bob")] {
                let url = "redis://\(part)@127.0.0.1:\(server.port)"
                let client = RedisClient(configuration: try RedisConfiguration(url: url))
                let user = try await client.send(RedisCommand("ACL", "WHOAMI")).string
                #expect(user == expected)
                await client.close()
            }
        }
    }

    @Test("with a wrong password: unauthorised, naming the user only, and at most about once a second")
    func wrongPassword() async throws {
        try await PrivateServer.with(["--requirepass", "right"]) { server in
            try await server.withClient {
                $0.username = "bob"
                $0.password = "s3cret"
            } _: { client in
                let start = ContinuousClock.now
                var failures = 0
                while ContinuousClock.now - start < .milliseconds(1500) {
                    let error = try await failure { try await client.send(RedisCommand("PING")) }
                    #expect(error.code == .unauthorised)
                    #expect(error.outcome == .notSent)
                    #expect(!error.isRetriable)
                    #expect(error.description.contains("'bob'"))
                    #expect(!error.description.contains("s3cret"))
                    failures += 1
                }
                #expect(failures <= 3)
            }
        }
    }

    @Test("without the password that the server wants: unauthorised, and heals when the password is lifted")
    func missingPassword() async throws {
        try await PrivateServer.with(["--requirepass", "right"]) { server in
            try await server.withClient { client in
                let error = try await failure { try await client.send(RedisCommand("PING")) }
                #expect(error.code == .unauthorised)
                try await server.withClient {
                    $0.password = "right"
                } _: {
                    _ = try await $0.send(RedisCommand("CONFIG", "SET", "requirepass", ""))
                }
                #expect(try await client.send(RedisCommand("PING")).string == "PONG")
            }
        }
    }

    @Test("as a user that may neither PING nor set a name")
    func restrictedUser() async throws {
        try await PrivateServer.with(["--user", "low", "on", ">p", "~*", "-@all", "+get"]) { server in
            try await server.withClient {
                $0.username = "low"
                $0.password = "p"
                $0.clientName = "name"
            } _: { client in
                #expect(try await client.send(RedisCommand("GET", "k")) == .null)
                let error = try await failure { try await client.send(RedisCommand("SET", "k", "v")) }
                #expect(error.code == .server)
                #expect(error.serverError?.prefix == "NOPERM")
                #expect(error.outcome == .refused)
                #expect(!error.isRetriable)
            }
        }
    }

    @Test("to nobody: refused, not sent, within the command's time and without a tight loop")
    func refused() async throws {
        let client = RedisClient(configuration: try RedisConfiguration(url: "unix:///nowhere/redis.sock"))
        let start = ContinuousClock.now
        let error = try await failure { try await client.send(RedisCommand("PING")) }
        #expect(ContinuousClock.now - start < .seconds(4))
        #expect(error.code == .connectionFailed)
        #expect(error.outcome == .notSent)
        #expect(error.isRetriable)
        #expect(error.endpoint == "unix:/nowhere/redis.sock")
        await client.close()
    }

    @Test("never with a configuration that cannot be used")
    func invalid() async throws {
        var configuration = RedisConfiguration()
        configuration.commandTimeout = .zero
        let client = RedisClient(configuration: configuration)
        let error = try await failure { try await client.send(RedisCommand("PING")) }
        #expect(error.code == .invalidConfiguration)
        await client.close()
    }
}

@Suite("TLS", .serialized)
struct TLSTests {
    private static let options = [
        "--tls-port", "TLSPORT", "--tls-cert-file", "DIR/server.pem", "--tls-key-file", "DIR/server.key",
        "--tls-ca-cert-file", "DIR/ca.pem", "--tls-auth-clients", "optional",
    ]

    private func withTLSServer(
        _ more: [String] = [],
        port: Int? = nil,
        _ body: (_ server: PrivateServer, _ port: Int) async throws -> Void
    ) async throws {
        let probe = Sockets.tcp()
        let free = Sockets.listen(probe)
        close(probe)
        let port = port ?? free
        let options = Self.options.map { $0 == "TLSPORT" ? "\(port)" : $0 } + more
        try await PrivateServer.with(options, prepare: makeCertificates) { server in
            try await body(server, port)
        }
    }

    private func makeCertificates(in directory: URL) throws {
        let script = """
            cd '\(directory.path)' || exit 1
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem &&
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
            printf 'subjectAltName=DNS:localhost' > san.txt &&
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san.txt \
                -out server.pem
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test("carries commands when the certificate is trusted and names the host")
    func trusted() async throws {
        try await withTLSServer { server, port in
            let file = server.directory.appendingPathComponent("ca.pem").path
            let url = "rediss://localhost:\(port)/1?ca_file=\(file)"
            let client = RedisClient(configuration: try RedisConfiguration(url: url))
            let value = String(repeating: "x", count: 300_000)
            _ = try await client.send(RedisCommand("SET", "k", value))
            #expect(try await client.send(RedisCommand("GET", "k")).string == value)
            await client.close()
        }
    }

    @Test("refuses a certificate for another name, and one that nobody trusts")
    func untrusted() async throws {
        try await withTLSServer { server, port in
            let file = server.directory.appendingPathComponent("ca.pem").path
            for url in ["rediss://127.0.0.1:\(port)?ca_file=\(file)", "rediss://localhost:\(port)"] {
                var configuration = try RedisConfiguration(url: url)
                configuration.commandTimeout = .milliseconds(500)
                let client = RedisClient(configuration: configuration)
                let error = try await failure { try await client.send(RedisCommand("PING")) }
                #expect(error.code == .connectionFailed)
                #expect(error.outcome == .notSent)
                await client.close()
            }
        }
    }

    @Test("is spoken with every node of a cluster")
    func cluster() async throws {
        // The bus listens on the port plus 10,000.
        let options = ["--cluster-enabled", "yes", "--tls-cluster", "yes"]
        try await withTLSServer(options, port: .random(in: 10_000..<22_000)) { server, port in
            let file = server.directory.appendingPathComponent("ca.pem").path
            let url = "clusters://localhost:\(port)?ca_file=\(file)"
            let admin = RedisClient(configuration: try RedisConfiguration(url: "unix://\(server.socket)"))
            _ = try await admin.send(RedisCommand("CLUSTER", "ADDSLOTSRANGE", "0", "16383"))
            await admin.close()
            // The node does not know its own host: the map names none. It refuses writes for its first two seconds.
            let client = RedisClient(configuration: try RedisConfiguration(url: url))
            #expect(try await client.run(Scripts.count, "key").int == 1)
            await client.close()
        }
    }

    @Test("accepts any certificate with the insecure switch only")
    func insecure() async throws {
        try await withTLSServer { _, port in
            let url = "rediss://127.0.0.1:\(port)?insecure=true"
            let client = RedisClient(configuration: try RedisConfiguration(url: url))
            #expect(try await client.send(RedisCommand("PING")).string == "PONG")
            await client.close()
        }
    }

    @Test("says which file is missing")
    func missingFile() async throws {
        let url = "rediss://localhost:1?ca_file=/no/such.pem"
        let client = RedisClient(configuration: try RedisConfiguration(url: url))
        let error = try await failure { try await client.send(RedisCommand("PING")) }
        #expect(error.code == .invalidConfiguration)
        await client.close()
    }
}
