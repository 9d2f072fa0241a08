import RedisWire
import Testing

@testable import Belay

@Suite("An error")
struct ErrorTests {
    @Test("of the wire keeps what is known of its effect and whether it passes")
    func fromRedis() {
        func error(_ code: RedisError.Code, _ outcome: RedisError.Outcome, _ server: String? = nil) -> TrackerError {
            TrackerError(
                RedisError(
                    code: code,
                    outcome: outcome,
                    message: "m",
                    serverError: server.map(RedisServerError.init(message:)),
                    endpoint: "unix:/s"
                )
            )
        }
        let cases: [(TrackerError, TrackerError.Code, Bool, TrackerError.Outcome)] = [
            (error(.connectionFailed, .notSent), .unavailable, true, .nothing),
            (error(.connectionClosed, .unknown), .unavailable, true, .unknown),
            (error(.timedOut, .unknown), .timedOut, true, .unknown),
            (error(.timedOut, .notSent), .timedOut, true, .nothing),
            (error(.cancelled, .unknown), .cancelled, false, .unknown),
            (error(.unauthorised, .refused, "NOAUTH x"), .unauthorised, false, .nothing),
            (error(.server, .refused, "NOPERM x"), .unauthorised, false, .nothing),
            (error(.server, .refused, "OOM x"), .server, false, .nothing),
            (error(.server, .refused, "LOADING x"), .server, true, .nothing),
            (error(.tooLarge, .unknown), .tooLarge, false, .unknown),
            (error(.closed, .notSent), .closed, false, .nothing),
            (error(.protocolViolation, .unknown), .protocolViolation, false, .unknown),
            (error(.invalidConfiguration, .notSent), .invalidArgument, false, .nothing),
        ]
        for (error, code, isRetriable, outcome) in cases {
            #expect(error.code == code)
            #expect(error.isRetriable == isRetriable)
            #expect(error.outcome == outcome)
            #expect(error.cause is RedisError)
            #expect(error.description.hasPrefix("\(code): "))
        }
    }

    @Test("of a server that cannot be reached says which, and that nothing happened")
    func unreachable() async throws {
        var redis = try RedisConfiguration(url: "unix:///no/such/folder/redis.sock")
        redis.commandTimeout = .milliseconds(50)
        redis.evaluateTimeout = .milliseconds(100)
        let tracker = try Tracker(configuration: Tracker.Configuration(redis: redis))
        await #expect {
            try await tracker.stats()
        } throws: {
            guard let error = $0 as? TrackerError else { return false }
            return [.unavailable, .timedOut].contains(error.code) && error.isRetriable && error.outcome == .nothing
                && error.message.contains("/no/such/folder/redis.sock")
        }
        await tracker.close()
        await #expect {
            try await tracker.stats()
        } throws: {
            ($0 as? TrackerError)?.code == .closed
        }
    }

    @Test(
        "of a URL names what is wrong with it",
        arguments: ["", "http://x", "redis://x:99999", "redis://u:secret@:x"]
    )
    func urls(url: String) {
        #expect {
            _ = try Tracker(url: url)
        } throws: {
            let error = $0 as? TrackerError
            return error?.code == .invalidArgument && error?.message.contains("secret") == false
        }
    }

    @Test("about kinds names the kind and what to do")
    func kinds() {
        let unknown = TrackerError.unknownKind("k" as KindName)
        #expect(unknown.message.contains("“k”") && unknown.message.contains("define"))
        let conflict = TrackerError.conflict("k", stored: .default, offered: KindPolicy(attempts: 9))
        #expect(conflict.message.contains("“k”") && conflict.message.contains("replacing: true"))
        #expect(TrackerError.fullOfKinds().message.contains("1000"))
    }
}
