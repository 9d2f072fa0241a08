import RedisWire
import Testing

@testable import Belay

/// What the end of a task, however it came, means to those that wait for it, and how it is told to many.
@Suite("A task that waits for others, when a parent ends,")
struct ParentEndTests {
    /// Every way in which a task ends.
    enum Ending: String, CaseIterable, Sendable {
        case complete, completeAfterPause, failExhausted, failSpent, failIgnored, failCancelled, failAsked
        case releaseAsked, snoozeAsked, reapSpent, reapAsked, claimTakesBack, acquireBuries
        case cancelReady, cancelPaused, ignore, expiredAtClaim, expiredAtAcquire, sameContentAtClaim
        case delete, deletePaused, deleteHeld, undefine

        var isGood: Bool { self == .complete || self == .completeAfterPause }
    }

    /// Ends task `p` of kind `l`, which waits.
    private func end(_ how: Ending, in f: TrackerFixture) async throws {
        func held() async throws -> ClaimHandle { try await f.claim("p").handle }
        switch how {
        case .complete: try #require(try await f.twice(CompleteTests.verb([(held(), .empty)])) == [.accepted])
        case .completeAfterPause:
            let handle = try await held()
            try #require(try await f.tracker.pause(handle) == .done(.paused))
            try #require(try await f.twice(CompleteTests.verb([(handle, .empty)])) == [.accepted])
        case .failExhausted: try #require(try await f.twice(FailTests.verb([held()], .exhaust)) == [.exhausted])
        case .failSpent:
            for attempt in 1...2 {
                let claim = try await f.claim("p", token: "\(attempt)", options: .ignoreDue)
                try await f.twice(FailTests.verb([claim.handle], .retry()))
            }
        case .failIgnored:
            try await f.tracker.define("l", policy: KindPolicy(whenExhausted: .ignored), replacing: true)
            try #require(try await f.twice(FailTests.verb([held()], .exhaust)) == [.ignored])
        case .failCancelled: try #require(try await f.twice(FailTests.verb([held()], .cancelled)) == [.cancelled])
        case .failAsked:
            let handle = try await held()
            _ = try await f.tracker.cancel(["p"])
            try #require(try await f.twice(FailTests.verb([handle], .retry())) == [.cancelled])
        case .releaseAsked:
            let handle = try await held()
            _ = try await f.tracker.cancel(["p"])
            try #require(try await f.twice(Release(handles: [handle])) == [.cancelled])
        case .snoozeAsked:
            let handle = try await held()
            _ = try await f.tracker.cancel(["p"])
            try #require(try await f.twice(SnoozeTests.verb([handle], .seconds(1))) == [.cancelled])
        case .reapSpent, .claimTakesBack, .acquireBuries:
            _ = try await f.claim("p", token: "1")
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            _ = try await f.claim("p", token: "2", options: .ignoreDue)
            f.clock.advance(by: .seconds(10))
            switch how {
            case .reapSpent: try #require(try await f.tracker.reap().items.map(\.state) == [.exhausted])
            case .claimTakesBack: _ = try await f.send(f.claimMany(1, ["l"], token: "3"))
            default:
                try #require(try await f.twice(f.acquire("p", token: "3")) == .refused(.ended(.exhausted)))
            }
        case .reapAsked:
            _ = try await held()
            _ = try await f.tracker.cancel(["p"])
            f.clock.advance(by: .seconds(10))
            try #require(try await f.tracker.reap().items.map(\.state) == [.cancelled])
        case .cancelReady: try #require(try await f.twice(Cancel(ids: ["p"], reason: "no")) == [.cancelled])
        case .cancelPaused:
            _ = try await f.tracker.pause(["p"])
            try #require(try await f.twice(Cancel(ids: ["p"], reason: "no")) == [.cancelled])
        case .ignore: try #require(try await f.twice(Ignore("p")) == [.done(.ignored)])
        case .expiredAtClaim:
            f.clock.advance(by: .seconds(60))
            try #require(try await f.send(f.claimMany(1, ["l"], token: "3")).claims == [])
        case .expiredAtAcquire:
            f.clock.advance(by: .seconds(60))
            try #require(try await f.twice(f.acquire("p", token: "3")) == .refused(.ended(.cancelled)))
        case .sameContentAtClaim:
            try #require(try await f.claim("twin", token: "1").id == "twin")
            try #require(try await f.send(f.claimMany(1, ["l"], token: "3")).claims == [])
        case .delete: try #require(try await f.send(Delete(ids: ["p"], force: false)) == [.deleted])
        case .deletePaused:
            _ = try await f.tracker.pause(["p"])
            try #require(try await f.send(Delete(ids: ["p"], force: false)) == [.deleted])
        case .deleteHeld:
            _ = try await held()
            try #require(try await f.send(Delete(ids: ["p"], force: true)) == [.deleted])
        case .undefine: try #require(try await f.tracker.undefine("l", force: true) == .removed(tasks: 1))
        }
    }

