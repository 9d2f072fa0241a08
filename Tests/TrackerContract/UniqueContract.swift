import BelayTestKit
import Testing

@testable import Belay

/// Tasks whose content is unique, and successes that are used again, on every backend.
@Suite("uniqueness and reuse")
struct UniqueContract {
    @Test(
        "a second task of the same content is not created, or recorded as cancelled",
        arguments: TestedBackend.allCases
    )
    func later(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            let same = Uniqueness(key: "same")
            try await tracker.add(
                new("a", unique: same),
                new("other", unique: Uniqueness(key: "other")),
                new("f", "fax", unique: same)
            )
            #expect(try await tracker.enqueue([new("b", unique: same)]) == [.deduplicated("b", of: "a")])
            #expect(try await tracker.get("b") == nil)
            let record = new("c", tags: ["t"], unique: Uniqueness(key: "same", later: .record))
            #expect(try await tracker.enqueue([record]) == [.deduplicated("c", of: "a")])
            let task = try await tracker.get("c")
            #expect((task?.state, task?.cause, task?.tags) == (.cancelled, .deduplicated(of: "a"), ["t"]))
            #expect(try await tracker.explain("c")?.reasons == [.deduplicated(at: clock.now, of: "a")])
            #expect(try await tracker.told([.deduplicated]) == ["deduplicated c a"])
            try await tracker.add(new("free"))
            #expect(try await tracker.stats().kinds.first { $0.kind == mail }?.ready == 3)
        }
    }

    @Test("without a key the payload's bytes are the content; in one call, too", arguments: TestedBackend.spread)
    func payload(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            func task(_ id: TaskID, _ text: String) -> NewTask {
                NewTask(mail, payload: Body(text: text), options: EnqueueOptions(id: id, unique: Uniqueness()))
            }
            let outcomes = try await tracker.enqueue([task("a", "x"), task("b", "y"), task("c", "x"), task("c", "x")])
            let expected: [EnqueueOutcome] = [
                .created("a"), .created("b"), .deduplicated("c", of: "a"), .deduplicated("c", of: "a"),
            ]
            #expect(outcomes == expected)
            #expect(
                await code { try await tracker.enqueue([new("d", unique: Uniqueness(states: []))]) } == .invalidArgument
            )
            #expect(
                await code { try await tracker.enqueue([new("d", unique: Uniqueness(window: .zero))]) }
                    == .invalidArgument
            )
        }
    }

    @Test(
        "the other task counts in the states that were named, and within the window",
        arguments: TestedBackend.allCases
    )
    func statesAndWindow(backend: TestedBackend) async throws {
        let ends: [TaskState] = [.succeeded, .exhausted, .cancelled, .ignored]
        for end in ends {
            for states: Set<TaskState> in [Uniqueness().states, [end], Set(ends).subtracting([end])] {
                try await backend.run { tracker, _ in
                    let unique = Uniqueness(key: "k", states: states)
                    try await tracker.add(new("a", unique: unique))
                    try await tracker.end("a", as: end)
                    let expected: EnqueueOutcome = states.contains(end) ? .deduplicated("b", of: "a") : .created("b")
                    #expect(try await tracker.enqueue([new("b", unique: unique)]) == [expected], "\(end) \(states)")
                }
            }
        }
        try await backend.run { tracker, clock in
            let unique = Uniqueness(key: "k", window: .seconds(5))
            try await tracker.add(new("a", unique: unique))
            clock.advance(by: .microseconds(4_999_999))
            #expect(try await tracker.enqueue([new("b", unique: unique)]) == [.deduplicated("b", of: "a")])
            clock.advance(by: .microseconds(1))
            try await tracker.add(new("b", unique: unique))
            #expect(try await tracker.enqueue([new("c", unique: unique)]) == [.deduplicated("c", of: "b")])
        }
    }

    @Test("a deleted or purged task frees its content", arguments: TestedBackend.allCases)
    func freed(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(keepSucceeded: .seconds(1))) { tracker, clock in
            let unique = Uniqueness(key: "k")
            try await tracker.add(new("a", unique: unique))
            try await tracker.end("a", as: nil)
            try await tracker.add(new("b", unique: unique))
            try await tracker.end("b", as: .succeeded)
            #expect(try await tracker.enqueue([new("c", unique: unique)]) == [.deduplicated("c", of: "b")])
            clock.advance(by: .seconds(1))
            #expect(try await tracker.purge().items.map(\.id) == ["b"])
            try await tracker.add(new("c", unique: unique))
        }
    }

    @Test("uniqueness is looked at again when a task is to start", arguments: TestedBackend.allCases)
    func atStart(backend: TestedBackend) async throws {
        for byName in [true, false] {
            try await backend.run { tracker, clock in
                let unique = Uniqueness(key: "k", states: [.running, .succeeded])
                for id: TaskID in ["a", "b"] { try await tracker.add(new(id, tags: ["t"], unique: unique)) }
                try await tracker.add(new("after", after: .after("b", condition: .failed)))
                let claim = try await tracker.take("a")
                if byName {
                    #expect(try await tracker.refusal(of: "b") == .ended(.cancelled))
                } else {
                    #expect(try await tracker.claim([mail]).isEmpty)
                }
                #expect(try await tracker.get("b")?.cause == .deduplicated(of: "a"))
                #expect(try await tracker.counts(ofTags: ["t"])[0].cancelled == 1)
                #expect(try await tracker.state(of: "after") == .ready, "who waited is told")
                #expect(try await tracker.told([.deduplicated]) == ["deduplicated b a"])
                #expect(try await tracker.complete(claim.handle) == .accepted)
                #expect(try await tracker.retry(["b"]) == [.ready])
                #expect(try await tracker.take("b").attempt == 1, "what somebody asks for runs")
            }
        }
    }

    @Test("of one content one starts, in one claim and after it", arguments: TestedBackend.allCases)
    func atOneClaim(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let unique = Uniqueness(key: "k", states: [.running])
            for id: TaskID in ["a", "b", "c", "d"] { try await tracker.add(new(id, unique: unique)) }
            let claim = try #require(try await tracker.claim([mail], limit: 2).first)
            #expect(claim.id == "a")
            #expect(try await tracker.get("b")?.cause == .deduplicated(of: "a"))
            #expect(try await tracker.claim([mail], limit: 1).isEmpty)
            #expect(try await tracker.get("c")?.cause == .deduplicated(of: "a"))
            #expect(try await tracker.complete(claim.handle) == .accepted)
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["d"])
        }
    }

    @Test(
        "one that began before runs in any case, and keeps out those behind it in the same claim",
        arguments: TestedBackend.allCases
    )
    func begunInOneClaim(backend: TestedBackend) async throws {
        for isBegunFirst in [true, false] {
            try await backend.run(KindPolicy(attempts: 3, retry: .fixed(.zero))) { tracker, _ in
                let unique = Uniqueness(key: "k", states: [.running])
                func task(_ id: TaskID, priority: Int) -> NewTask {
                    NewTask(mail, options: EnqueueOptions(id: id, priority: priority, unique: unique))
                }
                try await tracker.add(task("begun", priority: 5))
                let held = try await tracker.take("begun").handle
                try await tracker.fail(held, TaskFailure(type: "e", message: "m"))
                try await tracker.add(task("new", priority: isBegunFirst ? 4 : 6), task("last", priority: 3))
                let claims = try await tracker.claim([mail], limit: 3)
                #expect(claims.map(\.id) == (isBegunFirst ? ["begun"] : ["new", "begun"]))
                #expect(try await tracker.get("new")?.cause == (isBegunFirst ? .deduplicated(of: "begun") : nil))
                #expect(try await tracker.get("last")?.cause == .deduplicated(of: "begun"))
            }
        }
    }

    @Test("a repeated request is told of the same duplicates", arguments: TestedBackend.allCases)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let request = try await tracker.request(
                new("a", unique: Uniqueness(key: "k")),
                new("b", unique: Uniqueness(key: "k", later: .record)),
                new("c", unique: Uniqueness(key: "k"))
            )
            let first = try await tracker.perform(request)
            #expect(first == Enqueue.Response(repeated: [1: "a", 2: "a"]))
            #expect(try await tracker.perform(request) == first)
            #expect(try await tracker.told([.deduplicated]) == ["deduplicated b a"])
        }
    }

    @Test("a task that has begun is not looked at again, nor one that is forced", arguments: TestedBackend.spread)
    func begun(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(attempts: 3, retry: .fixed(.zero))) { tracker, _ in
            let unique = Uniqueness(key: "k", states: [.running])
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(new(id, unique: unique)) }
            let first = try await tracker.take("a")
            try await tracker.fail(first.handle, TaskFailure(type: "e", message: "m"))
            _ = try await tracker.take("b")
            #expect(try await tracker.take("a").attempt == 2)
            #expect(try await tracker.take("c", options: .force).attempt == 1)
        }
    }

    @Test("a success is used again when the caller asks, and counted once a request", arguments: TestedBackend.spread)
    func reuse(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let again = NewTask(mail, options: EnqueueOptions(id: "a", reuse: true))
            try await tracker.add(new("a"))
            #expect(try await tracker.enqueue([again]) == [.duplicate("a")], "it has not succeeded")
            let claim = try await tracker.take("a")
            #expect(try await tracker.complete(claim.handle, result: Body(text: "result")) == .accepted)
            for count in 1...2 {
                #expect(try await tracker.enqueue([again]) == [.reused("a")])
                #expect(try await tracker.get("a")?.reuses == count)
            }
            var wishes = Enqueue.Wishes()
            wishes.reuse = true
            let item = Enqueue.Item(
                id: "a",
                kind: 0,
                due: .now,
                priority: 5,
                payload: .empty,
                attempts: nil,
                trace: [:],
                wishes: wishes
            )
            let request = Enqueue(nonce: "n", actor: "anna", kinds: [(mail, nil)], items: [item], payloadLimit: 1 << 20)
            for _ in 1...2 { #expect(try await tracker.perform(request).reused == [0]) }
            #expect(try await tracker.get("a")?.reuses == 3)
            #expect(try await tracker.told([.reused]) == ["reused a", "reused a", "reused a"])
            #expect(try await tracker.get("a")?.result == Body(text: "result"))
            #expect(
                await code { try await tracker.enqueue([NewTask(mail, options: EnqueueOptions(reuse: true))]) }
                    == .invalidArgument
            )
        }
    }
}
