import Testing

@testable import RedisWire

@Suite("An error reply")
struct RedisErrorTests {
    @Test(
        "is classified by its first word, or by the error inside a script",
        arguments: [
            ("WRONGTYPE Operation against a key", "WRONGTYPE", false),
            ("READONLY You can't write against a read only replica.", "READONLY", true),
            ("READONLY You can't write. script: 1b2, on @user_script:1.", "READONLY", true),
            ("LOADING Redis is loading the dataset in memory", "LOADING", true),
            ("MASTERDOWN Link with MASTER is down", "MASTERDOWN", true),
            ("TRYAGAIN Multiple keys request during rehashing", "TRYAGAIN", true),
            ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN", true),
            ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS", true),
            ("BUSY Redis is busy running a script.", "BUSY", true),
            ("BUSYGROUP Consumer Group name already exists", "BUSYGROUP", false),
            ("BUSYKEY Target key name already exists.", "BUSYKEY", false),
            ("OOM command not allowed when used memory > 'maxmemory'.", "OOM", false),
            ("NOPERM this user has no permissions", "NOPERM", false),
            ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT", false),
            ("ERR max number of clients reached", "MAXCLIENTS", true),
            ("ERR unknown command", "ERR", false),
            (
                "ERR Error running script (call to f_1a): @user_script:3: @user_script: 3: -OOM command not allowed",
                "OOM", false
            ),
            (
                "ERR Error running script (call to f_1a): @user_script:1: @user_script: 1: -READONLY You can't write",
                "READONLY", true
            ),
            ("ERR Error running script (call to f_1a): @user_script:1: user_script:1: boom", "ERR", false),
            ("", "", false),
        ]
    )
    func classification(_ message: String, _ reason: String, _ isRetriable: Bool) {
        let error = RedisServerError(message: message)
        #expect(error.reason == reason)
        #expect(error.isRetriable == isRetriable)
        #expect(RedisError(error, endpoint: nil).isRetriable == isRetriable)
        #expect(RedisError(error, endpoint: nil).outcome == .refused)
    }

    @Test(
        "about the log-in is unauthorised",
        arguments: ["NOAUTH Authentication required.", "WRONGPASS invalid", "ERR invalid password"]
    )
    func unauthorised(_ message: String) {
        let error = RedisError(RedisServerError(message: message), endpoint: nil)
        #expect(error.code == .unauthorised)
        #expect(!error.isRetriable)
    }

    @Test("keeps its first word apart from its message")
    func prefix() {
        let error = RedisServerError(message: "WRONGTYPE Operation against")
        #expect(error.prefix == "WRONGTYPE")
        #expect(error.message == "WRONGTYPE Operation against")
        #expect(RedisServerError(message: "NOWORD").prefix == "NOWORD")
    }

    @Test("is described with endpoint and outcome")
    func description() {
        let error = RedisError(code: .timedOut, outcome: .unknown, message: "no reply in time", endpoint: "h:1")
        #expect("\(error)" == "RedisError(timedOut): no reply in time [h:1], outcome: unknown")
    }

    @Test("is one pointer wide")
    func size() {
        #expect(MemoryLayout<RedisError>.size == MemoryLayout<Int>.size)
    }

    @Test("of the client is retriable if time may heal it")
    func retriable() {
        func isRetriable(_ code: RedisError.Code) -> Bool {
            RedisError(code: code, outcome: .notSent, message: "").isRetriable
        }
        #expect(isRetriable(.connectionFailed) && isRetriable(.connectionClosed) && isRetriable(.timedOut))
        let final: [RedisError.Code] = [
            .cancelled, .unauthorised, .protocolViolation, .tooLarge, .closed, .invalidConfiguration, .server,
        ]
        #expect(!final.contains(where: isRetriable))
    }
}
