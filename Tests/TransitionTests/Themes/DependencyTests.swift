import RedisWire
import Testing

@testable import Belay

/// Tasks that wait for others, over all verbs.
@Suite("A task that waits for others")
struct DependencyTests {
    static let conditions = Dependencies.Condition.allCases

    /// One child of each condition.
    static func family(of parent: Dependencies.Parent, in f: TrackerFixture) async throws -> [TaskID] {
        let ids = Self.conditions.map { TaskID(trusted: $0.rawValue) }
        for (id, condition) in zip(ids, Self.conditions) {
            try await f.create(id, after: Dependencies([parent], condition: condition))
        }
        return ids
    }

    // MARK: Being enqueued

    @Test("stands apart from what is ready, with what it needs")
    func blocked() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let events = try await f.events { try await f.create("c", priority: 9, after: .after("p")) }
            #expect(events == ["blocked k c"])
            let dump = try await f.dump()
            #expect(dump.index("j:k") == ["c": f.now])
            #expect(dump.index("f:t:p") == ["c": 0])
            #expect(dump.list("g:c") == ["t:p"])
            #expect(dump.record("p")?["L"] == "c")
            let record = try await f.record("c")
            #expect(record.state == .blocked)
            #expect(record.awaited == 1)
            #expect(record.status == .blocked)
            #expect(try await f.tracker.claim(["k"], limit: 9).map(\.id) == ["p"])
            #expect(try await f.twice(f.acquire("c")) == .refused(.blocked))
            #expect(
                try await f.twice(f.acquire("c", options: [.force, .ignoreDue, .ignoreLock, .restart]))
                    == .refused(.blocked)
            )
            #expect(try await f.tracker.stats().kinds.first?.blocked == 1)
            #expect(try await f.tracker.find(states: [.blocked]).tasks.map(\.id) == ["c"])
        }
    }

    @Test("is ready, or over, at once when its parents have ended")
    func decided() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("well")
            try await f.enqueue("ill")
            try await f.finish("well")
            try await f.finish("ill", well: false)
            for (parent, states) in [
                ("well", [.ready, .ready, .cancelled, .ready]), ("ill", [.ready, .cancelled, .ready, .ready]),
            ] as [(TaskID, [TaskState])] {
                for (condition, state) in zip(Self.conditions, states) {
                    let id = TaskID(trusted: "\(parent).\(condition.rawValue)")
                    let events = try await f.events {
                        try await f.create(id, after: .after(parent, condition: condition))
                    }
                    #expect(events == [state == .ready ? "enqueued k \(id)" : "parent-failed k \(id) | t:\(parent)"])
                    #expect(try await f.state(id) == state)
                }
            }
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("f:") } == [])
        }
    }

    @Test("keeps its delay when it is unblocked before, and does not make up for it after")
    func delays() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.create("early", due: .after(.seconds(60)), after: .after("p"))
            try await f.create("late", due: .after(.seconds(1)), after: .after("p"))
            let early = f.moment(.seconds(60))
            f.clock.advance(by: .seconds(5))
            let events = try await f.events { try await f.finish("p") }
            #expect(events.contains("unblocked k early,late | \(early.microseconds),\(f.now)"))
            #expect(try await f.record("early").due == early)
            #expect(try await f.record("late").due == f.clock.now)
            #expect(try await f.tracker.claim(["k"], limit: 9).map(\.id) == ["late"])
        }
    }

    @Test("keeps its priority")
    func priority() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.create("c", priority: 9, after: .after("p"))
            try await f.finish("p")
            #expect(try await f.dump().index("q:9:k") == ["c": f.now])
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["c"])
        }
    }

    @Test("may wait for tasks and tags of the same call that stand before it")
    func sameCall() async throws {
        try await TrackerFixture.run { f async throws in
            let items = [
                EnqueueTests.item("a", wishes: .init(tags: ["g"])),
                EnqueueTests.item("b", wishes: .init(after: .after("a"))),
                EnqueueTests.item("c", wishes: .init(after: .after(tag: "g"))),
                EnqueueTests.item("d", wishes: .init(after: .after("b", "c"))),
            ]
            #expect(try await f.twice(EnqueueTests.verb(items)) == Enqueue.Response())
            #expect(try await f.states("a", "b", "c", "d") == [.ready, .blocked, .blocked, .blocked])
            for id in ["a", "b", "c", "d"] as [TaskID] { try await f.finish(id) }
        }
    }

    @Test("is refused with its whole call when a parent is unknown, stands behind it, or is itself")
    func unknownParents() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            let before = try await f.dump()
            for (parent, text) in [(.task("nobody"), "t:nobody"), (.tag("none"), "g:none"), (.task("z"), "t:z")]
                as [(Dependencies.Parent, String)]
            {
                let tasks = [
                    NewTask("k", options: EnqueueOptions(id: "c", after: Dependencies([.task("a"), parent]))),
                    NewTask("k", options: EnqueueOptions(id: "z")),
                ]
                await #expect {
                    try await f.tracker.enqueue(tasks)
                } throws: {
                    let error = $0 as? TrackerError
                    return error?.code == .unknownParent && error?.message.contains(text) == true
                        && error?.message.contains("c") == true && error?.outcome == .nothing
                }
            }
            await #expect(throws: TrackerError.self) {
                try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(id: "c", after: .after("c")))])
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("is found again by its request although its parents are gone")
    func repeatWithoutParents() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let item = EnqueueTests.item("c", wishes: .init(after: .after("p")))
            let request = f.request(EnqueueTests.verb([item]))
            let first = try await f.send(request)
            _ = try await f.tracker.delete(["p"])
            #expect(try await f.send(request) == first)
            #expect(try await f.state("c") == .ready)
        }
    }

    @Test("waits for the task that is there in place of a duplicate")
    func insteadOfDuplicate() async throws {
        try await TrackerFixture.run { f async throws in
            for later in Uniqueness.Later.allCases {
                let unique = Uniqueness(key: later.rawValue, later: later)
                let (first, second) = (TaskID(trusted: "a\(later)"), TaskID(trusted: "b\(later)"))
                let child = TaskID(trusted: "c\(later)")
                try await f.create(first, unique: unique)
                let items = [
                    EnqueueTests.item(second.description, wishes: .init(unique: unique)),
                    EnqueueTests.item(child.description, wishes: .init(after: .after(second, condition: .succeeded))),
                ]
                let response = try await f.send(EnqueueTests.verb(items, nonce: later.rawValue))
                #expect(response.repeated == [0: first])
                #expect(try await f.state(child) == .blocked)
                #expect(try await f.tracker.parents(of: child)?.map(\.parent) == [.task(first)])
                try await f.finish(first)
                #expect(try await f.state(child) == .ready)
            }
        }
    }

    @Test("is not created either when its parent finds no room in the queue")
    func fullParent() async throws {
        try await TrackerFixture.run(policy: KindPolicy(queueLimit: 1)) { f async throws in
            try await f.enqueue("a")
            let tasks = [
                NewTask("k", options: EnqueueOptions(id: "b")),
                NewTask("k", options: EnqueueOptions(id: "c", after: .after("b"))),
            ]
            #expect(try await f.tracker.enqueue(tasks) == [.full("b", limit: 1), .full("c", limit: 1)])
            #expect(try await f.states("b", "c") == [nil, nil])
        }
    }

    @Test("takes 1 to 100 parents, each once, and a share above 0 to 1")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 101)
            func enqueue(_ dependencies: Dependencies) async throws {
                try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(id: "c", after: dependencies))])
            }
            for bad in [
                Dependencies([]), Dependencies(ids.map { .task($0) }), .after("t1", "t1"),
                .after("t1", quorum: .share(0)), .after("t1", quorum: .share(1.01)), .after("t1", quorum: .share(.nan)),
            ] {
                await #expect(throws: TrackerError.self) { try await enqueue(bad) }
            }
            try await enqueue(Dependencies(ids.prefix(100).map { .task($0) }))
            #expect(try await f.record("c").awaited == 100)
            #expect(try await f.tracker.delete(["c"]) == [.deleted])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("f:") || $0.hasPrefix("g:") } == [])
        }
    }

    // MARK: How many

    @Test(
        "needs as many as it says",
        arguments: [
            (.all, 4), (.any, 1), (.share(0.5), 2), (.share(0.51), 3), (.share(1), 4), (.share(0.001), 1),
        ] as [(Dependencies.Quorum, Int)]
    )
    func quorums(quorum: Dependencies.Quorum, needed: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 4, prefix: "p")
            for condition in [Dependencies.Condition.ended, .succeeded] {
                let dependencies = Dependencies(ids.map { .task($0) }, condition: condition, quorum: quorum)
                try await f.create(TaskID(trusted: condition.rawValue), after: dependencies)
            }
            for (place, id) in ids.enumerated() {
                #expect(
                    try await f.states("ended", "succeeded")
                        == (place < needed ? [.blocked, .blocked] : [.ready, .ready])
                )
                try await f.finish(id)
            }
            #expect(try await f.states("ended", "succeeded") == [.ready, .ready])
        }
    }

    @Test("is over as soon as it cannot have as many as it needs, and not before")
    func lost() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 4, prefix: "p")
            let parents = ids.map { Dependencies.Parent.task($0) }
            try await f.create("half", after: Dependencies(parents, condition: .succeeded, quorum: .share(0.5)))
            try await f.create("bad", after: Dependencies(parents, condition: .failed, quorum: .share(0.75)))
            for (well, half, bad) in [
                (false, .blocked, .blocked), (true, .blocked, .blocked), (false, .blocked, .blocked),
                (false, .cancelled, .ready),
            ] as [(Bool, TaskState, TaskState)] {
                let id = ids[try await f.tally(ids)[.ready].map { 4 - $0 } ?? 4]
                try await f.finish(id, well: well)
                #expect(try await f.states("half", "bad") == [half, bad])
            }
            #expect(try await f.record("half").cause == .parentFailed(.task("p4")))
        }
    }

    @Test("runs at the first failure when it asked for that, whatever else goes on")
    func firstFailure() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 3, prefix: "p")
            let after = Dependencies(ids.map { .task($0) }, condition: .endedOrFirstFailure)
            try await f.create("c", after: after)
            try await f.finish("p1")
            #expect(try await f.record("c").awaited == 2)
            try await f.finish("p2", well: false)
            #expect(try await f.state("c") == .ready)
            try await f.finish("p3", well: false)
            #expect(try await f.state("c") == .ready)
            #expect(try await f.claim("c").attempt == 1)
        }
    }

    // MARK: Tags as parents

    @Test("of a tag waits for those too that are enqueued with it before all have ended")
    func growingTag() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["g"])
            try await f.create("c", after: .after(tag: "g"))
            try await f.create("b", tags: ["g"])
            try await f.finish("a")
            #expect(try await f.state("c") == .blocked)
            try await f.finish("b")
            #expect(try await f.state("c") == .ready)
        }
    }

    @Test("of a tag hears of a bad end at once when that matters to it, and of the last end otherwise")
    func firstBadEnd() async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["a", "b", "d"] as [TaskID] { try await f.create(id, tags: ["g"]) }
            _ = try await Self.family(of: .tag("g"), in: f)
            try await f.finish("a")
            #expect(try await f.states("ended", "succeeded", "failed") == [.blocked, .blocked, .blocked])
            try await f.finish("b", well: false)
            #expect(
                try await f.states("ended", "succeeded", "failed", "endedOrFirstFailure") == [
                    .blocked, .cancelled, .ready, .ready,
                ]
            )
            #expect(try await f.dump().index("f:g:g") == ["ended": 0])
            try await f.finish("d")
            #expect(try await f.state("ended") == .ready)
        }
    }

    @Test("of a tag and a task counts each as one parent")
    func mixed() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["g"])
            try await f.create("b", tags: ["g"])
            try await f.enqueue("p")
            try await f.create("c", after: Dependencies([.tag("g"), .task("p")], quorum: .all))
            #expect(try await f.record("c").awaited == 2)
            try await f.finish("a")
            try await f.finish("b")
            #expect(try await f.record("c").awaited == 1)
            try await f.finish("p")
            #expect(try await f.state("c") == .ready)
        }
    }

    // MARK: Operators

    @Test("is cancelled, set aside and deleted, and its parents know nothing of it any more")
    func operators() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.enqueue("q")
            for id in ["cancel", "ignore", "delete", "force"] as [TaskID] {
                try await f.create(id, tags: ["g"], after: .after("p", "q"))
            }
            #expect(
                try await f.twice(Pause("cancel")) == [
                    .refused(IllegalTransition(found: .blocked, allowed: [.ready, .paused]))
                ]
            )
            #expect(
                try await f.unchanged(Resume("cancel")).map { if case .refused = $0 { true } else { false } } == [true]
            )
            #expect(try await f.twice(Cancel(ids: ["cancel"], reason: "no")) == [.cancelled])
            #expect(try await f.twice(Ignore("ignore")) == [.done(.ignored)])
            #expect(try await f.send(Delete(ids: ["delete"], force: false)) == [.deleted])
            #expect(try await f.unchanged(Retry(ids: ["force"], budget: .fresh)) == [.blocked])
            let events = try await f.events { () async throws in
                #expect(try await f.twice(Retry(ids: ["force"], budget: .fresh, force: true)) == [.ready])
            }
            #expect(events == ["requeued k force | j"])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("f:") } == [])
            #expect(try await f.states("cancel", "ignore", "delete", "force") == [.cancelled, .ignored, nil, .ready])
            try await f.finish("p")
            try await f.finish("q")
            #expect(try await f.states("cancel", "ignore", "delete", "force") == [.cancelled, .ignored, nil, .ready])
        }
    }

    @Test("of an id that was used before is told of its own parents only")
    func usedId() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 4)
            try await f.create("c", after: .after("t1", "t2"))
            _ = try await f.tracker.cancel(["c"])
            _ = try await f.tracker.delete(["c"])
            try await f.create("c", after: .after("t3", "t4"))
            try await f.finish("t1")
            try await f.finish("t3")
            #expect(try await f.state("c") == .blocked)
            try await f.finish("t4")
            #expect(try await f.state("c") == .ready)
        }
    }

    @Test("waits again when it is retried before its parents have ended, and runs when they can not help any more")
    func retries() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.create("c", after: .after("p", condition: .succeeded))
            try await f.finish("p", well: false)
            #expect(try await f.state("c") == .cancelled)
            let events = try await f.events { () async throws in
                #expect(try await f.twice(Retry(ids: ["c", "p"], budget: .fresh)) == [.waiting, .ready])
            }
            #expect(events.sorted() == ["blocked k c", "requeued k p | x"])
            #expect(try await f.record("c").cause == nil)
            try await f.finish("p", well: false)
            #expect(try await f.state("c") == .cancelled)
            #expect(try await f.twice(Retry(ids: ["c"], budget: .fresh)) == [.ready], "somebody asked for it")
            try await f.finish("c")
            _ = try await f.tracker.retry(["p"])
            #expect(try await f.twice(Retry(ids: ["c"], budget: .fresh)) == [.waiting])
            #expect(try await f.unchanged(Retry(ids: ["c"], budget: .fresh)) == [.blocked])
        }
    }

    @Test("is explained by what it waits for")
    func explained() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 12, prefix: "p")
            try await f.create("c", after: Dependencies(ids.map { .task($0) }, quorum: .share(0.5)))
            try await f.finish("p1")
            let explanation = try #require(try await f.unchanged(Explain(id: "c")))
            let open = ids[1...10].map { ParentOutcome(parent: .task($0), state: .ready, result: nil) }
            #expect(explanation.reasons == [.awaiting(parents: Array(open), needed: 5, unfinished: 11)])
            #expect(
                "\(explanation.reasons[0])".hasPrefix("waits for 5 of 11 parents that have not ended: t:p2 (ready), ")
            )
        }
    }

    @Test("wakes an idle worker when it becomes ready")
    func wakes() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running("p")
            try await f.create("c", after: .after("p"))
            try await f.send(f.claimMany(token: "idle", worker: WorkerName(trusted: "host:2:b"), wait: .seconds(1)))
            #expect(try await f.dump().index("i:k").count == 1)
            try await f.tracker.complete(claim.handle)
            #expect(try await f.dump().index("i:k") == [:])
        }
    }
}
