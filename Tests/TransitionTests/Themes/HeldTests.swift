import Testing

@testable import Belay

/// A task that its holder paused: every verb that meets it.
@Suite("A task paused by its holder")
struct HeldTests {
    @Test("ends and is handed back as if it ran", arguments: 0...5)
    func ends(way: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            let outcome: HandBackOutcome?
            switch way {
            case 0:
                #expect(try await f.twice(CompleteTests.verb([(handle, Body(text: "x"))])) == [.accepted])
                outcome = nil
            case 1: outcome = try await f.twice(FailTests.verb([handle]))[0]
            case 2: outcome = try await f.twice(FailTests.verb([handle], .exhaust))[0]
            case 3: outcome = try await f.twice(FailTests.verb([handle], .cancelled))[0]
            case 4: outcome = try await f.twice(Release(handles: [handle]))[0]
            default: outcome = try await f.twice(SnoozeTests.verb([handle]))[0]
            }
            let places: [Place] = [.succeeded, .ready, .exhausted, .cancelled, .ready, .ready]
            #expect(try await f.whereabouts("a") == [places[way].rawValue, places[way].index])
            #expect(outcome != .stale)
            #expect(try await f.dump().index("h:k") == [:])
        }
    }

    @Test("is renewed until its lease ran out, not after")
    func renews() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            f.clock.advance(by: .microseconds(9_999_999))
            #expect(try await f.twice(RenewTests.verb([handle])) == [.renewed])
            #expect(try await f.dump().index("h:k") == ["a": f.now + 10_000_000])
            #expect(try await f.record("a").leaseExpires == f.moment(.seconds(10)))
            f.clock.advance(by: .seconds(10))
            #expect(try await f.unchanged(RenewTests.verb([handle])) == [.stale])
        }
    }

    @Test("says how far it is, and keeps its holder's words")
    func writes() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            #expect(try await f.twice(Progress(handle: handle, fraction: 0.5, message: "waits")) == .accepted)
            #expect(try await f.record("a").progress == 0.5)
            #expect(try await f.record("a").state == .paused)
        }
    }

    @Test("is locked to others, who may steal it, and is not claimed with many")
    func locked() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            let locked = AcquireOutcome.refused(.locked(until: f.moment(.seconds(10)), by: "host:1:a"))
            f.clock.advance(by: .seconds(1))
            #expect(
                try await f.unchanged(f.acquire("a", token: "2", options: [.force, .restart, .ignoreDue])) == locked
            )
            #expect(try await f.tracker.claim(["k"]) == [])
            let events = try await f.events { try await f.twice(f.acquire("a", token: "2", options: .ignoreLock)) }
            #expect(events == ["superseded k a | q by host:1:a", "claimed k a | \(f.now) by host:1:a"])
            #expect(try await f.whereabouts("a") == ["r", "r:k"])
            #expect(try await f.unchanged(Resume(handle)) == [.stale])
        }
    }

    @Test("is asked to stop when it is cancelled, and ends as cancelled")
    func cancelled() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            let events = try await f.events { () async throws in
                #expect(try await f.twice(Cancel(ids: ["a"], reason: "no")) == [.requested])
            }
            #expect(events == ["cancel-requested k a | no by host:1:a"])
            #expect(try await f.state("a") == .paused)
            #expect(try await f.tracker.renew(handle, for: .seconds(10)) == .cancelRequested)
            #expect(try await f.tracker.resume(handle) == .done(.running))
            #expect(try await f.tracker.renew(handle, for: .seconds(10)) == .cancelRequested)
            try await f.tracker.release([handle])
            #expect(try await f.state("a") == .cancelled)
        }
    }

    @Test("is taken back when its holder died: by a reaper, a claim, and who takes the lock", arguments: 0...2)
    func deadHolder(verb: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            f.clock.advance(by: .microseconds(9_999_999))
            #expect(try await f.tracker.reap().items == [])
            f.clock.advance(by: .microseconds(1))
            switch verb {
            case 0: #expect(try await f.tracker.reap().items.map(\.id) == ["a"])
            case 1: #expect(try await f.tracker.claim(["k"]) == [])
            default: #expect(try await f.claim("a", token: "2").crashes == 1)
            }
            #expect(try await f.record("a").crashes == 1)
            #expect(try await f.dump().index("h:k") == [:])
            #expect(try await f.unchanged(CompleteTests.verb([(handle, .empty)])) == [.stale])
        }
    }

    @Test("is taken back after those that ran, within the limit, and more is told")
    func reapLimit() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for id in ["h1", "h2"] as [TaskID] { try await f.bring(id, to: .held) }
            try await f.bring("r1", to: .running)
            f.clock.advance(by: .seconds(10))
            let first = try await f.tracker.reap(limit: 2)
            #expect(first.items.map(\.id) == ["r1", "h1"])
            #expect(first.more)
            #expect(try await f.tracker.reap(limit: 2).items.map(\.id) == ["h2"])
        }
    }

    @Test("stays while the clock seems to have jumped")
    func clockJump() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            let before = f.clock.now
            f.clock.advance(by: .seconds(3600))
            #expect(try await f.send(Reap(limit: 10, estimatedNow: before)).items == [])
            #expect(try await f.twice(RenewTests.verb([handle])) == [.renewed])
        }
    }

    @Test("is told with its lock, its attempt and its progress")
    func told() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            try await f.bring("b", to: .parked)
            let record = try await f.record("a")
            #expect(record.status == .paused)
            #expect(record.leaseExpires != nil)
            #expect(try await f.record("b").leaseExpires == nil)
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.running])
            #expect(try await f.tracker.stats().kinds[0].paused == 2)
            #expect(try await f.tracker.find(states: [.paused]).tasks.map(\.id) == ["b", "a"])
            #expect(try await f.send(f.acquire("a")) != .refused(.paused), "its own token is a repeat")
            #expect(handle.fence == record.fence)
        }
    }

    @Test("is known to the kind also after tasks of other priorities came, and after the policy was replaced")
    func flag() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .held)
            try await f.enqueue("b", priority: 7)
            try await f.tracker.define("k", policy: DefineTests.other, replacing: true)
            try await f.bring("c", to: .held, token: "2")
            #expect(try await f.dump().header["q:k"] == "5h7")
            #expect(try await f.tracker.peek(["k"]).map(\.id) == ["b"])
        }
    }
}
