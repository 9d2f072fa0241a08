import RedisWire
import Testing

@testable import Belay

@Suite("reap")
struct ReapTests {
    @Test("takes an expired task back exactly at its expiry, and counts a crash")
    func takesBack() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .microseconds(9_999_999))
            #expect(try await f.unchanged(Reap(limit: 10)).items == [])
            f.clock.advance(by: .microseconds(1))
            let due = f.moment(.seconds(1))
            var step: SweepStep<ReapedTask>?
            let events = try await f.events { step = try await f.send(Reap(limit: 10)) }
            let item = ReapedTask(id: "a", kind: "k", state: .ready, due: due, worker: "host:1:a")
            #expect(step == SweepStep(items: [item], more: false))
            #expect(events == ["reaped k a | q by host:1:a"])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes] == [1, 0, 1])
            #expect(record.due == due)
            let attempt = try #require(record.lastFailure)
            #expect(attempt.outcome == .crashed)
            #expect(attempt.fence == claim.fence)
            #expect(attempt.worker == "host:1:a")
            #expect(attempt.failure == nil)
            #expect(attempt.ended == f.clock.now)
            #expect(attempt.nextRun == due)
        }
    }

    @Test("changes nothing when it is asked again")
    func again() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            f.clock.advance(by: .seconds(10))
            #expect(try await f.send(Reap(limit: 10)).items.count == 1)
            #expect(try await f.unchanged(Reap(limit: 10)) == SweepStep(items: [], more: false))
        }
    }

    @Test("leaves a lease alone that was renewed")
    func renewed() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(9))
            #expect(try await f.tracker.renew([claim]) == [.renewed])
            f.clock.advance(by: .seconds(9))
            #expect(try await f.tracker.reap().items == [])
            f.clock.advance(by: .seconds(1))
            #expect(try await f.tracker.reap().items.map(\.id) == ["a"])
        }
    }

    @Test("exhausts a task whose attempts were all crashes, with a growing backoff between them")
    func exhausts() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            var ends: [TaskState] = []
            var delays: [Int] = []
            for attempt in 1...3 {
                _ = try await f.claim("a", token: "\(attempt)")
                f.clock.advance(by: .seconds(10))
                let item = try #require(try await f.tracker.reap().items.first)
                ends.append(item.state)
                guard let due = item.due else { continue }
                delays.append(due.microseconds - f.now)
                f.clock.set(due)
            }
            #expect(ends == [.ready, .ready, .exhausted])
            #expect(delays == [1_000_000, 2_000_000])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes] == [3, 0, 3])
            #expect(try await f.dump().index("x:k") == ["a": f.now])
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.crashed, .crashed, .crashed])
        }
    }

    @Test("ends a task as cancelled that was asked to stop")
    func cancelled() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            _ = try await f.tracker.cancel(["a"], reason: "no")
            f.clock.advance(by: .seconds(10))
            #expect(try await f.tracker.reap().items.map(\.state) == [.cancelled])
            #expect(try await f.record("a").cancelReason == "no")
        }
    }

    @Test("takes the longest expired first, no more than asked for, and says whether more is left")
    func limit() async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["c", "a", "b"] as [TaskID] {
                try await f.enqueue(id)
                _ = try await f.claim(id)
                f.clock.advance(by: .milliseconds(1))
            }
            f.clock.advance(by: .seconds(10))
            let first = try await f.tracker.reap(limit: 2)
            #expect(first.items.map(\.id) == ["c", "a"])
            #expect(first.more)
            let second = try await f.tracker.reap(limit: 2)
            #expect(second.items.map(\.id) == ["b"])
            #expect(!second.more)
        }
    }

    @Test("takes back 500 tasks of many kinds and workers in one call, and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue(count: 250, "k", prefix: "k")
            try await f.enqueue(count: 250, "l", prefix: "l")
            for (kind, worker) in [("k", "host:1:a"), ("l", "host:2:b")] as [(KindName, String)] {
                let verb = f.claimMany(250, [kind], token: worker, worker: WorkerName(trusted: worker))
                #expect(try await f.send(verb).claims.count == 250)
            }
            f.clock.advance(by: .seconds(10))
            #expect(try await f.tracker.reap(limit: 500).items.count == 500)
            #expect(try await f.dump().events.filter { $0.hasPrefix("reaped") }.count == 2)
            await #expect(throws: TrackerError.self) { try await f.tracker.reap(limit: 501) }
            await #expect(throws: TrackerError.self) { try await f.tracker.reap(limit: 0) }
        }
    }

    @Test("wakes an idle worker for what is due at once")
    func wakes() async throws {
        try await TrackerFixture.run(policy: KindPolicy(lease: .seconds(1), retry: .fixed(.zero))) { f async throws in
            _ = try await f.running()
            try await f.send(f.claimMany(token: "2", worker: WorkerName(trusted: "idle"), wait: .seconds(1)))
            f.clock.advance(by: .seconds(1))
            #expect(try await f.tracker.reap().items.map(\.due) == [f.clock.now])
            #expect(try await f.dump().index("i:k") == [:])
        }
    }

    @Test("takes nothing back for the longest lease after the clock jumped, then what was not renewed")
    func clockJump() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.tracker.define("long", policy: KindPolicy(lease: .seconds(90)))
            let (a, _) = (try await f.running("a"), try await f.running("b"))
            let before = f.clock.now
            f.clock.advance(by: .seconds(86_400))
            #expect(try await f.send(Reap(limit: 10, estimatedNow: before + .seconds(2))).items == [])
            #expect(try await f.dump().header["hold"] == "\(f.now + 90_000_000)")
            #expect(try await f.tracker.renew(a.handle, for: .seconds(1000)) == .renewed)
            f.clock.advance(by: .microseconds(89_999_999))
            #expect(try await f.tracker.reap().items == [])
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.tracker.reap().items.map(\.id) == ["b"])
        }
    }

    @Test("drops an index entry that has no task, and one whose task does not run")
    func orphans() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.command("ZADD", "r:k", "1", "ghost", "2", "a")
            #expect(try await f.tracker.reap().items == [])
            #expect(try await f.dump().index("r:k") == [:])
            #expect(try await f.state("a") == .ready)
        }
    }
}
