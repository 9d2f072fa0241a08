import RedisWire
import Testing

@testable import Belay

@Suite("retry")
struct RetryTests {
    /// A task that ended exhausted after two failures and a crash.
    static func spent(_ id: TaskID, in f: TrackerFixture) async throws {
        try await f.enqueue(id)
        for attempt in 1...3 {
            let claim = try await f.claim(id, token: "\(attempt)", options: .ignoreDue)
            if attempt == 2 {
                f.clock.advance(by: .seconds(10))
                _ = try await f.tracker.reap()
            } else {
                try await f.tracker.fail(claim.handle, failure)
            }
        }
        try #require(try await f.state(id) == .exhausted)
    }

    @Test("begins an exhausted task anew with all attempts; history and fence go on")
    func fresh() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.spent("a", in: f)
            let fence = try await f.record("a").fence
            f.clock.advance(by: .seconds(5))
            var answers: [RetryOutcome] = []
            let events = try await f.events { answers = try await f.twice(Retry(ids: ["a"], budget: .fresh)) }
            #expect(answers == [.ready])
            #expect(events == ["requeued k a | x"])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes, record.snoozes] == [0, 0, 0, 0])
            #expect(record.due == f.clock.now)
            #expect(record.fence == fence)
            #expect(try await f.tracker.attempts(of: "a")?.count == 3)
            #expect(try await f.claim("a", token: "again").attempt == 1)
        }
    }

    @Test("leaves an exhausted task one more attempt when the counts are kept")
    func kept() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.spent("a", in: f)
            #expect(try await f.twice(Retry(ids: ["a"], budget: .kept)) == [.ready])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes] == [3, 2, 1])
            #expect(record.attemptLimit == 4)
            let claim = try await f.claim("a", token: "again")
            #expect([claim.attempt, claim.failures, claim.crashes] == [4, 2, 1])
            #expect(try await f.tracker.fail(claim.handle, failure) == .exhausted)
        }
    }

    @Test("leaves a task that had attempts left just those")
    func keptWithRest() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.tracker.fail(claim.handle, failure, .exhaust)
            try await f.twice(Retry(ids: ["a"], budget: .kept))
            #expect(try await f.record("a").attemptLimit == nil)
            #expect(try await f.claim("a", token: "2").attempt == 2)
        }
    }

    @Test("runs a waiting task now, and leaves one alone that is due")
    func waiting() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("due")
            try await f.enqueue("later", delay: .seconds(60))
            let failed = try await f.running("failed")
            try await f.tracker.fail(failed.handle, failure)
            f.clock.advance(by: .milliseconds(1))
            let events = try await f.events {
                _ = try await f.twice(Retry(ids: ["due", "later", "failed"], budget: .fresh))
            }
            #expect(events == ["requeued k later,failed | q,q"])
            #expect(try await f.dump().index("q:5:k") == ["due": f.now - 1000, "later": f.now, "failed": f.now])
            #expect(try await f.record("failed").failures == 1, "only an ended task begins anew")
        }
    }

    @Test("runs a succeeded and a cancelled task again, without their result and reason")
    func otherEnds() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("small"), try await f.running("large")]
            try await f.tracker.complete(claims[0].handle, result: Body(text: "1"))
            try await f.tracker.complete(claims[1].handle, result: Body(bytes: Array(repeating: 1, count: 300)))
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"], reason: "no")
            let ids: [TaskID] = ["small", "large", "c"]
            #expect(try await f.twice(Retry(ids: ids, budget: .fresh)) == [.ready, .ready, .ready])
            for id in ids {
                let record = try await f.record(id)
                #expect(record.state == .ready)
                #expect(record.result == nil)
                #expect(record.cancelReason == nil)
                #expect(record.cancelRequested == nil)
            }
            #expect(try await f.dump().string("o:large") == nil)
            #expect(try await f.unchanged(CompleteTests.verb([(claims[0].handle, .empty)])) == [.stale])
        }
    }

    @Test("answers each task in its order: ready, running, not found; a twin is ready")
    func answers() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running("busy")
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"])
            let answers = try await f.twice(Retry(ids: ["busy", "nobody", "c", "c"], budget: .fresh))
            #expect(answers == [.running, .notFound, .ready, .ready])
            #expect(try await f.dump().events.filter { $0.hasPrefix("requeued") } == ["requeued k c | c"])
        }
    }

    @Test("runs every task again but one that is held", arguments: Place.allCases, [false, true])
    func places(place: Place, force: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            f.clock.advance(by: .seconds(1))
            let verb = Retry(ids: ["a"], budget: .fresh, force: force, message: "again", nonce: "n1")
            if place == .ready {
                #expect(try await f.unchanged(verb) == [.ready], "it is due already")
            } else if place.isHeld, !force {
                #expect(try await f.unchanged(verb) == [.running])
            } else {
                #expect(try await f.twice(verb) == [.ready])
                #expect(try await f.whereabouts("a") == ["q", "q:5:k"])
                #expect(try await f.dump().list("l:a").last == "\(f.now) requeued op n1\nagain")
                #expect(try await f.record("a").due == f.clock.now)
            }
        }
    }

    @Test("takes a task from its holder by force, who is refused from then on", arguments: [RetryBudget.fresh, .kept])
    func force(budget: RetryBudget) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", attempts: 1)
            let claim = try await f.claim("a")
            _ = try await f.tracker.save(claim.handle, data: Body(text: "data"))
            _ = try await f.tracker.respond(claim.handle, Body(bytes: Array(repeating: 1, count: 300)))
            _ = try await f.tracker.progress(claim.handle, 0.5, message: "half")
            _ = try await f.tracker.cancel(["a"], reason: "no")
            f.clock.advance(by: .seconds(1))
            let events = try await f.events { () async throws in
                #expect(try await f.twice(Retry(ids: ["a"], budget: budget, force: true)) == [.ready])
            }
            #expect(events == ["requeued k a | r", "superseded k a | q by host:1:a"])
            let record = try await f.record("a")
            #expect(record.attempts == (budget == .fresh ? 0 : 1))
            #expect(record.attemptLimit == (budget == .fresh ? 1 : 2))
            #expect(record.cancelRequested == nil)
            #expect(record.progress == nil)
            #expect(record.result == nil)
            #expect(record.data == Body(text: "data"))
            #expect(record.lastFailure?.outcome == .superseded)
            #expect(try await f.tracker.renew([claim]) == [.stale])
            #expect(try await f.tracker.complete(claim.handle) == .stale)
            #expect(try await f.tracker.fail(claim.handle, failure) == .stale)
            let next = try await f.claim("a", token: "2")
            #expect(next.fence > claim.fence)
        }
    }

    @Test("answers a repeat as the first request, whatever has become of the task since", arguments: [false, true])
    func repeats(force: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: force ? .running : .exhausted)
            let verb = Retry(ids: ["a"], budget: .fresh, force: force)
            let request = f.request(verb)
            let answer = try await f.send(request)
            func unchanged() async throws {
                let before = try await f.dump()
                #expect(try await f.send(request) == answer)
                #expect(try await f.dump().changes(since: before) == [])
            }
            let claim = try await f.claim("a", token: "2")
            try await unchanged()
            #expect(try await f.tracker.fail(claim.handle, failure) == .ready(due: f.moment(.seconds(1))))
            try await unchanged()
            let second = try await f.claim("a", token: "3", options: .ignoreDue)
            try await f.tracker.complete(second.handle)
            try await unchanged()
            #expect(try await f.tracker.retry(["a"]) == [.ready], "another request is another matter")
        }
    }

    @Test("keeps the priority of a task")
    func priority() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 8)
            _ = try await f.tracker.cancel(["a"])
            try await f.twice(Retry(ids: ["a"], budget: .fresh))
            #expect(try await f.dump().index("q:8:k") == ["a": f.now])
        }
    }

    @Test("runs 500 tasks again in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            _ = try await f.tracker.cancel(ids)
            #expect(try await f.twice(Retry(ids: ids, budget: .kept)) == Array(repeating: .ready, count: 500))
            await #expect(throws: TrackerError.self) { try await f.tracker.retry(ids + ["t1"]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.retry([]) }
            let long = String(repeating: "x", count: 1025)
            await #expect(throws: TrackerError.self) { try await f.tracker.retry(["t1"], message: long) }
        }
    }
}
