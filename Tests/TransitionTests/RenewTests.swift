import RedisWire
import Testing

@testable import Belay

@Suite("renew")
struct RenewTests {
    static func verb(_ handles: [ClaimHandle], _ lease: Duration = .seconds(10)) -> Renew {
        Renew(items: handles.map { (handle: $0, lease: lease) })
    }

    @Test("extends a lease from now, and tells nobody")
    func extends() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .milliseconds(900))
            let before = try await f.dump()
            let events = try await f.events {
                _ = try await f.twice(Self.verb([claim.handle]))
            }
            #expect(events == [])
            let after = try await f.dump()
            #expect(after.index("r:k") == ["a": f.now + 10_000_000])
            #expect(after.record("a") == before.record("a")?.merging(["rn": "1"]) { $1 })
            #expect(try await f.record("a").leaseExpires == f.moment(.seconds(10)))
        }
    }

    @Test("never shortens a lease")
    func neverShortens() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(try await f.unchanged(Self.verb([claim.handle], .seconds(1))) == [.renewed])
        }
    }

    @Test("is counted when it prolongs the lock, a twin in the batch once; and from 0 for each lock")
    func counts() async throws {
        try await TrackerFixture.run { f async throws in
            var handle = try await f.running().handle
            for _ in 1...3 {
                f.clock.advance(by: .seconds(1))
                try await f.twice(Self.verb([handle, handle, handle.withOldFence]))
            }
            #expect(try await f.record("a").renewals == 3)
            try await f.send(Self.verb([handle], .seconds(1)))
            try await f.unchanged(Self.verb([handle.withWrongToken]))
            #expect(try await f.record("a").renewals == 3)
            for (step, options) in ([[], .ignoreLock, .restart, .force] as [AcquireOptions]).enumerated() {
                if step == 0 { try await f.tracker.release([handle]) }
                if step == 2 { try await f.tracker.complete(handle) }
                if step == 3 { try await f.tracker.fail(handle, failure, .exhaust) }
                handle = try await f.claim("a", token: "\(step)", options: options).handle
                #expect(try await f.record("a").renewals == 0)
                f.clock.advance(by: .seconds(1))
                try await f.send(Self.verb([handle]))
                #expect(try await f.record("a").renewals == 1)
            }
        }
    }

    @Test("is counted from 0 after every way back into the queue", arguments: [RetryBudget.fresh, .kept])
    func countsAnew(budget: RetryBudget) async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(1))
            try await f.send(Self.verb([claim.handle]))
            try await f.tracker.fail(claim.handle, failure, .exhaust)
            #expect(try await f.tracker.retry(["a"], budget: budget) == [.ready])
            let again = try #require(try await f.tracker.claim(["k"]).first)
            #expect(try await f.record("a").renewals == 0)
            f.clock.advance(by: .seconds(1))
            #expect(try await f.tracker.renew([again]) == [.renewed])
            _ = try await f.tracker.release([again.handle])
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
            #expect(try await f.record("a").renewals == 0)
        }
    }

    @Test("is accepted until just before the expiry, and refused from the expiry on")
    func boundary() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            f.clock.advance(by: .microseconds(9_999_999))
            #expect(try await f.twice(Self.verb([a.handle])) == [.renewed])
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.send(Self.verb([a.handle, b.handle])) == [.renewed, .stale])
            f.clock.advance(by: .seconds(60))
            #expect(try await f.send(Self.verb([a.handle])) == [.stale])
        }
    }

    @Test("refuses a wrong token, an old fence and a task that is gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let bad = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            #expect(try await f.unchanged(Self.verb(bad)) == [.stale, .stale, .gone])
        }
    }

    @Test("is refused after every end of the attempt")
    func afterEnds() async throws {
        try await TrackerFixture.run { f async throws in
            var handles: [ClaimHandle] = []
            for id in ["a", "b", "c", "d"] as [TaskID] { handles.append(try await f.running(id).handle) }
            try await f.tracker.complete(handles[0])
            try await f.tracker.fail(handles[1], failure)
            try await f.tracker.release([handles[2]])
            _ = try await f.claim("d", token: "2", options: .ignoreLock)
            #expect(try await f.unchanged(Self.verb(handles)) == [.stale, .stale, .stale, .stale])
        }
    }

    @Test("tells the holder that somebody cancelled the task, and extends the lease nevertheless")
    func cancel() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            let (a, b) = (try await f.running("a", "l"), try await f.running("b", "k"))
            _ = try await f.tracker.cancel(["a"])
            f.clock.advance(by: .seconds(9))
            let handles = [b.handle.ofNobody, a.handle, b.handle, b.handle.withOldFence]
            #expect(try await f.twice(Self.verb(handles)) == [.gone, .cancelRequested, .renewed, .stale])
            #expect(try await f.dump().index("r:l") == ["a": f.now + 10_000_000])
        }
    }

    @Test("takes a lease for each task, and the longer one of twins")
    func eachLease() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            let items = [(a.handle, Duration.seconds(20)), (b.handle, .seconds(30)), (b.handle, .seconds(40))]
            #expect(try await f.twice(Renew(items: items)) == [.renewed, .renewed, .renewed])
            #expect(try await f.dump().index("r:k") == ["a": f.now + 20_000_000, "b": f.now + 40_000_000])
            for bad in [Duration.zero, .milliseconds(49), .seconds(86_401)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.renew(a.handle, for: bad) }
            }
        }
    }

    @Test("gives the longer lease to twins whose longer one comes first")
    func longerFirst() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let items = [(claim.handle, Duration.seconds(40)), (claim.handle, .seconds(30))]
            #expect(try await f.twice(Renew(items: items)) == [.renewed, .renewed])
            #expect(try await f.dump().index("r:k") == ["a": f.now + 40_000_000])
        }
    }

    @Test("mends a lease that only seems to have run out, because the clock jumped")
    func clockJump() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let before = f.clock.now
            f.clock.advance(by: .seconds(3600))
            try await f.send(Reap(limit: 10, estimatedNow: before))
            #expect(try await f.twice(Self.verb([claim.handle])) == [.renewed])
            #expect(try await f.dump().index("r:k") == ["a": f.now + 10_000_000])
        }
    }

    @Test("renews 500 tasks of several kinds in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue(count: 250, "k", prefix: "k")
            try await f.enqueue(count: 250, "l", prefix: "l")
            let claims = try await f.tracker.claim(["k", "l"], limit: 500)
            f.clock.advance(by: .seconds(1))
            #expect(try await f.twice(Self.verb(claims.map(\.handle))) == Array(repeating: .renewed, count: 500))
            await #expect(throws: TrackerError.self) { try await f.tracker.renew(claims + [claims[0]]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.renew([]) }
        }
    }

    @Test("tells with a request to stop until when the lock holds, and the signal when there is one")
    func cancelParts() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            _ = try await f.tracker.cancel(["a"])
            _ = try await f.tracker.cancel(["b"], signal: 2)
            f.clock.advance(by: .seconds(1))
            let answers = try await f.reply(Self.verb([a.handle, b.handle]))[2].elements ?? []
            let parts = answers.map { ($0.elements ?? []).map { $0.string ?? $0.int.map { "\($0)" } ?? "?" } }
            let until = "\(f.now + 10_000_000)"
            #expect(parts == [["1", "CANCEL", until, ""], ["2", "CANCEL", until, "2"]])
        }
    }
}
