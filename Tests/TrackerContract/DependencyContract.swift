import BelayTestKit
import Testing

@testable import Belay

/// Tasks that wait for others, on every backend.
@Suite("dependencies")
struct DependencyContract {
    private static let quorums: [Dependencies.Quorum] = [.all, .any, .share(0.5)]
    /// Ends of three parents, each of the four without success in every place.
    private static let outcomes: [[TaskState?]] = [
        [.succeeded, .succeeded, .succeeded], [.succeeded, .succeeded, .exhausted],
        [.succeeded, .cancelled, .succeeded],
        [.ignored, .succeeded, .succeeded], [.succeeded, nil, .exhausted], [.exhausted, .succeeded, .ignored],
        [nil, .cancelled, .succeeded], [.cancelled, .ignored, nil],
    ]

    /// What so many ends, good and bad, of three parents mean.
    private static func expected(
        _ condition: Dependencies.Condition,
        _ quorum: Dependencies.Quorum,
        good: Int,
        bad: Int
    ) -> TaskState {
        if condition == .endedOrFirstFailure, bad > 0 { return .ready }
        let needed = quorum == .all ? 3 : quorum == .any ? 1 : 2
        let counted = condition == .succeeded ? good : condition == .failed ? bad : good + bad
        return counted >= needed ? .ready : counted + 3 - good - bad < needed ? .cancelled : .blocked
    }

    @Test(
        "a task runs once its parents ended as it needs, and is cancelled once they cannot",
        arguments: TestedBackend.allCases,
        Dependencies.Condition.allCases
    )
    func conditions(backend: TestedBackend, condition: Dependencies.Condition) async throws {
        try await backend.run { tracker, _ in
            for (place, quorum) in Self.quorums.enumerated() {
                for (number, ends) in Self.outcomes.enumerated() {
                    let parents = try (0..<3).map { try TaskID("\(place)-\(number)-\($0)") }
                    let child = try TaskID("\(place)-\(number)")
                    for id in parents { try await tracker.add(id) }
                    let after = Dependencies(parents.map { .task($0) }, condition: condition, quorum: quorum)
                    try await tracker.add(new(child, after: after))
                    var (good, bad, decided) = (0, 0, TaskState.blocked)
                    for (parent, end) in zip(parents, ends) {
                        #expect(try await tracker.state(of: child) == decided)
                        try await tracker.end(parent, as: end)
                        if end == .succeeded { good += 1 } else { bad += 1 }
                        if decided == .blocked { decided = Self.expected(condition, quorum, good: good, bad: bad) }
                        let record = try await tracker.get(child)
                        #expect(record?.state == decided, "\(condition) \(quorum) \(ends)")
                        #expect(record?.cause == nil || decided == .cancelled)
                    }
                    #expect(decided != .blocked)
                }
            }
        }
    }

    @Test(
        "of parents that ended before, a task is ready or cancelled at once",
        arguments: TestedBackend.allCases,
        Dependencies.Condition.allCases
    )
    func endedBefore(backend: TestedBackend, condition: Dependencies.Condition) async throws {
        try await backend.run { tracker, _ in
            let ends: [TaskID: TaskState] = ["s": .succeeded, "x": .exhausted, "c": .cancelled]
            for (id, end) in ends {
                try await tracker.add(id)
                try await tracker.end(id, as: end)
            }
            for (place, quorum) in Self.quorums.enumerated() {
                let child = try TaskID("child-\(place)")
                let after = Dependencies([.task("s"), .task("x"), .task("c")], condition: condition, quorum: quorum)
                try await tracker.add(new(child, after: after))
                let record = try await tracker.get(child)
                #expect(record?.state == Self.expected(condition, quorum, good: 1, bad: 2), "\(condition) \(quorum)")
                #expect((record?.cause != nil) == (record?.state == .cancelled))
            }
        }
    }

