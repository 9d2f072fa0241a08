import Testing

@testable import Belay

/// The most tasks of a kind that may wait.
@Suite("A queue limit")
struct QueueLimitTests {
    static func run(
        _ limit: Int,
        kinds: [KindName] = ["k"],
        _ body: (TrackerFixture) async throws -> Void
    ) async throws {
        try await TrackerFixture.run(kinds: kinds, policy: KindPolicy(queueLimit: limit), body)
    }

    static func enqueue(_ ids: [TaskID], _ kind: KindName = "k", in f: TrackerFixture) async throws -> [EnqueueOutcome]
    {
        try await f.tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0)) })
    }

    @Test("takes tasks up to the limit, and answers `full` as a value for one more")
    func full() async throws {
        try await Self.run(2) { f async throws in
            #expect(try await Self.enqueue(["a", "b"], in: f) == [.created("a"), .created("b")])
            #expect(try await Self.enqueue(["c"], in: f) == [.full("c", limit: 2)])
            #expect(try await f.state("c") == nil)
            let verb = EnqueueTests.verb([EnqueueTests.item("d")])
            #expect(try await f.unchanged(verb) == Enqueue.Response(full: [0: 2]))
            let generated = try await f.tracker.enqueue([NewTask("k")])
            #expect(generated.map(\.isFull) == [true])
        }
    }

    @Test("takes of a batch as many as there is room for, in their order; a repeat answers the same")
    func batch() async throws {
        try await Self.run(3) { f async throws in
            try await f.enqueue("there")
            let verb = EnqueueTests.verb(["a", "b", "c", "d"].map { EnqueueTests.item($0) })
            #expect(try await f.twice(verb) == Enqueue.Response(full: [2: 3, 3: 3]))
            #expect(try await f.dump().index("q:5:k").keys.sorted() == ["a", "b", "there"])
        }
    }

    @Test("is told after a task that exists already, which takes no room")
    func existingFirst() async throws {
        try await Self.run(1) { f async throws in
            try await f.enqueue("a")
            #expect(try await Self.enqueue(["b", "a"], in: f) == [.full("b", limit: 1), .duplicate("a")])
            let task = NewTask("k", options: EnqueueOptions(id: "a", ifExists: .returnExisting))
            #expect(try await f.tracker.enqueue([task]) == [.existing("a")])
        }
    }

    @Test("tells a twin of a refused task the same, and a twin of a created one that it exists")
    func twins() async throws {
        try await Self.run(1) { f async throws in
            let items = ["a", "a", "b", "b"].map { EnqueueTests.item($0) }
            #expect(
                try await f.twice(EnqueueTests.verb(items)) == Enqueue.Response(duplicates: [1], full: [2: 1, 3: 1])
            )
        }
    }

    @Test("counts what waits, due or not, of every priority, and nothing else")
    func counts() async throws {
        try await Self.run(3) { f async throws in
            for place in Place.allCases where place != .ready {
                try await f.bring(TaskID(trusted: "at\(place.rawValue)"), to: place)
            }
            try await f.enqueue("low", priority: 0)
            try await f.enqueue("later", delay: .seconds(60), priority: 9)
            try await f.enqueue("last")
            #expect(try await Self.enqueue(["more"], in: f) == [.full("more", limit: 3)])
            _ = try await f.claim("low", token: "2")
            #expect(try await Self.enqueue(["more"], in: f) == [.created("more")])
            #expect(try await Self.enqueue(["again"], in: f) == [.full("again", limit: 3)])
            #expect(try await f.tracker.pause(["more"]) == [.done(.paused)])
            #expect(try await Self.enqueue(["again"], in: f) == [.created("again")])
        }
    }

    @Test("is each kind's own")
    func kinds() async throws {
        try await Self.run(1, kinds: ["k", "l"]) { f async throws in
            try await f.tracker.define("free")
            let kinds: [(name: KindName, policy: KindPolicy?)] = [("k", nil), ("l", nil), ("free", nil)]
            let items = (0..<6).map { EnqueueTests.item("t\($0)", kind: $0 % 3) }
            #expect(try await f.twice(EnqueueTests.verb(items, kinds: kinds)) == Enqueue.Response(full: [3: 1, 4: 1]))
            #expect(try await f.tracker.stats().kinds.map(\.ready) == [2, 1, 1])
        }
    }

    @Test("holds for a kind that the request itself defines")
    func newKind() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            let verb = EnqueueTests.verb(
                [EnqueueTests.item("a"), EnqueueTests.item("b")],
                kinds: [("new", KindPolicy(queueLimit: 1))]
            )
            #expect(try await f.twice(verb) == Enqueue.Response(full: [1: 1]))
            #expect(try await f.tracker.kinds()[0].policy.queueLimit == 1)
        }
    }

    @Test("does not bind what is waiting already, hand-backs, and an operator's retry")
    func beyond() async throws {
        try await Self.run(1) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            try await f.bring("c", to: .cancelled)
            try await f.enqueue("d")
            try await f.tracker.release([a.handle])
            try await f.tracker.fail(b.handle, failure)
            #expect(try await f.tracker.retry(["c"]) == [.ready])
            #expect(try await f.dump().index("q:5:k").count == 4)
            #expect(try await Self.enqueue(["e"], in: f) == [.full("e", limit: 1)])
            try await f.tracker.define("k", policy: KindPolicy(queueLimit: 5), replacing: true)
            #expect(try await Self.enqueue(["e", "f"], in: f) == [.created("e"), .full("f", limit: 5)])
            try await f.tracker.define("k", replacing: true)
            #expect(try await Self.enqueue(["f"], in: f) == [.created("f")])
        }
    }

    @Test("says nothing to the log of a task that was refused, and the message of those that were created")
    func messages() async throws {
        try await Self.run(1) { f async throws in
            let items = [EnqueueTests.item("a"), EnqueueTests.item("b")]
            try await f.twice(EnqueueTests.verb(items, message: "why"))
            #expect(try await f.dump().list("l:a") == ["\(f.now) enqueued op -\nwhy"])
            #expect(try await f.dump().keys["l:b"] == nil)
            let line = LogLine(time: f.clock.now, event: "enqueued", state: .ready, actor: "op", message: "why")
            #expect(try await f.tracker.log(of: "a") == [line])
        }
    }

    @Test("may be a thousand million, and one")
    func bounds() async throws {
        try await Self.run(1_000_000_000) { f async throws in try await f.enqueue(count: 500) }
        try await Self.run(1) { f async throws in
            #expect(try await f.tracker.enqueue((1...500).map { _ in NewTask("k") }).filter(\.isFull).count == 499)
        }
    }
}
