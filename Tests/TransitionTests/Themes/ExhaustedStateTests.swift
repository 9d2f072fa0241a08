import Testing

@testable import Belay

/// A kind whose spent tasks are set aside.
@Suite("A kind that ignores spent tasks")
struct ExhaustedStateTests {
    static let policy = KindPolicy(lease: .seconds(10), attempts: 1, keepOther: .seconds(60), whenExhausted: .ignored)

    @Test("ignores a task that failed for the last time, and one that is not to be tried again")
    func fails() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let spent = try await f.running("a")
            try await f.enqueue("b", attempts: 9)
            let permanent = try await f.claim("b")
            let events = try await f.events { () async throws in
                #expect(try await f.twice(FailTests.verb([spent.handle])) == [.ignored])
                #expect(try await f.twice(FailTests.verb([permanent.handle], .exhaust)) == [.ignored])
            }
            #expect(events == ["ignored k a by host:1:a", "ignored k b by host:1:a"])
            #expect(try await f.dump().index("n:k") == ["a": f.now, "b": f.now])
            for id in ["a", "b"] as [TaskID] {
                let record = try await f.record(id)
                #expect([record.attempts, record.failures] == [1, 1])
                #expect(record.lastFailure?.failure == failure)
                #expect(record.lastFailure?.nextRun == nil)
            }
        }
    }

    @Test("answers a repeat as the first request, whatever an operator did meanwhile")
    func repeatAfterOperator() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let claim = try await f.running()
            let request = f.request(FailTests.verb([claim.handle]))
            let answer = try await f.send(request)
            _ = try await f.tracker.retry(["a"])
            let before = try await f.dump()
            #expect(try await f.send(request) == answer)
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("ignores a task whose last holder died, as a reaper or who wants the lock finds it", arguments: 0...2)
    func crashes(verb: Int) async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            _ = try await f.running()
            f.clock.advance(by: .seconds(10))
            let events = try await f.events { () async throws in
                switch verb {
                case 0: #expect(try await f.tracker.reap().items.map(\.state) == [.ignored])
                case 1: #expect(try await f.tracker.claim(["k"]) == [])
                default: #expect(try await f.twice(f.acquire("a", token: "2")) == .refused(.ended(.ignored)))
                }
            }
            #expect(events == ["reaped k a | n by host:1:a"])
            #expect(try await f.whereabouts("a") == ["n", "n:k"])
            #expect(try await f.record("a").crashes == 1)
        }
    }

    @Test("still cancels a task that was asked to stop")
    func cancelled() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let claim = try await f.running()
            _ = try await f.tracker.cancel(["a"])
            #expect(try await f.tracker.fail(claim.handle, failure) == .cancelled)
        }
    }

    @Test("lets such a task be claimed by force, begun anew, retried and purged")
    func wayBack() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            for id in ["a", "b", "c", "d"] as [TaskID] {
                let claim = try await f.running(id)
                try await f.tracker.fail(claim.handle, failure)
            }
            #expect(try await f.claim("a", token: "2", options: .force).attempt == 2)
            #expect(try await f.claim("b", token: "2", options: .restart).attempt == 1)
            #expect(try await f.tracker.retry(["c"], budget: .kept) == [.ready])
            #expect(try await f.record("c").attemptLimit == 2)
            f.clock.advance(by: .seconds(60))
            #expect(try await f.tracker.purge().items == [PurgedTask(id: "d", kind: "k", state: .ignored)])
        }
    }

    @Test("follows the policy that holds when the task ends")
    func replaced() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            try await f.tracker.fail(a.handle, failure)
            var policy = Self.policy
            policy.whenExhausted = .exhausted
            try await f.tracker.define("k", policy: policy, replacing: true)
            #expect(try await f.tracker.fail(b.handle, failure) == .exhausted)
            #expect(try await f.state("a") == .ignored)
        }
    }

    @Test("knows a policy of ten words, as it was stored before there was a choice")
    func older() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            let words = PolicyText.encode(Self.policy).split(separator: " ").prefix(10).joined(separator: " ")
            try await f.command("HSET", "meta", "k:k", words)
            let claim = try await f.running()
            #expect(claim.lease == .seconds(10))
            #expect(try await f.record("a").deadline == nil)
            #expect(try await f.tracker.fail(claim.handle, failure) == .exhausted)
            try await f.enqueue(count: 500)
        }
    }
}
