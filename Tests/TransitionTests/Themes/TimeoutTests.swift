import Testing

@testable import Belay

/// The time that a kind gives an attempt, over all verbs.
@Suite("The time-out of an attempt")
struct TimeoutTests {
    static func policy(
        _ timeout: Duration?,
        lease: Duration = .seconds(10),
        attempts: Int = 3,
        retry: RetryPolicy = .fixed(.zero)
    ) -> KindPolicy { KindPolicy(lease: lease, attempts: attempts, retry: retry, timeout: timeout) }

    @Test("caps the lease of a claim, however long a lease was asked for", arguments: [nil, Duration.seconds(60)])
    func capsLease(lease: Duration?) async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(4))) { f async throws in
            try await f.enqueue(count: 2)
            let end = f.moment(.seconds(4))
            let claims = [
                try #require(try await f.twice(f.claimMany(lease: lease)).claims.first),
                try await f.claim("t2", lease: lease),
            ]
            for claim in claims {
                #expect(claim.expires == end)
                #expect(claim.lease == .seconds(4))
                #expect(try await f.record(claim.id).deadline == end)
                #expect(try await f.record(claim.id).leaseExpires == end)
            }
        }
    }

    @Test("leaves a shorter lease as it is, and is told with the task")
    func shorterLease() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(60))) { f async throws in
            try await f.enqueue("a")
            #expect(try await f.record("a").deadline == nil)
            #expect(try await f.claim("a").expires == f.moment(.seconds(10)))
            #expect(try await f.record("a").deadline == f.moment(.seconds(60)))
        }
    }

    @Test("is kept for each kind by its own policy in one claim")
    func kinds() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(4))) { f async throws in
            try await f.tracker.define("l", policy: Self.policy(nil))
            try await f.enqueue("a", "k")
            try await f.enqueue("b", "l")
            let claims = try await f.twice(f.claimMany(2, ["k", "l"])).claims
            #expect(claims.map(\.expires) == [f.moment(.seconds(4)), f.moment(.seconds(10))])
            #expect(try await f.record("b").deadline == nil)
        }
    }

    @Test("ends renewals: none holds longer, and the holder is told when it ends")
    func ending() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(25))) { f async throws in
            let claim = try await f.running()
            let end = f.moment(.seconds(25))
            f.clock.advance(by: .seconds(9))
            #expect(try await f.twice(RenewTests.verb([claim.handle])) == [.renewed])
            f.clock.advance(by: .seconds(6))
            #expect(try await f.twice(RenewTests.verb([claim.handle])) == [.renewed], "a whole lease, to the last µs")
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.twice(RenewTests.verb([claim.handle])) == [.ending(at: end)])
            #expect(try await f.dump().index("r:k") == ["a": end.microseconds])
            f.clock.advance(by: .microseconds(9_999_998))
            #expect(try await f.tracker.renew([claim]) == [.ending(at: end)])
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.unchanged(RenewTests.verb([claim.handle])) == [.stale])
        }
    }

    @Test("lets a request to cancel be heard first")
    func cancelFirst() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(5))) { f async throws in
            let claim = try await f.running()
            _ = try await f.tracker.cancel(["a"])
            f.clock.advance(by: .seconds(1))
            let answer: [Renewal] = try await f.twice(RenewTests.verb([claim.handle]))
            #expect(answer == [Renewal(.cancelRequested, end: claim.expires)])
            #expect(try await f.dump().index("r:k") == ["a": claim.expires.microseconds])
        }
    }

    @Test("is told as the end of the attempt by a reaper, by a claim and by who takes the lock", arguments: 0...2)
    func timedOut(by verb: Int) async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(15))) { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(9))
            _ = try await f.tracker.renew([claim])
            f.clock.advance(by: .seconds(6))
            switch verb {
            case 0: #expect(try await f.tracker.reap().items.map(\.id) == ["a"])
            case 1: #expect(try await f.tracker.claim(["k"]) == [])
            default: #expect(try await f.claim("a", token: "2").attempt == 2)
            }
            let first = try #require(try await f.tracker.attempts(of: "a")?.first)
            #expect(first.outcome == .timedOut)
            #expect(first.failure == nil)
            #expect(try await f.record("a").crashes == 1)
            #expect(try await f.tracker.complete(claim.handle) == .stale)
            #expect(try await f.tracker.log(of: "a")?.map(\.event).contains("timedOut") == true)
        }
    }

    @Test("is not to blame when the lease ran out before")
    func crashed() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(15))) { f async throws in
            _ = try await f.running()
            f.clock.advance(by: .microseconds(14_999_999))
            _ = try await f.tracker.reap()
            #expect(try await f.record("a").lastFailure?.outcome == .crashed)
        }
    }

    @Test("spends the attempts, and ends the task with the last")
    func exhausts() async throws {
        try await TrackerFixture.run(policy: Self.policy(.milliseconds(50), attempts: 2)) { f async throws in
            try await f.enqueue("a")
            for token in ["1", "2"] {
                #expect(try await f.claim("a", token: token).lease == .milliseconds(50))
                f.clock.advance(by: .milliseconds(50))
                _ = try await f.tracker.reap()
            }
            #expect(try await f.state("a") == .exhausted)
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.timedOut, .timedOut])
        }
    }

    @Test("lets an end be accepted that comes late, as long as nobody took the task")
    func late() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(1))) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            f.clock.advance(by: .seconds(60))
            #expect(try await f.tracker.complete(a.handle) == .accepted)
            #expect(try await f.tracker.fail(b.handle, failure) == .ready(due: f.clock.now))
            #expect(try await f.record("b").lastFailure?.outcome == .failed)
        }
    }

    @Test("stands still while the holder pauses, and begins anew after it")
    func pauses() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(15))) { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(9))
            _ = try await f.tracker.pause(claim.handle)
            #expect(try await f.record("a").deadline == nil)
            for _ in 1...9 {
                #expect(try await f.tracker.renew([claim]) == [.renewed])
                f.clock.advance(by: .seconds(9))
            }
            #expect(try await f.tracker.resume(claim.handle) == .done(.running))
            #expect(try await f.record("a").deadline == f.moment(.seconds(15)))
            f.clock.advance(by: .microseconds(500_000))
            #expect(try await f.twice(RenewTests.verb([claim.handle])) == [.renewed])
            f.clock.advance(by: .seconds(9))
            #expect(try await f.tracker.renew([claim]) == [.ending(at: f.moment(.microseconds(5_500_000)))])
            f.clock.advance(by: .microseconds(5_500_000))
            _ = try await f.tracker.reap()
            #expect(try await f.record("a").lastFailure?.outcome == .timedOut)
        }
    }

    @Test("holds after a pause although the lease was renewed for longer meanwhile")
    func pausesWithLongLease() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(5))) { f async throws in
            let handle = try await f.bring("a", to: .held)
            #expect(try await f.tracker.renew(handle, for: .seconds(60)) == .renewed)
            let end = f.moment(.seconds(5))
            #expect(try await f.twice(Resume(handle)) == [.done(.running)])
            #expect(try await f.dump().index("r:k") == ["a": end.microseconds])
        }
    }

    @Test("is not told of a paused task whose holder died")
    func deadInPause() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(5))) { f async throws in
            try await f.bring("a", to: .held)
            f.clock.advance(by: .seconds(60))
            _ = try await f.tracker.reap()
            #expect(try await f.record("a").lastFailure?.outcome == .crashed)
        }
    }

    @Test("is each attempt's own, and gone when the kind has none any more")
    func nextAttempt() async throws {
        try await TrackerFixture.run(policy: Self.policy(.seconds(5))) { f async throws in
            let first = try await f.running()
            f.clock.advance(by: .seconds(1))
            try await f.tracker.fail(first.handle, failure)
            #expect(try await f.record("a").deadline == nil)
            _ = try await f.tracker.claim(["k"])
            #expect(try await f.record("a").deadline == f.moment(.seconds(5)))
            try await f.tracker.define("k", policy: Self.policy(nil), replacing: true)
            f.clock.advance(by: .seconds(5))
            let third = try await f.claim("a", token: "3")
            #expect(try await f.record("a").deadline == nil)
            #expect(third.expires == f.moment(.seconds(10)))
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.failed, .timedOut, .running])
        }
    }
}
