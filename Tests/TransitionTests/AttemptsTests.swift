import RedisWire
import Testing

@testable import Belay

@Suite("attempts")
struct AttemptsTests {
    @Test("answers nothing for a task that is gone, and none for one that never ran")
    func none() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.twice(Attempts(id: "nobody")) == nil)
            #expect(try await f.twice(Attempts(id: "a")) == [])
        }
    }

    @Test("tells every end of a run by its name, oldest first")
    func outcomes() async throws {
        try await TrackerFixture.run(policy: KindPolicy(attempts: 10, retry: .fixed(.zero))) { f async throws in
            try await f.enqueue("a")
            var began: [Timestamp] = []
            func claim(_ options: AcquireOptions = []) async throws -> Claim {
                let claim = try await f.claim("a", token: "\(began.count)", options: options)
                began.append(claim.claimed)
                f.clock.advance(by: .seconds(1))
                return claim
            }
            try await f.tracker.fail(try await claim().handle, failure)
            try await f.tracker.release([try await claim().handle])
            try await f.tracker.snooze(try await claim().handle, for: .zero)
            _ = try await claim()
            f.clock.advance(by: .seconds(30))
            _ = try await f.tracker.reap()
            _ = try await claim()
            let last = try await claim(.ignoreLock)
            let running = try #require(try await f.twice(Attempts(id: "a")))
            #expect(running.map(\.outcome) == [.failed, .released, .snoozed, .crashed, .superseded, .running])
            #expect(running.map(\.number) == [1, 2, 2, 2, 3, 4])
            #expect(running.map(\.began) == began)
            #expect(running.last?.ended == nil)
            try await f.tracker.complete(last.handle)
            let ended = try #require(try await f.tracker.attempts(of: "a"))
            #expect(ended.last?.outcome == .succeeded)
            #expect(ended.last?.ended == f.clock.now)
            #expect(zip(ended, ended.dropFirst()).allSatisfy { $0.fence < $1.fence })
            #expect(ended.map { $0.failure == nil } == [false, true, true, true, true, true])
        }
    }

    @Test("tells a cancelled run once")
    func cancelled() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.tracker.fail(claim.handle, failure, .cancelled)
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.cancelled])
        }
    }

    @Test("keeps an error's every character")
    func errors() async throws {
        try await TrackerFixture.run { f async throws in
            let failure = TaskFailure(
                type: "a b\nc",
                message: "“quotes” \"\\ \0 \r\n 🧗 \u{1}",
                backtrace: ["one", "", "three"],
                host: "h",
                pid: 7
            )
            let claim = try await f.running()
            try await f.tracker.fail(claim.handle, failure)
            #expect(try await f.tracker.attempts(of: "a")?.first?.failure == failure)
        }
    }

    @Test("shows an error as text that another language wrote in a form of its own")
    func foreign() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.tracker.fail(claim.handle, failure)
            try await f.command("LSET", "a:a", "0", "1 2 3 4 failed worker -\nTraceback: no")
            let attempt = try #require(try await f.tracker.attempts(of: "a")?.first)
            #expect(attempt.failure == TaskFailure(type: "text", message: "Traceback: no"))
            #expect(attempt.nextRun == nil)
        }
    }

    @Test("reads an attempt of an older version, whose backtrace stood in the error")
    func older() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.tracker.fail(claim.handle, failure)
            let error = #"{"backtrace":["x","y"],"message":"m","type":"t"}"#
            try await f.command("LSET", "a:a", "0", "1 2 3 4 failed worker 9\n" + error)
            let attempt = try #require(try await f.tracker.attempts(of: "a")?.first)
            #expect(attempt.failure == TaskFailure(type: "t", message: "m", backtrace: ["x", "y"]))
            #expect(attempt.nextRun == Timestamp(microseconds: 9))
            #expect(try await f.record("a").lastFailure == attempt)
        }
    }
}
