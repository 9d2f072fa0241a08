import RedisWire
import Testing

@testable import Belay

/// The time after which an attempt is asked to stop, over all verbs.
@Suite("The soft time-out of an attempt")
struct SoftTimeoutTests {
    static let policy = KindPolicy(
        lease: .seconds(10),
        attempts: 3,
        retry: .fixed(.zero),
        timeout: .seconds(30),
        softTimeout: .seconds(20)
    )

    @Test("is told with every claim, beside the end of the time")
    func claims() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue(count: 2)
            let (soft, end) = (f.moment(.seconds(20)), f.moment(.seconds(30)))
            let many = try #require(try await f.twice(f.claimMany()).claims.first)
            let one = try await f.claim("t2")
            #expect([many.deadline, many.softDeadline, one.deadline, one.softDeadline] == [end, soft, end, soft])
            f.clock.advance(by: .seconds(5))
            guard case .claimed(let again) = try await f.send(f.acquire("t2")) else {
                Issue.record("the lock is not found again")
                return
            }
            #expect([again.deadline, again.softDeadline] == [end, soft], "a repeat tells what the first told")
            #expect(try await f.send(f.claimMany()).claims.first?.softDeadline == soft)
        }
    }

    @Test("may stand without an end, and neither without the other")
    func alone() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.tracker.define("l", policy: KindPolicy(softTimeout: .milliseconds(10)))
            try await f.tracker.define("m", policy: KindPolicy(timeout: .seconds(9)))
            for (id, kind) in [("a", "k"), ("b", "l"), ("c", "m")] as [(TaskID, KindName)] {
                try await f.enqueue(id, kind)
            }
            let claims = try await f.twice(f.claimMany(3, ["k", "l", "m"])).claims
            #expect(claims.map(\.id) == ["a", "b", "c"])
            #expect(claims.map(\.softDeadline) == [nil, f.moment(.milliseconds(10)), nil])
            #expect(claims.map(\.deadline) == [nil, nil, f.moment(.seconds(9))])
            let parts = try #require(try await f.reply(f.claimMany(3, ["k", "l", "m"]))[2].elements)
            #expect([parts[4], parts[9], parts[14]].map { $0.elements?.count } == [nil, 6, 6])
        }
    }

    @Test("changes nothing at the tracker: the attempt goes on until its time is over")
    func goesOn() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let claim = try await f.running()
            for _ in 1...2 {
                f.clock.advance(by: .seconds(9))
                #expect(try await f.tracker.renew([claim]) == [.renewed])
            }
            f.clock.advance(by: .seconds(3))
            #expect(try await f.tracker.renew([claim]) == [.ending(at: claim.claimed + .seconds(30))])
            #expect(try await f.tracker.complete(claim.handle) == .accepted)
        }
    }

    @Test("is kept with the kind, and its policy may be stored again")
    func stored() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            #expect(try await f.tracker.kinds().map(\.policy) == [Self.policy])
            try await f.tracker.define("k", policy: Self.policy)
            try await f.tracker.define("k", policy: TrackerFixture.policy, replacing: true)
            #expect(try await f.running().softDeadline == nil)
            #expect(try await f.dump().header["k:k"]?.split(separator: " ").count == 13)
        }
    }

    @Test("leaves the other words of the policy what they are: the queue's limit, the end state, the time-out")
    func otherWords() async throws {
        var policy = Self.policy
        (policy.queueLimit, policy.whenExhausted) = (1, .ignored)
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.enqueue("a")
            #expect(try await f.tracker.enqueue([NewTask("k")])[0].isFull)
            let claim = try await f.claim("a")
            #expect(try await f.record("a").deadline == f.moment(.seconds(30)))
            #expect(try await f.tracker.fail(claim.handle, failure, .exhaust) == .ignored)
        }
    }
}