    /// Task `p` of kind `l`, so made that each ending can happen to it.
    private func parent(of how: Ending, tags: [TaskTag] = [], in f: TrackerFixture) async throws {
        var policy = TrackerFixture.policy
        policy.attempts = 2
        try await f.tracker.define("l", policy: policy)
        let content = Uniqueness(key: "x", states: [.running])
        if how == .sameContentAtClaim { try await f.create("twin", "l", due: .after(.zero), unique: content) }
        let isExpiring = how == .expiredAtClaim || how == .expiredAtAcquire
        try await f.create(
            "p",
            "l",
            tags: tags,
            expires: isExpiring ? .after(.seconds(60)) : nil,
            unique: how == .sameContentAtClaim ? content : nil
        )
    }

    @Test("is told of the end of a task, however it came", arguments: Ending.allCases)
    func endings(how: Ending) async throws {
        try await TrackerFixture.run { f async throws in
            try await parent(of: how, in: f)
            let ids = try await DependencyTests.family(of: .task("p"), in: f)
            #expect(try await f.tally(ids) == [.blocked: 4])
            try await end(how, in: f)
            let expected: [TaskState] =
                how.isGood ? [.ready, .ready, .cancelled, .ready] : [.ready, .cancelled, .ready, .ready]
            #expect(try await f.states("ended", "succeeded", "failed", "endedOrFirstFailure") == expected)
            #expect(try await f.dump().keys["f:t:p"] == nil)
            #expect(try await f.dump().index("ends") == [:])
            let lost = try await f.record(how.isGood ? "failed" : "succeeded")
            #expect(lost.cause == .parentFailed(.task("p")))
            #expect(lost.cancelReason == nil)
        }
    }

    @Test("is told of the end of a tag's last task, however it came", arguments: Ending.allCases)
    func tagEndings(how: Ending) async throws {
        try await TrackerFixture.run { f async throws in
            try await parent(of: how, tags: ["g"], in: f)
            let ids = try await DependencyTests.family(of: .tag("g"), in: f)
            #expect(try await f.tally(ids) == [.blocked: 4])
            try await end(how, in: f)
            let expected: [TaskState] =
                how.isGood ? [.ready, .ready, .cancelled, .ready] : [.ready, .cancelled, .ready, .ready]
            #expect(try await f.states("ended", "succeeded", "failed", "endedOrFirstFailure") == expected)
            #expect(try await f.dump().keys["f:g:g"] == nil)
        }
    }

    @Test("is told of a tag's task that is recorded as a duplicate")
    func recordedDuplicate() async throws {
        try await TrackerFixture.run { f async throws in
            let unique = Uniqueness(key: "x", later: .record)
            try await f.create("a", tags: ["g"], unique: unique)
            let ids = try await DependencyTests.family(of: .tag("g"), in: f)
            let response = try await f.create("b", tags: ["g"], unique: unique)
            #expect(response.repeated == [0: "a"])
            #expect(try await f.states("b", "succeeded", "failed") == [.cancelled, .cancelled, .ready])
            #expect(try await f.states("ended", "endedOrFirstFailure") == [.blocked, .ready])
            try await f.finish("a")
            #expect(try await f.tally(ids) == [.ready: 3, .cancelled: 1])
        }
    }

