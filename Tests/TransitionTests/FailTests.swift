import RedisWire
import Testing

@testable import Belay

@Suite("fail")
struct FailTests {
    static func verb(
        _ handles: [ClaimHandle],
        _ disposition: FailureDisposition = .retry(),
        backtrace: [String] = []
    ) -> Fail {
        var error = failure
        error.backtrace = backtrace
        return Fail(items: handles.map { Fail.Item(handle: $0, failure: error, disposition: disposition) })
    }

    /// Claims the task and fails it, again and again; the delays that the server gave, µs.
    static func delays(_ count: Int, of id: TaskID, in f: TrackerFixture) async throws -> [Int] {
        var delays: [Int] = []
        for step in 1...count {
            let claim = try await f.claim(id, token: "\(step)")
            guard case .ready(let due) = try await f.tracker.fail(claim.handle, failure) else { break }
            delays.append(due.microseconds - f.now)
            f.clock.set(due)
        }
        return delays
    }

    @Test("puts the task back with the delay of its kind's policy and keeps the error")
    func retries() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(2))
            let due = f.moment(.seconds(1))
            let events = try await f.events {
                _ = try await f.twice(Self.verb([claim.handle]))
            }
            #expect(events == ["retrying k a | \(due.microseconds) by host:1:a"])
            let dump = try await f.dump()
            #expect(dump.index("q:5:k") == ["a": due.microseconds])
            #expect(dump.index("r:k") == [:])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes] == [1, 1, 0])
            #expect(record.due == due)
            let attempt = try #require(record.lastFailure)
            #expect(attempt.outcome == .failed)
            #expect(attempt.failure == failure)
            #expect(attempt.nextRun == due)
            #expect(attempt.ended == f.clock.now)
            #expect(try await f.tracker.attempts(of: "a") == [attempt])
        }
    }

    @Test("answers each task in its order: ready, stale, gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let bad = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            #expect(try await f.unchanged(Self.verb(bad)) == [.stale, .stale, .gone])
            let mixed = try await f.twice(Self.verb([bad[0], claim.handle, bad[2]]))
            #expect(mixed == [.stale, .ready(due: f.moment(.seconds(1))), .gone])
        }
    }

    @Test("is refused after the task was taken back, and once another holds it")
    func afterReclaim() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            #expect(try await f.unchanged(Self.verb([old.handle])) == [.stale])
            f.clock.advance(by: .seconds(1))
            _ = try await f.claim("a", token: "2")
            #expect(try await f.unchanged(Self.verb([old.handle])) == [.stale])
        }
    }

    @Test("is accepted after the lease ran out as long as nobody took the task")
    func afterExpiry() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(60))
            #expect(try await f.twice(Self.verb([claim.handle])) == [.ready(due: f.moment(.seconds(1)))])
            #expect(try await f.record("a").crashes == 0)
        }
    }

    @Test("fails a task once although it stands twice in a batch")
    func twins() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let answer = try await f.twice(Self.verb([claim.handle, claim.handle]))
            #expect(answer == [.ready(due: f.moment(.seconds(1))), .stale])
            #expect(try await f.record("a").failures == 1)
        }
    }

    @Test("answers a repeat as the first request, whatever an operator did meanwhile")
    func repeatAfterOperator() async throws {
        try await TrackerFixture.run { f in
            let claims = [try await f.running("a"), try await f.running("b"), try await f.running("c")]
            let requests = claims.map { f.request(Self.verb([$0.handle], $0.id == "c" ? .exhaust : .retry())) }
            var answers: [RedisReply] = []
            for request in requests { answers.append(try await f.send(request)) }
            _ = try await f.tracker.cancel(["a"])
            _ = try await f.tracker.retry(["b", "c"])
            let before = try await f.dump()
            for (request, answer) in zip(requests, answers) { #expect(try await f.send(request) == answer) }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("exhausts the task at its last attempt, whatever the reasons of the earlier ends")
    func exhausts() async throws {
        try await TrackerFixture.run { f async throws in
            let first = try await f.running()
            try await f.tracker.fail(first.handle, failure)
            f.clock.advance(by: .seconds(1))
            _ = try await f.claim("a", token: "2")
            f.clock.advance(by: .seconds(10))
            #expect(try await f.tracker.reap().items.map(\.state) == [.ready])
            f.clock.advance(by: .seconds(60))
            let third = try await f.claim("a", token: "3")
            #expect([third.attempt, third.failures, third.crashes] == [3, 1, 1])
            let events = try await f.events {
                _ = try await f.twice(Self.verb([third.handle]))
            }
            #expect(events == ["exhausted k a by host:1:a"])
            let record = try await f.record("a")
            #expect(record.state == .exhausted)
            #expect([record.attempts, record.failures, record.crashes] == [3, 2, 1])
            #expect(try await f.dump().index("x:k") == ["a": f.now])
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.failed, .crashed, .failed])
        }
    }

    @Test("keeps to the task's own limit of attempts")
    func ownLimit() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", attempts: 1)
            let claim = try await f.claim("a")
            #expect(try await f.twice(Self.verb([claim.handle])) == [.exhausted])
        }
    }

    @Test("exhausts at once, or ends as cancelled, when the holder says so")
    func dispositions() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            #expect(try await f.twice(Self.verb([a.handle], .exhaust)) == [.exhausted])
            let events = try await f.events {
                _ = try await f.twice(Self.verb([b.handle], .cancelled))
            }
            #expect(events == ["cancelled k b by host:1:a"])
            let record = try await f.record("b")
            #expect(record.state == .cancelled)
            #expect(record.failures == 0)
            #expect(record.lastFailure?.outcome == .cancelled)
        }
    }

    @Test("ends a task as cancelled that was asked to stop")
    func cancelRequested() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(try await f.tracker.cancel(["a"]) == [.requested])
            #expect(try await f.twice(Self.verb([claim.handle])) == [.cancelled])
            #expect(try await f.state("a") == .cancelled)
        }
    }

    @Test("takes a delay of the holder's choice, also none, within its bounds")
    func ownDelay() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            let now = f.clock.now
            #expect(try await f.twice(Self.verb([a.handle], .retry(after: .zero))) == [.ready(due: now)])
            let later = now + .seconds(100)
            #expect(try await f.twice(Self.verb([b.handle], .retry(after: .seconds(100)))) == [.ready(due: later)])
            for bad in [Duration.microseconds(-1), .seconds(3650 * 86_400 + 1)] {
                await #expect(throws: TrackerError.self) {
                    try await f.tracker.fail(a.handle, failure, .retry(after: bad))
                }
            }
        }
    }

    @Test("doubles the delay up to the cap")
    func exponential() async throws {
        let policy = KindPolicy(
            attempts: 10_000,
            retry: .exponential(base: .milliseconds(250), factor: 3, cap: .seconds(10), jitter: 0)
        )
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.enqueue("a")
            let expected = [250_000, 750_000, 2_250_000, 6_750_000, 10_000_000, 10_000_000]
            #expect(try await Self.delays(6, of: "a", in: f) == expected)
        }
    }

    @Test("stays at the cap after very many failures")
    func manyFailures() async throws {
        let policy = KindPolicy(attempts: 10_000, retry: .exponential(base: .seconds(1), factor: 1000, jitter: 0))
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.enqueue("a")
            try await f.command("HSET", "t:a", "f", "5000", "n", "5000")
            #expect(try await Self.delays(1, of: "a", in: f) == [3_600_000_000])
        }
    }

    @Test("waits the same delay each time, or those of a list whose last repeats")
    func fixedAndList() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            let list = RetryPolicy.list([.seconds(1), .zero, .milliseconds(3)])
            try await f.tracker.define("fixed", policy: KindPolicy(attempts: 9, retry: .fixed(.seconds(7))))
            try await f.tracker.define("list", policy: KindPolicy(attempts: 9, retry: list))
            try await f.enqueue("a", "fixed")
            try await f.enqueue("b", "list")
            #expect(try await Self.delays(3, of: "a", in: f) == [7_000_000, 7_000_000, 7_000_000])
            #expect(try await Self.delays(5, of: "b", in: f) == [1_000_000, 0, 3000, 3000, 3000])
        }
    }

    @Test("draws the jitter from the id and the number of failures, within its bounds")
    func jitter() async throws {
        let policy = KindPolicy(attempts: 100, retry: .fixed(.seconds(100), jitter: 0.2))
        var seen: [[Int]] = []
        for _ in 0..<2 {
            try await TrackerFixture.run(policy: policy) { f async throws in
                var delays: [Int] = []
                for id in try await f.enqueue(count: 10) { delays += try await Self.delays(10, of: id, in: f) }
                seen.append(delays)
            }
        }
        #expect(seen[0] == seen[1], "another tracker foretells the same delays")
        #expect(seen[0].allSatisfy { (80_000_000...120_000_000).contains($0) })
        #expect(Set(seen[0]).count == 100)
        #expect(seen[0].contains { $0 < 90_000_000 } && seen[0].contains { $0 > 110_000_000 })
    }

    @Test("keeps the last 20 attempts")
    func historyLimit() async throws {
        let policy = KindPolicy(attempts: 100, retry: .fixed(.zero))
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.enqueue("a")
            #expect(try await Self.delays(23, of: "a", in: f).count == 23)
            let attempts = try #require(try await f.tracker.attempts(of: "a"))
            #expect(attempts.map(\.number) == Array(4...23))
        }
    }

    @Test("fails 500 tasks in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 500)
            let claims = try await f.tracker.claim(["k"], limit: 500)
            let outcomes = try await f.twice(Self.verb(claims.map(\.handle)))
            #expect(outcomes == Array(repeating: .ready(due: f.moment(.seconds(1))), count: 500))
            let items = Array(repeating: (handle: claims[0].handle, failure, FailureDisposition.retry()), count: 501)
            await #expect(throws: TrackerError.self) { try await f.tracker.fail(items) }
        }
    }

    @Test("uses each kind's own policy in one batch")
    func kinds() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.tracker.define("l", policy: KindPolicy(retry: .fixed(.seconds(30))))
            let (a, b) = (try await f.running("a", "k"), try await f.running("b", "l"))
            let due = [f.moment(.seconds(1)), f.moment(.seconds(30))]
            #expect(try await f.twice(Self.verb([a.handle, b.handle])) == due.map { .ready(due: $0) })
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            try await f.command("DEL", "t:b")
            try await f.command("SET", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb([a.handle, b.handle])) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
