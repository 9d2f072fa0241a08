import RedisWire
import Testing

@testable import Belay

/// Tasks of the same content, over all verbs.
@Suite("A task of unique content")
struct UniqueTests {
    private static let content = Uniqueness(key: "x")

    @Test("keeps out a later one, and tells which it is")
    func refuses() async throws {
        try await TrackerFixture.run { f async throws in
            let unique = Uniqueness()
            let payload = Body(text: "same")
            try await f.create("a", payload: payload, unique: unique)
            let before = try await f.dump()
            #expect(try await f.create("b", payload: payload, unique: unique).repeated == [0: "a"])
            #expect(try await f.dump().changes(since: before) == [])
            try await f.create("c", payload: Body(text: "other"), unique: unique)
            try await f.create("d", payload: payload)
            #expect(try await f.states("a", "b", "c", "d") == [.ready, nil, .ready, .ready])
            let options = EnqueueOptions(id: "e", unique: unique)
            let outcomes = try await f.tracker.enqueue([NewTask("k", payload: payload, options: options)])
            #expect(outcomes == [.deduplicated("e", of: "a")])
        }
    }

    @Test("records a later one as cancelled when asked, with whose content it has")
    func records() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", unique: Self.content)
            let unique = Uniqueness(key: "x", later: .record)
            let events = try await f.events { () async throws in
                #expect(try await f.create("b", tags: ["g"], unique: unique).repeated == [0: "a"])
            }
            #expect(events == ["deduplicated k b | a"])
            let record = try await f.record("b")
            #expect(record.state == .cancelled)
            #expect(record.cause == .deduplicated(of: "a"))
            #expect(try await f.dump().index("c:k") == ["b": f.now])
            #expect(try await f.tracker.explain("b")?.reasons == [.deduplicated(at: f.clock.now, of: "a")])
            #expect(try await f.dump().hash("u:k")?.values.sorted() == ["a"])
            #expect(try await f.twice(Retry(ids: ["b"], budget: .fresh)) == [.ready])
            #expect(try await f.tracker.claim(["k"], limit: 9).map(\.id) == ["a", "b"], "somebody asked for it")
        }
    }

    @Test("counts in the states that the later one names, and in no others", arguments: TaskState.allCases)
    func states(state: TaskState) async throws {
        try await TrackerFixture.run { f async throws in
            if state == .blocked { try await f.enqueue("p") }
            try await f.create("a", after: state == .blocked ? .after("p") : nil, unique: Self.content)
            switch state {
            case .ready, .blocked: break
            case .running: _ = try await f.claim("a")
            case .paused: _ = try await f.tracker.pause(try await f.claim("a").handle)
            case .succeeded: try await f.finish("a")
            case .exhausted: try await f.finish("a", well: false)
            case .cancelled: _ = try await f.tracker.cancel(["a"])
            case .ignored: _ = try await f.tracker.ignore(["a"])
            }
            let others = Set(TaskState.allCases).subtracting([state])
            let only = Uniqueness(key: "x", states: [state])
            #expect(try await f.create("in", unique: only).repeated == [0: "a"])
            #expect(try await f.create("out", unique: Uniqueness(key: "x", states: others)) == Enqueue.Response())
            #expect(try await f.state("out") == .ready)
        }
    }

    @Test("counts by default until it has ended without success", arguments: Place.allCases)
    func byDefault(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", unique: Self.content)
            let handle = try await f.claim("a").handle
            switch place {
            case .running: break
            case .held: _ = try await f.tracker.pause(handle)
            case .succeeded: try await f.tracker.complete(handle)
            case .exhausted: try await f.tracker.fail(handle, failure, .exhaust)
            case .cancelled: try await f.tracker.fail(handle, failure, .cancelled)
            case .ready, .parked, .ignored:
                try await f.tracker.release([handle])
                if place == .parked { _ = try await f.tracker.pause(["a"]) }
                if place == .ignored { _ = try await f.tracker.ignore(["a"]) }
            }
            let isFree = [.exhausted, .cancelled, .ignored].contains(place)
            #expect(try await f.create("b", unique: Self.content).repeated == (isFree ? [:] : [0: "a"]))
        }
    }

    @Test("counts within its window only")
    func window() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", unique: Self.content)
            let unique = Uniqueness(key: "x", window: .seconds(60))
            f.clock.advance(by: .microseconds(59_999_999))
            #expect(try await f.create("b", unique: unique).repeated == [0: "a"])
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.create("c", unique: unique) == Enqueue.Response())
            #expect(try await f.create("d", unique: unique).repeated == [0: "c"])
        }
    }

    @Test("is one of its kind, and no matter of the payload when a key is given")
    func kinds() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.create("a", "k", payload: Body(text: "1"), unique: Self.content)
            try await f.create("b", "l", payload: Body(text: "1"), unique: Self.content)
            #expect(try await f.create("c", "k", payload: Body(text: "2"), unique: Self.content).repeated == [0: "a"])
            #expect(try await f.create("d", "k", payload: Body(text: "x"), unique: Uniqueness()) == Enqueue.Response())
            #expect(try await f.dump().hash("u:k")?.count == 2)
        }
    }

    @Test("keeps out the later one of the same call, too")
    func sameCall() async throws {
        try await TrackerFixture.run { f async throws in
            let items = ["a", "b", "a"].map { EnqueueTests.item($0, wishes: .init(unique: Self.content)) }
            let response = try await f.twice(EnqueueTests.verb(items))
            #expect(response.repeated == [1: "a"])
            #expect(response.duplicates == [2])
        }
    }

    @Test("is free again when the task is deleted, purged, or its kind removed", arguments: 0...2)
    func gone(how: Int) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", unique: Self.content)
            switch how {
            case 0: _ = try await f.tracker.delete(["a"])
            case 1:
                try await f.finish("a")
                f.clock.advance(by: .seconds(3600))
                #expect(try await f.tracker.purge().items.count == 1)
            default:
                _ = try await f.tracker.undefine("k", force: true)
                try await f.tracker.define("k", policy: TrackerFixture.policy)
            }
            #expect(try await f.dump().keys["u:k"] == nil)
            #expect(try await f.create("b", unique: Self.content) == Enqueue.Response())
        }
    }

    @Test("that was kept out does not take the place of the first, and its deletion does not free it")
    func keepsFirst() async throws {
        try await TrackerFixture.run { f async throws in
            let unique = Uniqueness(key: "x", later: .record)
            try await f.create("a", unique: unique)
            try await f.create("b", unique: unique)
            #expect(try await f.tracker.delete(["b"]) == [.deleted])
            #expect(try await f.create("c", unique: unique).repeated == [0: "a"])
        }
    }

    @Test("is not found full: a duplicate takes no room in the queue")
    func room() async throws {
        try await TrackerFixture.run(policy: KindPolicy(queueLimit: 1)) { f async throws in
            try await f.create("a", unique: Self.content)
            #expect(try await f.create("b", unique: Self.content).repeated == [0: "a"])
            let record = Uniqueness(key: "x", later: .record)
            #expect(try await f.create("c", unique: record).repeated == [0: "a"])
            #expect(try await f.create("d", unique: Uniqueness(key: "y")).full == [0: 1])
        }
    }

    // MARK: When it is to start

    @Test("does not start while another runs that counts, and says so", arguments: [false, true])
    func start(byName: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            let running = Uniqueness(key: "x", states: [.running])
            try await f.create("a", unique: running)
            try await f.create("b", unique: running)
            let first = try await f.claim("a")
            let events = try await f.events { () async throws in
                if byName {
                    #expect(try await f.twice(f.acquire("b", token: "2")) == .refused(.ended(.cancelled)))
                } else {
                    #expect(try await f.send(f.claimMany(token: "2")).claims == [])
                }
            }
            #expect(events == ["deduplicated k b | a"])
            #expect(try await f.record("b").cause == .deduplicated(of: "a"))
            try await f.tracker.complete(first.handle)
            try await f.create("c", unique: running)
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["c"])
        }
    }

    @Test("does not start together with another in one claim")
    func oneClaim() async throws {
        try await TrackerFixture.run { f async throws in
            let running = Uniqueness(key: "x", states: [.running])
            try await f.create("a", unique: running)
            try await f.create("b", unique: running)
            try await f.create("c", unique: Uniqueness(key: "y", states: [.running]))
            #expect(try await f.twice(f.claimMany(9)).claims.map(\.id) == ["a", "c"])
            #expect(try await f.state("b") == .cancelled)
        }
    }

    @Test("does not start while the first of three runs although the second is over")
    func three() async throws {
        try await TrackerFixture.run { f async throws in
            let running = Uniqueness(key: "x", states: [.running])
            for id in ["a", "b", "c"] as [TaskID] { try await f.create(id, unique: running) }
            _ = try await f.claim("a")
            _ = try await f.tracker.cancel(["b"])
            #expect(try await f.tracker.claim(["k"]) == [])
            #expect(try await f.record("c").cause == .deduplicated(of: "a"))
        }
    }

    @Test("starts by force, and again after an attempt, whatever else runs")
    func force() async throws {
        try await TrackerFixture.run { f async throws in
            let running = Uniqueness(key: "x", states: [.running])
            for id in ["a", "b", "c"] as [TaskID] { try await f.create(id, unique: running) }
            let begun = try await f.claim("c")
            try await f.tracker.fail(begun.handle, failure, .retry(after: .zero))
            _ = try await f.claim("a")
            #expect(try await f.claim("b", options: .force).attempt == 1)
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["c"], "it began before")
        }
    }

    @Test("needs a state and a window in range")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            for bad in [
                Uniqueness(states: []), Uniqueness(window: .zero), Uniqueness(window: .seconds(3650 * 86_400 + 1)),
            ] {
                await #expect(throws: TrackerError.self) {
                    try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(unique: bad))])
                }
            }
            try await f.create(
                "a",
                unique: Uniqueness(states: Set(TaskState.allCases), window: .seconds(3650 * 86_400))
            )
        }
    }

    // MARK: Using a success again

    @Test("of an id that succeeded is used again when asked, and counted")
    func reuse() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.create("a", reuse: true) == Enqueue.Response())
            #expect(try await f.create("a", reuse: true).duplicates == [0], "it has not ended")
            try await f.finish("a", result: Body(text: "7"))
            for count in 1...2 {
                let events = try await f.events { () async throws in
                    #expect(try await f.create("a", reuse: true) == Enqueue.Response(reused: [0]))
                }
                #expect(events == ["reused k a"])
                #expect(try await f.record("a").reuses == count)
            }
            #expect(try await f.create("a").duplicates == [0])
            let options = EnqueueOptions(id: "a", reuse: true)
            #expect(try await f.tracker.enqueue([NewTask("k", options: options)]) == [.reused("a")])
            #expect(try await f.record("a").result == Body(text: "7"))
        }
    }

    @Test("of an id that ended otherwise is not used again", arguments: [TaskState.exhausted, .cancelled, .ignored])
    func noReuse(state: TaskState) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            switch state {
            case .exhausted: try await f.finish("a", well: false)
            case .cancelled: _ = try await f.tracker.cancel(["a"])
            default: _ = try await f.tracker.ignore(["a"])
            }
            #expect(try await f.create("a", reuse: true).duplicates == [0])
            await #expect(throws: TrackerError.self) {
                try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(reuse: true))])
            }
        }
    }
}
