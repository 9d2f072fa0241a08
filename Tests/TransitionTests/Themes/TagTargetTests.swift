import RedisWire
import Testing

@testable import Belay

/// Calls on all tasks of a tag.
@Suite("A call on a tag")
struct TagTargetTests {
    private static func cancel(_ tag: TaskTag, limit: Int = 500, passed: Int = 0) -> Cancel {
        Cancel(
            targets: .tag(tag, TaskState.unfinished, limit: limit, passed: passed),
            reason: "no",
            signal: nil,
            actor: TrackerFixture.actor
        )
    }

    /// Tasks `t1 ... tn` of tag `g`.
    private static func fill(_ count: Int, in f: TrackerFixture) async throws -> [TaskID] {
        let ids = (1...count).map { TaskID(trusted: "t\($0)") }
        for start in stride(from: 0, to: count, by: 500) {
            let part = ids[start..<min(start + 500, count)]
            _ = try await f.tracker.enqueue(part.map { NewTask("k", options: EnqueueOptions(id: $0, tags: ["g"])) })
        }
        return ids
    }

    @Test("cancels all that have not ended, asks those that run, and leaves the rest alone")
    func cancel() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            _ = try await Self.fill(4, in: f)
            try await f.create("other", "l", tags: ["g"])
            try await f.create("blocked", tags: ["g"], after: .after("t1"))
            try await f.create("stays", tags: ["h"])
            let claim = try await f.claim("t1")
            let held = try await f.claim("t2")
            _ = try await f.tracker.pause(held.handle)
            _ = try await f.tracker.pause(["t3"])
            try await f.finish("t4")
            #expect(
                try await f.tracker.cancel(tag: "g", reason: "no", signal: 9) == TagChange(changed: 3, requested: 2)
            )
            #expect(try await f.states("t1", "t2", "t3", "t4") == [.running, .paused, .cancelled, .succeeded])
            #expect(try await f.states("other", "blocked", "stays") == [.cancelled, .cancelled, .ready])
            #expect(try await f.record("other").cancelReason == "no")
            #expect(
                try await f.tracker.renew([claim, held]) == [
                    .terminateRequested(signal: 9), .terminateRequested(signal: 9),
                ]
            )
            #expect(try await f.tracker.cancel(tag: "g") == TagChange(changed: 0, requested: 2))
            #expect(try await f.tracker.cancel(tag: "none") == TagChange())
        }
    }

    @Test("works in steps, and passes over those that run once it has asked them")
    func steps() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await Self.fill(1210, in: f)
            let claims = try await f.tracker.claim(["k"], limit: 500) + f.tracker.claim(["k"], limit: 110)
            #expect(claims.count == 610)
            #expect(try await f.tracker.cancel(tag: "g", reason: "no") == TagChange(changed: 600, requested: 610))
            #expect(try await f.tally(ids) == [.running: 610, .cancelled: 600])
            let dump = try await f.dump()
            #expect(ids.count { dump.record($0)?["X"] != nil } == 610)
        }
    }

    @Test("tells whether more may follow, and acts on no more than it was to")
    func limit() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await Self.fill(5, in: f)
            _ = try await f.tracker.claim(["k"], limit: 3)
            var response: TargetedResponse<CancelOutcome> = try await f.send(Self.cancel("g", limit: 3))
            #expect(response.outcomes == [.cancelled, .cancelled, .requested])
            #expect(response.more)
            #expect(response.news == 1)
            response = try await f.send(Self.cancel("g", limit: 3, passed: 1))
            #expect(response.outcomes == [.requested, .requested])
            #expect(!response.more)
            #expect(response.news == 2)
            response = try await f.send(Self.cancel("g", limit: 3))
            #expect(response.outcomes == [.requested, .requested, .requested])
            #expect(response.news == 0)
            #expect(try await f.tally(ids) == [.running: 3, .cancelled: 2])
        }
    }

    @Test("retries what ended as asked, in steps, and so that parents go before their children")
    func retry() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await Self.fill(620, in: f)
            #expect(try await f.tracker.cancel(tag: "g").changed == 620)
            try await f.create("well", tags: ["g"])
            try await f.finish("well")
            try await f.create("spent", tags: ["g"])
            try await f.finish("spent", well: false)
            #expect(try await f.tracker.retry(tag: "g", states: [.exhausted]) == TagChange(changed: 1))
            #expect(try await f.state("spent") == .ready)
            #expect(try await f.tracker.retry(tag: "g", budget: .kept, message: "again") == TagChange(changed: 620))
            #expect(try await f.tally(ids) == [.ready: 620])
            #expect(try await f.state("well") == .succeeded)
            #expect(try await f.tracker.log(of: "t1")?.last?.message == "again")
            #expect(try await f.tracker.retry(tag: "g") == TagChange())
            for state in [TaskState.ready, .running, .blocked, .paused] {
                await #expect(throws: TrackerError.self) { try await f.tracker.retry(tag: "g", states: [state]) }
            }
        }
    }

    @Test("retries a whole flow: what waits for what is run again waits again", arguments: [true, false])
    func flow(byTag: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["flow"])
            try await f.create("b", tags: ["flow"], after: .after("a", condition: .succeeded))
            try await f.create("c", tags: ["flow"], after: .after("b", condition: .succeeded))
            try await f.finish("a", well: false)
            #expect(try await f.states("a", "b", "c") == [.exhausted, .cancelled, .cancelled])
            if byTag {
                #expect(try await f.tracker.retry(tag: "flow") == TagChange(changed: 3))
            } else {
                #expect(
                    try await f.twice(Retry(ids: ["c", "b", "a"], budget: .fresh)) == [.waiting, .waiting, .ready]
                )
            }
            #expect(try await f.states("a", "b", "c") == [.ready, .blocked, .blocked])
            for id in ["a", "b", "c"] as [TaskID] { try await f.finish(id) }
        }
    }

    @Test("retries a tag and who waits for it, whatever stands first", arguments: [false, true])
    func tagFlow(childFirst: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["g"])
            try await f.create("b", after: .after(tag: "g", condition: .succeeded))
            try await f.finish("a", well: false)
            let ids: [TaskID] = childFirst ? ["b", "a"] : ["a", "b"]
            let answers = try await f.twice(Retry(ids: ids, budget: .fresh))
            #expect(answers == (childFirst ? [.waiting, .ready] : [.ready, .waiting]))
            try await f.finish("a")
            #expect(try await f.state("b") == .ready)
        }
    }

    @Test("takes what runs from its holders, and nothing else")
    func recover() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await Self.fill(520, in: f)
            let claims = try await f.tracker.claim(["k"], limit: 500) + f.tracker.claim(["k"], limit: 10)
            #expect(try await f.tracker.recover(tag: "g", message: "crash") == TagChange(changed: 510))
            #expect(try await f.tally(ids) == [.ready: 520])
            #expect(try await f.tracker.renew(Array(claims.prefix(2))) == [.stale, .stale])
            #expect(try await f.tracker.attempts(of: "t1")?.map(\.outcome) == [.superseded])
            #expect(try await f.tracker.recover(tag: "g") == TagChange())
        }
    }

    @Test("deletes what has not ended, running or not, and keeps what has")
    func clean() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await Self.fill(520, in: f)
            try await f.create("child", tags: ["g"], after: .after("t1"))
            try await f.create("outside", after: .after("t1", condition: .failed))
            try await f.finish("t2")
            let claim = try await f.claim("t3")
            _ = try await f.tracker.pause(try await f.claim("t4").handle)
            #expect(try await f.tracker.clean(tag: "g") == TagChange(changed: 520))
            #expect(try await f.tracker.counts(ofTags: ["g"]).map { [$0.total, $0.succeeded] } == [[1, 1]])
            #expect(try await f.tracker.complete(claim.handle) == .gone)
            #expect(try await f.state("outside") == .ready)
        }
    }

    @Test("takes 1 to 500 tasks of at least one state in a step")
    func limits() {
        func retry(_ states: [TaskState], _ limit: Int) -> Retry {
            Retry(targets: .tag("g", states, limit: limit), budget: .fresh, actor: "op")
        }
        for bad in [retry([], 1), retry([.exhausted], 0), retry([.exhausted], 501)] {
            #expect(throws: TrackerError.self) { try bad.validate() }
        }
        #expect(throws: Never.self) { try retry([.exhausted], 500).validate() }
    }
}
