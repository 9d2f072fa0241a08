import RedisWire
import Testing

@testable import Belay

/// Tasks that are not to start after some time, over all verbs.
@Suite("A task that expires")
struct ExpiryTests {
    @Test("starts until just before its time is over, and is cancelled from then on", arguments: [false, true])
    func boundary(byName: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", expires: .after(.seconds(60)))
            try await f.create("b", tags: ["g"], expires: .at(f.moment(.seconds(60))))
            let expires = f.moment(.seconds(60))
            #expect(try await f.record("a").expires == expires)
            #expect(try await f.record("b").expires == expires)
            f.clock.advance(by: .microseconds(59_999_999))
            if byName {
                _ = try await f.claim("a")
            } else {
                #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
            }
            f.clock.advance(by: .microseconds(1))
            let events = try await f.events { () async throws in
                if byName {
                    #expect(try await f.twice(f.acquire("b", token: "2")) == .refused(.ended(.cancelled)))
                } else {
                    #expect(try await f.send(f.claimMany(token: "2")).claims == [])
                }
            }
            #expect(events == ["expired k b"])
            let record = try await f.record("b")
            #expect(record.state == .cancelled)
            #expect(record.cause == .expired)
            #expect(record.updated == expires)
            #expect(try await f.tracker.explain("b")?.reasons == [.expired(at: expires)])
        }
    }

    @Test("makes room for others in the same claim or the next, and is told of at once")
    func others() async throws {
        try await TrackerFixture.run { f async throws in
            for number in 1...3 { try await f.create(TaskID(trusted: "old\(number)"), expires: .after(.seconds(1))) }
            f.clock.advance(by: .seconds(1))
            try await f.enqueue(count: 3)
            let first = try await f.send(f.claimMany(2, token: "1"))
            #expect(first.claims == [])
            #expect(first.nextDue == f.clock.now, "there is more to be had now")
            #expect(try await f.twice(f.claimMany(2, token: "2")).claims.map(\.id) == ["t1"])
            #expect(try await f.twice(f.claimMany(2, token: "3")).claims.map(\.id) == ["t2", "t3"])
            #expect(try await f.tally(["old1", "old2", "old3"]) == [.cancelled: 3])
        }
    }

    @Test("goes on once it has begun, and after a failure")
    func begun() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", expires: .after(.seconds(1)))
            let claim = try await f.claim("a")
            f.clock.advance(by: .seconds(5))
            #expect(try await f.tracker.renew([claim]) == [.renewed])
            #expect(try await f.tracker.fail(claim.handle, failure, .retry(after: .zero)) == .ready(due: f.clock.now))
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
        }
    }

    @Test("expires after it was handed back without having spent an attempt")
    func released() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", expires: .after(.seconds(1)))
            try await f.tracker.release([try await f.claim("a").handle])
            f.clock.advance(by: .seconds(1))
            #expect(try await f.tracker.claim(["k"]) == [])
            #expect(try await f.record("a").cause == .expired)
        }
    }

    @Test("runs when an operator retries it, or a claim forces it")
    func retried() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", expires: .after(.seconds(1)))
            try await f.create("b", expires: .after(.seconds(1)))
            f.clock.advance(by: .seconds(1))
            #expect(try await f.claim("b", options: .force).attempt == 1)
            #expect(try await f.tracker.claim(["k"]) == [])
            #expect(try await f.twice(Retry(ids: ["a"], budget: .fresh)) == [.ready])
            #expect(try await f.record("a").expires == nil)
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
        }
    }

    @Test("may expire before it is due, and while it is paused or blocked, when its turn comes")
    func neverDue() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.create("late", due: .after(.seconds(60)), expires: .after(.seconds(1)))
            try await f.create("blocked", after: .after("p"), expires: .after(.seconds(1)))
            try await f.create("paused", expires: .after(.seconds(1)))
            _ = try await f.tracker.pause(["paused"])
            f.clock.advance(by: .seconds(60))
            let unchanged = try await f.tracker.reap()
            #expect(unchanged.items == [])
            #expect(try await f.states("late", "blocked", "paused") == [.ready, .blocked, .paused])
            try await f.finish("p")
            _ = try await f.tracker.resume(["paused"])
            #expect(try await f.tracker.claim(["k"], limit: 9) == [])
            #expect(try await f.tally(["late", "blocked", "paused"]) == [.cancelled: 3])
        }
    }

    @Test("says so while it waits, and how long it has")
    func explained() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Beat(.online, interval: .seconds(3600)))
            try await f.create("a", expires: .after(.seconds(60)))
            let expires = f.moment(.seconds(60))
            f.clock.advance(by: .seconds(20))
            #expect(try await f.tracker.explain("a")?.reasons.contains(.expires(at: expires, in: .seconds(40))) == true)
            f.clock.advance(by: .seconds(50))
            #expect(
                try await f.tracker.explain("a")?.reasons.contains(.expires(at: expires, in: .seconds(-10))) == true
            )
        }
    }

    @Test("takes a time from 1970 to 2100 or a delay to 3,650 days, and not both")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            func enqueue(_ options: EnqueueOptions) async throws {
                try await f.tracker.enqueue([NewTask("k", options: options)])
            }
            for bad in [
                EnqueueOptions(expiresAfter: .microseconds(-1)),
                EnqueueOptions(expiresAfter: .seconds(3650 * 86_400 + 1)),
                EnqueueOptions(expiresAt: Timestamp(microseconds: -1)),
                EnqueueOptions(expiresAfter: .seconds(1), expiresAt: f.clock.now),
            ] {
                await #expect(throws: TrackerError.self) { try await enqueue(bad) }
            }
            try await enqueue(EnqueueOptions(id: "a", expiresAfter: .zero))
            try await enqueue(EnqueueOptions(id: "b", expiresAt: f.clock.now))
            #expect(try await f.tracker.claim(["k"], limit: 2) == [])
            #expect(try await f.tally(["a", "b"]) == [.cancelled: 2])
        }
    }
}
