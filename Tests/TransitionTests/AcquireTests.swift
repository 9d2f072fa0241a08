import RedisWire
import Testing

@testable import Belay

@Suite("acquire")
struct AcquireTests {
    @Test("takes the lock of a task that is due")
    func takes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", payload: Body(text: "p"))
            var outcome: AcquireOutcome?
            let events = try await f.events { outcome = try await f.twice(f.acquire("a")) }
            guard case .claimed(let claim) = outcome else { throw TrackerError.bug("\(String(describing: outcome))") }
            #expect(claim.payload == Body(text: "p"))
            #expect(claim.attempt == 1)
            #expect(claim.fence == f.now)
            #expect(claim.expires == f.moment(.seconds(10)))
            #expect(events == ["claimed k a | \(f.now) by host:1:a"])
            #expect(try await f.dump().index("r:k") == ["a": f.now + 10_000_000])
        }
    }

    @Test("refuses a task that is gone")
    func gone() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.unchanged(f.acquire("a")) == .refused(.notFound))
        }
    }

    @Test("refuses a locked task, telling until when and by whom")
    func locked() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let other = WorkerName(trusted: "host:2:b")
            let outcome = try await f.unchanged(f.acquire("a", token: "other", worker: other))
            #expect(outcome == .refused(.locked(until: claim.expires, by: "host:1:a")))
        }
    }

    @Test("takes a lease of the caller's choice within its bounds")
    func lease() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.claim("a", lease: .seconds(60)).expires == f.moment(.seconds(60)))
            await #expect(throws: TrackerError.self) { try await f.tracker.claim("a", lease: .zero) }
            await #expect(throws: TrackerError.self) { try await f.tracker.claim("a", lease: .seconds(86_401)) }
        }
    }

    @Test("finds a lock free exactly at its expiry, and counts a crash")
    func expiry() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            f.clock.advance(by: .microseconds(9_999_999))
            let early = try await f.unchanged(f.acquire("a", token: "2"))
            #expect(early == .refused(.locked(until: old.expires, by: "host:1:a")))
            f.clock.advance(by: .microseconds(1))
            let events = try await f.events { try await f.twice(f.acquire("a", token: "2")) }
            #expect(events == ["reaped k a | q by host:1:a", "claimed k a | \(f.now) by host:1:a"])
            let record = try await f.record("a")
            #expect([record.attempts, record.crashes, record.failures] == [2, 1, 0])
            #expect(record.lastFailure?.outcome == .crashed)
            #expect(try await f.tracker.complete(old.handle) == .stale)
        }
    }

    @Test("refuses a task that is not due, unless asked to pass over that")
    func notDue() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(5))
            let due = f.moment(.seconds(5))
            #expect(try await f.unchanged(f.acquire("a")) == .refused(.notDue(at: due)))
            f.clock.advance(by: .microseconds(4_999_999))
            #expect(try await f.unchanged(f.acquire("a")) == .refused(.notDue(at: due)))
            let claim = try await f.claim("a", options: .ignoreDue)
            #expect(claim.due == due)
        }
    }

    @Test("finds a task due exactly at its due time")
    func dueNow() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(5))
            f.clock.advance(by: .seconds(5))
            _ = try await f.claim("a")
        }
    }

    @Test("takes a lock over by force, and tells the history")
    func supersedes() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            f.clock.advance(by: .seconds(1))
            let other = WorkerName(trusted: "host:2:b")
            let verb = f.acquire("a", token: "2", worker: other, options: .ignoreLock)
            let events = try await f.events { try await f.twice(verb) }
            #expect(events == ["superseded k a | q by host:1:a", "claimed k a | \(f.now) by host:2:b"])
            let attempts = try #require(try await f.tracker.attempts(of: "a"))
            #expect(attempts.map(\.outcome) == [.superseded, .running])
            #expect(attempts.map(\.worker) == ["host:1:a", "host:2:b"])
            #expect(attempts[0].fence < attempts[1].fence)
            #expect(try await f.record("a").crashes == 0)
            #expect(try await f.unchanged(Renew(items: [(old.handle, .seconds(1))])) == [.stale])
        }
    }

    @Test("does not pass over a lock when it may only pass over an end")
    func forceKeepsLocks() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let verb = f.acquire("a", token: "2", options: [.force, .restart, .ignoreDue])
            #expect(try await f.unchanged(verb) == .refused(.locked(until: claim.expires, by: "host:1:a")))
        }
    }

    @Test("refuses a task that has ended, each end by its name")
    func ended() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b")]
            try await f.tracker.complete(claims[0].handle)
            try await f.tracker.fail(claims[1].handle, failure, .exhaust)
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"])
            try await f.bring("d", to: .ignored)
            #expect(try await f.unchanged(f.acquire("d", token: "2")) == .refused(.ended(.ignored)))
            #expect(try await f.unchanged(f.acquire("a")) == .refused(.ended(.succeeded)))
            #expect(try await f.unchanged(f.acquire("a", options: .force)) == .refused(.ended(.succeeded)))
            #expect(try await f.unchanged(f.acquire("b", token: "2")) == .refused(.ended(.exhausted)))
            #expect(try await f.unchanged(f.acquire("c")) == .refused(.ended(.cancelled)))
        }
    }

    @Test("takes an exhausted, cancelled or ignored task by force, counting on")
    func force() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running("b")
            try await f.tracker.fail(claim.handle, failure, .exhaust)
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"], reason: "no")
            #expect(try await f.claim("b", token: "2", options: .force).attempt == 2)
            #expect(try await f.claim("c", token: "2", options: .force).attempt == 1)
            #expect(try await f.record("b").failures == 1)
            #expect(try await f.record("c").cancelReason == nil)
            try await f.bring("d", to: .ignored)
            #expect(try await f.twice(f.acquire("d", token: "2", options: .force)) != .refused(.ended(.ignored)))
            #expect(try await f.state("d") == .running)
        }
    }

    @Test("is refused by an operator’s pause, whatever it may pass over")
    func paused() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .parked)
            for options in [[], .force, .restart, .ignoreDue, .ignoreLock, AcquireOptions(rawValue: 15)] {
                let verb = f.acquire("a", token: "2", options: options, held: "token")
                #expect(try await f.unchanged(verb) == .refused(.paused))
            }
            #expect("\(ClaimRefusal.paused)" == "paused")
        }
    }

    @Test(
        "tells a lock before the end that comes after it: of a spent task, and of a cancelled one",
        arguments: [1, 2]
    )
    func lockFirst(attempts: Int) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", attempts: attempts)
            let claim = try await f.claim("a")
            if attempts == 2 { _ = try await f.tracker.cancel(["a"]) }
            let verb = f.acquire("a", token: "2")
            #expect(try await f.unchanged(verb) == .refused(.locked(until: claim.expires, by: "host:1:a")))
            f.clock.advance(by: .seconds(10))
            let end: TaskState = attempts == 1 ? .exhausted : .cancelled
            #expect(try await f.twice(verb) == .refused(.ended(end)))
        }
    }

    @Test("begins an ended task anew when asked: attempts, result and counts begin at none, the fence goes on")
    func restart() async throws {
        try await TrackerFixture.run { f async throws in
            let first = try await f.running()
            _ = try await f.tracker.progress(first.handle, 0.5, message: "half")
            try await f.tracker.complete(first.handle, result: Body(bytes: Array(repeating: 1, count: 300)))
            let claim = try await f.claim("a", token: "2", options: .restart)
            #expect(claim.attempt == 1)
            #expect(claim.fence > first.fence)
            let record = try await f.record("a")
            #expect(record.progress == nil)
            #expect(record.result == nil)
            #expect(try await f.dump().string("o:a") == nil)
            #expect(try await f.tracker.complete(first.handle) == .stale)
            try await f.tracker.fail(claim.handle, failure, .exhaust)
            #expect(try await f.claim("a", token: "3", options: .restart).failures == 0)
        }
    }

    @Test("exhausts a crashed task whose attempts are used up")
    func exhausts() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", attempts: 1)
            _ = try await f.claim("a")
            f.clock.advance(by: .seconds(10))
            let events = try await f.events {
                _ = try await f.twice(f.acquire("a", token: "2"))
            }
            #expect(events == ["reaped k a | x by host:1:a"])
            let record = try await f.record("a")
            #expect(record.state == .exhausted)
            #expect([record.attempts, record.crashes] == [1, 1])
            #expect(try await f.send(f.acquire("a", token: "3")) == .refused(.ended(.exhausted)))
        }
    }

    @Test("takes a crashed task whose attempts are used up by force, or begins it anew")
    func exhaustedCrash() async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["a", "b"] as [TaskID] {
                try await f.enqueue(id, attempts: 1)
                _ = try await f.claim(id)
            }
            f.clock.advance(by: .seconds(10))
            let forced = try await f.claim("a", token: "2", options: .force)
            let anew = try await f.claim("b", token: "2", options: .restart)
            #expect([forced.attempt, forced.crashes] == [2, 1])
            #expect([anew.attempt, anew.crashes] == [1, 0])
        }
    }

    @Test("lets a task be cancelled whose holder died after it was asked to stop")
    func cancelledCrash() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            #expect(try await f.tracker.cancel(["a"], reason: "no") == [.requested])
            f.clock.advance(by: .seconds(10))
            #expect(try await f.twice(f.acquire("a", token: "2")) == .refused(.ended(.cancelled)))
            let record = try await f.record("a")
            #expect(record.state == .cancelled)
            #expect(record.crashes == 1)
        }
    }

    @Test("passes the pause of a kind and of the tracker: whoever names a task decides")
    func pausedKind() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            try await f.tracker.pauseKind("k")
            guard case .claimed(let claim) = try await f.twice(f.acquire("t1")) else { throw TrackerError.bug("none") }
            try await f.tracker.pauseKind(nil)
            guard case .claimed = try await f.twice(f.acquire("t2")) else { throw TrackerError.bug("none") }
            #expect(try await f.tracker.complete(claim.handle) == .accepted)
        }
    }

    @Test("does not take an expired lock while the clock seems to have jumped")
    func clockJump() async throws {
        try await TrackerFixture.run { f async throws in
            let running = try await f.running()
            let before = f.clock.now
            f.clock.advance(by: .seconds(30))
            try await f.send(Reap(limit: 10, estimatedNow: before))
            let refusal = try await f.unchanged(f.acquire("a", token: "2"))
            #expect(refusal == .refused(.locked(until: running.expires, by: "host:1:a")))
            #expect(try await f.tracker.renew([running]) == [.renewed])
        }
    }
}