    @Test("ends for its own children when it can never have what it needs, however deep")
    func cascade() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("t0")
            for level in 1...5 {
                let parent = TaskID(trusted: "t\(level - 1)")
                try await f.create(TaskID(trusted: "t\(level)"), after: .after(parent, condition: .succeeded))
            }
            try await f.create("rescue", after: .after("t5", condition: .failed))
            let events = try await f.events { try await f.finish("t0", well: false) }
            #expect(try await f.states("t1", "t5", "rescue") == [.cancelled, .cancelled, .ready])
            #expect(
                Set(events.dropFirst().map { String($0.prefix(13)) }) == [
                    "exhausted k t", "parent-failed", "unblocked k r",
                ]
            )
            #expect(try await f.record("t5").cause == .parentFailed(.task("t4")))
            let reason = try #require(try await f.tracker.explain("t5")?.reasons.first)
            #expect(reason == .parentFailed(at: f.clock.now, parent: .task("t4")))
        }
    }

    // MARK: The budget of a call

    @Test(
        "is one of 450 that are told of an end, 200 at once and the rest by reapers or claims",
        arguments: [false, true]
    )
    func budget(byClaim: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let ids = try await f.children(450, after: .after("p", condition: .succeeded))
            try await f.finish("p")
            #expect(try await f.tally(ids) == [.ready: 200, .blocked: 250])
            #expect(Set(try await f.dump().index("ends").keys) == ["s t:p\n\(f.now)"])
            if byClaim {
                // A claim that finds as much as it asked for has other things to do.
                #expect(try await f.send(f.claimMany(200, token: "1")).claims.count == 200)
                #expect(try await f.dump().index("j:k").count == 250)
                #expect(try await f.send(f.claimMany(1, token: "2")).nextDue == f.clock.now)
                #expect(try await f.send(f.claimMany(201, token: "3")).claims.count == 200)
                #expect(try await f.send(f.claimMany(500, token: "4")).claims.count == 50)
            } else {
                for rest in [50, 0] {
                    _ = try await f.tracker.reap()
                    #expect(try await f.dump().index("j:k").count == rest)
                }
                #expect(try await f.tally(ids) == [.ready: 450])
            }
            #expect(try await f.dump().index("ends") == [:])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("f:") } == [])
        }
    }

    @Test("is told once although its parent is purged, deleted or run again before its turn comes", arguments: 0...2)
    func lateTurn(what: Int) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let ids = try await f.children(250, after: .after("p", condition: .succeeded))
            try await f.finish("p")
            switch what {
            case 0:
                f.clock.advance(by: .seconds(3600))
                #expect(try await f.tracker.purge().items.map(\.id) == ["p"])
            case 1: #expect(try await f.tracker.delete(["p"]) == [.deleted])
            default: #expect(try await f.tracker.retry(["p"]) == [.ready])
            }
            _ = try await f.tracker.reap()
            #expect(try await f.tally(ids) == [.ready: 250])
            #expect(try await f.dump().index("ends") == [:])
        }
    }

    @Test("that joins a parent which runs again is not told of the end before")
    func joinsLate() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.children(250, after: .after("p"))
            try await f.finish("p")
            f.clock.advance(by: .milliseconds(1))
            #expect(try await f.tracker.retry(["p"]) == [.ready])
            try await f.create("new", after: .after("p"))
            _ = try await f.tracker.reap()
            #expect(try await f.state("new") == .blocked)
            try await f.finish("p", well: false)
            #expect(try await f.state("new") == .ready)
        }
    }

    @Test("is one of many that fail with a parent, and their children with them, without a limit on the whole")
    func wideCascade() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let first = try await f.children(150, after: .after("p", condition: .succeeded))
            var second: [TaskID] = []
            for id in first {
                second += try await f.children(2, after: .after(id, condition: .succeeded), prefix: "\(id).")
            }
            _ = try await f.tracker.cancel(["p"])
            for _ in 1...40 where try await !f.dump().index("ends").isEmpty { _ = try await f.tracker.reap() }
            #expect(try await f.tally(first + second) == [.cancelled: 450])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("f:") } == [])
        }
    }

    @Test("of two parents that end in one call is told of both")
    func together() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b")]
            try await f.create("c", after: .after("a", "b"))
            try await f.twice(CompleteTests.verb(claims.map { ($0.handle, .empty) }))
            #expect(try await f.state("c") == .ready)
        }
    }
}