    @Test("a diamond is enqueued in one call and runs in its order", arguments: TestedBackend.allCases)
    func diamond(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(
                new("top"),
                new("left", after: .after("top")),
                new("right", after: .after("top", condition: .succeeded)),
                new("bottom", after: .after("left", "right", condition: .succeeded))
            )
            #expect(try await tracker.stats().kinds.first?.blocked == 3)
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["top"])
            let top = try await tracker.take("top", options: .ignoreLock)
            #expect(try await tracker.complete(top.handle) == .accepted)
            let claims = try await tracker.claim([mail], limit: 9)
            #expect(claims.map(\.id) == ["left", "right"])
            #expect(try await tracker.complete(claims[1].handle) == .accepted)
            #expect(try await tracker.get("bottom")?.awaited == 1)
            #expect(try await tracker.claim([mail], limit: 9).isEmpty)
            #expect(try await tracker.complete(claims[0].handle) == .accepted)
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["bottom"])
            #expect(try await tracker.told([.blocked]) == ["blocked left", "blocked right", "blocked bottom"])
        }
    }

    @Test("a failure cancels a chain in cascade and starts what waits for failures", arguments: TestedBackend.allCases)
    func cascade(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add(
                new("a"),
                new("b", after: .after("a", condition: .succeeded)),
                new("c", after: .after("b", condition: .succeeded)),
                new("clean-up", after: .after("c", condition: .failed)),
                new("never", after: .after("clean-up", "c", condition: .failed)),
                new("report", after: .after("c"))
            )
            try await tracker.end("a", as: .exhausted)
            for (id, parent) in [("b", "a"), ("c", "b")] as [(TaskID, TaskID)] {
                let record = try await tracker.get(id)
                #expect((record?.state, record?.cause) == (.cancelled, .parentFailed(.task(parent))))
                let reasons = try await tracker.explain(id)?.reasons
                #expect(reasons == [.parentFailed(at: clock.now, parent: .task(parent))])
            }
            #expect(try await tracker.state(of: "never") == .blocked, "it needs one end more")
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["clean-up", "report"])
            let due = clock.now.microseconds
            #expect(
                try await tracker.told([.parentFailed, .unblocked]) == [
                    "parent-failed b t:a", "parent-failed c t:b", "unblocked report \(due)",
                    "unblocked clean-up \(due)",
                ]
            )
        }
    }

    @Test("an unknown parent refuses the whole call", arguments: TestedBackend.allCases)
    func unknownParent(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            func refused(_ tasks: NewTask...) async -> TrackerError.Code? {
                await code { try await tracker.enqueue(tasks, policy: .default) }
            }
            #expect(await refused(new("a"), new("b", after: .after("none"))) == .unknownParent)
            #expect(await refused(new("a"), new("b", after: .after(tag: "none"))) == .unknownParent)
            #expect(await refused(new("b", after: .after("a")), new("a")) == .unknownParent, "a parent comes first")
            #expect(await refused(new("a", "fax"), new("b", after: .after("none"))) == .unknownParent)
            let created = try await tracker.get(["a", "b"])
            #expect(created == [nil, nil])
            #expect(try await tracker.kinds().map(\.name) == [mail])
        }
    }

    @Test("a cycle through a tag is refused, and nothing of the call is created", arguments: TestedBackend.allCases)
    func cycle(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            // wait stands for the tag g, and its own tag h for it.
            let before = [new("first", tags: ["g"]), new("wait", tags: ["h"], after: .after(tag: "g"))]
            #expect(try await tracker.enqueue(before) == [.created("first"), .created("wait")])
            let cycles = [
                [new("a", tags: ["g"], after: .after("wait"))],
                [new("a", tags: ["g"], after: .after(tag: "h"))],
                [
                    new("b", after: .after("wait")),
                    new("a", tags: ["x", "g"], after: .after("first", "b", quorum: .any)),
                ],
                [new("c", tags: ["q"]), new("b", after: .after(tag: "q")), new("a", tags: ["q"], after: .after("b"))],
                [
                    new("c", tags: ["q"]), new("b", tags: ["r"], after: .after(tag: "q")),
                    new("a", tags: ["q"], after: .after(tag: "r")),
                ],
            ]
            for tasks in cycles { #expect(await code { try await tracker.enqueue(tasks) } == .invalidArgument) }
            #expect(try await tracker.get(["a", "b", "c"]) == [nil, nil, nil])
            let fine = [new("a", tags: ["g"], after: .after("first")), new("b", tags: ["x"], after: .after("wait"))]
            #expect(try await tracker.enqueue(fine) == [.created("a"), .created("b")])
            try await tracker.end("first", as: .succeeded)
            try await tracker.end("a", as: .succeeded)
            try await tracker.end("wait", as: .succeeded)
            #expect(try await tracker.get("b")?.state == .ready)
        }
    }

    @Test("what cannot be waited for is refused with what is allowed", arguments: TestedBackend.spread)
    func validation(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let many = try (0...Limits.parents).map { Dependencies.Parent.task(try TaskID("p\($0)")) }
            let wrong: [NewTask] = [
                new("b", after: Dependencies([])), new("b", after: Dependencies(many)), new("b", after: .after("b")),
                new("b", after: .after("a", "a")), new("b", tags: ["x"], after: .after(tag: "x")),
                new("b", after: .after("a", quorum: .share(0))), new("b", after: .after("a", quorum: .share(1.1))),
            ]
            for task in wrong { #expect(await code { try await tracker.enqueue([task]) } == .invalidArgument) }
            #expect(try await tracker.get("b") == nil)
        }
    }

    @Test("a task whose parent is refused as full is refused as full", arguments: TestedBackend.allCases)
    func fullParent(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(queueLimit: 1)) { tracker, _ in
            try await tracker.define("fax")
            let outcomes = try await tracker.enqueue([
                new("fits"), new("not"), new("child", "fax", after: .after("not")),
                new("grandchild", "fax", after: .after("fits", "child")), new("other", "fax", after: .after("fits")),
            ])
            #expect(
                outcomes == [
                    .created("fits"), .full("not", limit: 1), .full("child", limit: 1), .full("grandchild", limit: 1),
                    .created("other"),
                ]
            )
            #expect(try await tracker.get(["not", "child", "grandchild"]) == [nil, nil, nil])
        }
    }

    @Test("the original stands in for a parent that is refused as its duplicate", arguments: TestedBackend.allCases)
    func deduplicatedParent(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let same = Uniqueness(key: "same")
            try await tracker.add(new("original", unique: same))
            let outcomes = try await tracker.enqueue([
                new("copy", unique: same), new("again", unique: Uniqueness(key: "same", later: .record)),
                new("child", after: .after("copy", condition: .succeeded)),
                new("both", after: .after("copy", "original", "again", condition: .succeeded)),
            ])
            #expect(
                outcomes == [
                    .deduplicated("copy", of: "original"), .deduplicated("again", of: "original"), .created("child"),
                    .created("both"),
                ]
            )
            for id: TaskID in ["child", "both"] {
                #expect(try await tracker.parents(of: id)?.map(\.parent) == [.task("original")])
                #expect(try await tracker.state(of: id) == .blocked)
            }
            try await tracker.end("original", as: .succeeded)
            for id: TaskID in ["child", "both"] { #expect(try await tracker.state(of: id) == .ready) }
        }
    }

    @Test("a task that waits keeps its delay", arguments: TestedBackend.spread)
    func delayed(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b"] { try await tracker.add(id) }
            let due = clock.now + .seconds(60)
            let options = EnqueueOptions(id: "late", runAt: due, after: .after("a"))
            let soon = EnqueueOptions(id: "soon", delay: .seconds(1), after: .after("b"))
            try await tracker.add(NewTask(mail, options: options), NewTask(mail, options: soon))
            try await tracker.end("a", as: .succeeded)
            #expect(try await tracker.get("late")?.due == due)
            #expect(try await tracker.refusal(of: "late") == .notDue(at: due))
            clock.advance(by: .seconds(5))
            try await tracker.end("b", as: .succeeded)
            #expect(try await tracker.get("soon")?.due == clock.now)
        }
    }

    @Test("what operators and claims may do with a task that waits for others", arguments: TestedBackend.allCases)
    func operators(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            for id: TaskID in ["cancelled", "ignored", "forced"] { try await tracker.add(new(id, after: .after("a"))) }
            #expect(try await tracker.refusal(of: "forced", options: [.force, .ignoreDue, .ignoreLock]) == .blocked)
            let refusal = IllegalTransition(found: .blocked, allowed: [.ready, .paused])
            guard case .refused(let found) = try await tracker.pause(["forced"])[0] else {
                Issue.record("a blocked task was paused")
                return
            }
            #expect(found.found == refusal.found)
            #expect(try await tracker.retry(["forced"]) == [.blocked])
            #expect(try await tracker.retry(["forced"], force: true) == [.ready])
            #expect(try await tracker.take("forced").attempt == 1)
            try await tracker.end("cancelled", as: .cancelled)
            try await tracker.end("ignored", as: .ignored)
            try await tracker.end("a", as: .succeeded)
            #expect(try await tracker.state(of: "cancelled") == .cancelled)
            #expect(try await tracker.state(of: "ignored") == .ignored)
            #expect(try await tracker.state(of: "forced") == .running)
            #expect(try await tracker.told([.unblocked]).isEmpty)
        }
    }

    @Test("parents and what they made, and what a task waits for, can be seen", arguments: TestedBackend.allCases)
    func parents(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for id: TaskID in ["a", "b", "gone"] { try await tracker.add(id) }
            try await tracker.add(new("t", tags: ["flow"]))
            let after = Dependencies([.task("a"), .task("b"), .task("gone"), .tag("flow")])
            try await tracker.add(new("child", after: after))
            let result = Body(bytes: Array(repeating: 7, count: 300), contentType: "image/png")
            #expect(try await tracker.complete(tracker.take("a").handle, result: result) == .accepted)
            try await tracker.end("gone", as: nil)
            _ = try await tracker.take("b")
            #expect(
                try await tracker.parents(of: "child") == [
                    ParentOutcome(parent: .task("a"), state: .succeeded, result: result),
                    ParentOutcome(parent: .task("b"), state: .running, result: nil),
                    ParentOutcome(parent: .task("gone"), state: nil, result: nil),
                    ParentOutcome(parent: .tag("flow"), state: .blocked, result: nil),
                ]
            )
            let open = [
                ParentOutcome(parent: .task("b"), state: .running, result: nil),
                ParentOutcome(parent: .tag("flow"), state: .blocked, result: nil),
            ]
            let reasons = try await tracker.explain("child")?.reasons
            #expect(reasons == [.awaiting(parents: open, needed: 2, unfinished: 2)])
            #expect(try await tracker.parents(of: "a") == [])
            #expect(try await tracker.parents(of: "none") == nil)
            try await tracker.end("t", as: .exhausted)
            #expect(try await tracker.parents(of: "child")?.last?.state == .exhausted)
        }
    }

    @Test("a deleted parent ended without success; a deleted child leaves nothing", arguments: TestedBackend.allCases)
    func deletion(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for id: TaskID in ["p", "q", "r"] { try await tracker.add(id) }
            try await tracker.add(
                new("needs-success", after: .after("p", condition: .succeeded)),
                new("any-end", after: .after("p")),
                new("gone", after: .after("q", condition: .succeeded))
            )
            try await tracker.end("p", as: nil)
            #expect(try await tracker.get("needs-success")?.cause == .parentFailed(.task("p")))
            #expect(try await tracker.state(of: "any-end") == .ready)
            try await tracker.end("gone", as: nil)
            try await tracker.add(new("gone", after: .after("r", condition: .failed)))
            try await tracker.end("q", as: .exhausted)
            #expect(try await tracker.get("gone")?.awaited == 1, "it waits for its own parents only")
            #expect(try await tracker.stats().kinds.first?.blocked == 1)
        }
    }

    @Test(
        "a child that left early is not told of its old parents when it is made anew",
        arguments: TestedBackend.allCases
    )
    func madeAnew(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for id: TaskID in ["p", "q", "r", "s"] { try await tracker.add(id) }
            try await tracker.add(new("child", after: .after("p", "q")))
            try await tracker.end("child", as: .cancelled)
            try await tracker.end("child", as: nil)
            try await tracker.add(new("child", after: .after("r", "s")))
            try await tracker.end("p", as: .succeeded)
            try await tracker.end("r", as: .succeeded)
            #expect(try await tracker.get("child")?.awaited == 1)
            try await tracker.end("s", as: .succeeded)
            #expect(try await tracker.state(of: "child") == .ready)
        }
    }

    @Test("a repeated request is answered alike although the parent is gone", arguments: TestedBackend.allCases)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("p")
            let request = try await tracker.request(new("child", after: .after("p")))
            let first = try await tracker.perform(request)
            try await tracker.end("p", as: nil)
            #expect(try await tracker.perform(request) == first)
            #expect(try await tracker.state(of: "child") == .ready)
        }
    }

    @Test("who joins a parent that runs again is not told of its old end", arguments: TestedBackend.allCases)
    func oldEnd(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("p")
            try await tracker.enqueue((0..<250).map { new(try TaskID("c\($0 + 100)"), after: .after("p")) })
            try await tracker.end("p", as: .succeeded)
            clock.advance(by: .microseconds(1))
            #expect(try await tracker.retry(["p"]) == [.ready])
            try await tracker.add(new("late", after: .after("p")))
            #expect(try await tracker.stats().kinds.first?.blocked == 51)
            _ = try await tracker.reap()
            #expect(try await tracker.stats().kinds.first?.blocked == 1)
            #expect(try await tracker.get("late")?.awaited == 1)
            try await tracker.end("p", as: .succeeded)
            #expect(try await tracker.state(of: "late") == .ready)
        }
    }

    @Test(
        "children beyond the budget of a call are told by a reaper or by the next claim",
        arguments: TestedBackend.allCases,
        [true, false]
    )
    func manyChildren(backend: TestedBackend, byReaper: Bool) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("parent")
            try await tracker.enqueue((0..<450).map { new(try TaskID("c\($0 + 100)"), after: .after("parent")) })
            try await tracker.end("parent", as: .succeeded)
            func blocked() async throws -> Int? { try await tracker.stats().kinds.first?.blocked }
            #expect(try await blocked() == 450 - Limits.childrenPerCall)
            if byReaper {
                for left in [50, 0] {
                    #expect(try await tracker.reap().items.isEmpty)
                    #expect(try await blocked() == left)
                }
                #expect(try await tracker.claim([mail], limit: 500).count == 450)
            } else {
                #expect(try await tracker.claim([mail], limit: 50).count == 50)
                #expect(try await blocked() == 250, "a claim that finds what it asked for tells nobody")
                #expect(try await tracker.claim([mail], limit: 500).count == 150)
                #expect(try await blocked() == 50)
                #expect(try await tracker.claim([mail], limit: 500).count == 200)
                #expect(try await tracker.claim([mail], limit: 500).count == 50)
            }
            #expect(try await tracker.told([.unblocked]).count == 450)
        }
    }
}
