import NIOCore
import Testing

@testable import RedisWire

@Suite("The handshake")
struct HandshakeTests {
    private func handshake(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> Handshake {
        var configuration = RedisConfiguration(host: "h", port: 1)
        change(&configuration)
        return Handshake(configuration)
    }

    private let pong = RedisReply.bytes(Array("PONG".utf8))

    @Test("sends log-in, database, name and PING in one write")
    func everything() {
        let handshake = handshake {
            $0.username = "u"
            $0.password = "p"
            $0.database = 3
            $0.clientName = "n"
        }
        var buffer = ByteBuffer()
        handshake.encode(into: &buffer)
        let expected = [
            "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n", "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n",
            "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\nn\r\n", "*1\r\n$4\r\nPING\r\n",
        ]
        #expect(String(buffer: buffer) == expected.joined())
    }

    @Test("is over with the last answer")
    func end() throws {
        var handshake = handshake { $0.password = "p" }
        try handshake.receive(pong)
        #expect(!handshake.isFinished)
        try handshake.receive(pong)
        #expect(handshake.isFinished)
    }

    @Test("names the user, never the password, when the log-in is refused")
    func wrongPassword() {
        var handshake = handshake {
            $0.username = "bob"
            $0.password = "s3cret"
        }
        let error = #expect(throws: RedisError.self) {
            try handshake.receive(.error(RedisServerError(message: "WRONGPASS invalid username-password pair")))
        }
        #expect(error?.code == .unauthorised)
        #expect(error?.outcome == .notSent)
        #expect(error?.message.contains("'bob'") == true)
        #expect(error.map { "\($0)" }?.contains("s3cret") == false)
    }

    @Test(
        "fails when the server does not serve",
        arguments: [
            ("NOAUTH Authentication required.", RedisError.Code.unauthorised), ("LOADING dataset", .connectionFailed),
            ("ERR max number of clients reached", .connectionFailed), ("DENIED protected mode", .connectionFailed),
        ]
    )
    func refusals(_ message: String, _ code: RedisError.Code) {
        var handshake = handshake()
        let error = #expect(throws: RedisError.self) {
            try handshake.receive(.error(RedisServerError(message: message)))
        }
        #expect(error?.code == code)
    }

    @Test("succeeds when only PING or the name is refused", arguments: ["NOPERM no", "MASTERDOWN link", "BUSY script"])
    func harmless(_ message: String) throws {
        var handshake = handshake()
        try handshake.receive(.error(RedisServerError(message: message)))
        #expect(handshake.isFinished)
    }

    @Test("says that a database does not exist")
    func database() {
        var handshake = handshake { $0.database = 99 }
        let error = #expect(throws: RedisError.self) {
            try handshake.receive(.error(RedisServerError(message: "ERR DB index is out of range")))
        }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.isRetriable == false)
    }
}

@Suite("Backoff")
struct BackoffTests {
    @Test("doubles its limit up to the cap, times a random number")
    func pauses() {
        let backoff = RedisConfiguration.Backoff()
        let limits = (1...10).map { backoff.pause(afterFailures: $0, random: 1) }
        let expected = [20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000].map { Duration.milliseconds($0) }
        #expect(limits == expected)
        #expect(backoff.pause(afterFailures: 3, random: 0.5) == .milliseconds(40))
        #expect(backoff.pause(afterFailures: 1_000_000, random: 1) == .seconds(2))
        #expect(backoff.pause(afterFailures: 5, random: 0) == .zero)
    }
}
