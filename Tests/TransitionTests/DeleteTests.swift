import RedisWire
import Testing

@testable import Belay

@Suite("delete")
struct DeleteTests {
    /// A task that has every key that a task can have, and its claim.
    static func whole(_ id: TaskID, in f: TrackerFixture) async throws -> Claim {
        let large = Body(bytes: Array(repeating: 1, count: 300))
        try await f.enqueue(id, payload: large)
        let first = try await f.claim(id, token: "1")
        #expect(try await f.tracker.log(first.handle, "line") == .accepted)
        try await f.send(FailTests.verb([first.handle], .retry(after: .zero), backtrace: ["here"]))
        let second = try await f.claim(id, token: "2")
        #expect(try await f.tracker.save(second.handle, data: large) == .accepted)
        #expect(try await f.tracker.respond(second.handle, large) == .accepted)
        return second
    }

    /// The keys that name a task.
    static func keys(of id: TaskID, in f: TrackerFixture) async throws -> [String] {
        try await f.dump().keys.keys.filter { $0.dropFirst(2) == id.description }.sorted()
    }

    @Test("leaves nothing of a task, and nothing but it", arguments: Place.free)
    func deletes(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("other")
            try await f.bring("a", to: place)
            var answers: [DeleteOutcome] = []
            let events = try await f.events { answers = try await f.send(Delete(ids: ["a"], force: false)) }
            #expect(answers == [.deleted])
            #expect(events == ["deleted k a | \(place.rawValue)"])
            #expect(try await Self.keys(of: "a", in: f) == [])
            #expect(try await f.whereabouts("a") == ["none"])
            #expect(try await f.state("other") == .ready)
            #expect(try await f.unchanged(Delete(ids: ["a"], force: false)) == [.notFound], "a repeat finds it done")
        }
    }

    @Test("refuses a task that is held, unless forced; its holder is refused from then on", arguments: [false, true])
    func held(isPaused: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: isPaused ? .held : .running)
            #expect(try await f.unchanged(Delete(ids: ["a"], force: false)) == [.running])
            let events = try await f.events { () async throws in
                #expect(try await f.send(Delete(ids: ["a"], force: true)) == [.deleted])
            }
            #expect(events == ["deleted k a | \(isPaused ? "h" : "r")"])
            #expect(try await f.tracker.renew(handle, for: .seconds(1)) == .gone)
            #expect(try await f.tracker.complete(handle) == .gone)
            #expect(try await f.tracker.fail(handle, failure) == .gone)
            #expect(try await f.tracker.pause(handle) == .notFound)
        }
    }

    @Test("deletes every key that a task can have")
    func sideKeys() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await Self.whole("a", in: f)
            #expect(try await Self.keys(of: "a", in: f) == ["a:a", "b:a", "d:a", "e:a", "l:a", "o:a", "t:a"])
            try await f.tracker.complete(claim.handle)
            #expect(try await f.tracker.delete(["a"]) == [.deleted])
            #expect(try await Self.keys(of: "a", in: f) == [])
            #expect(try await f.tracker.log(of: "a") == nil)
            #expect(try await f.tracker.attempts(of: "a") == nil)
        }
    }

    @Test("answers each task in its order; a twin in the batch is deleted once")
    func order() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.bring("busy", to: .running)
            try await f.enqueue("a", priority: 0)
            try await f.enqueue("b", "l")
            let events = try await f.events { () async throws in
                let answers = try await f.send(Delete(ids: ["a", "nobody", "busy", "b", "a"], force: false))
                #expect(answers == [.deleted, .notFound, .running, .deleted, .deleted])
            }
            #expect(Set(events) == ["deleted k a | q", "deleted l b | q"])
        }
    }

    @Test("lets the fence grow over a deletion and a new task of the same id, whatever the clock does")
    func fences() async throws {
        try await TrackerFixture.run { f async throws in
            var fences: [Int] = []
            for round in 0..<5 {
                try await f.enqueue("a")
                for turn in 0..<3 {
                    let claim = try await f.claim("a", token: "\(round).\(turn)")
                    fences.append(claim.fence)
                    if turn < 2 { try await f.tracker.release([claim.handle]) }
                }
                #expect(try await f.tracker.delete(["a"], force: true) == [.deleted])
                f.clock.advance(by: .milliseconds(-500))
            }
            #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test("makes room in a queue that was full")
    func room() async throws {
        try await TrackerFixture.run(policy: KindPolicy(queueLimit: 1)) { f async throws in
            try await f.enqueue("a")
            #expect(try await f.tracker.enqueue([NewTask("k")])[0].isFull)
            #expect(try await f.tracker.delete(["a"]) == [.deleted])
            try await f.enqueue("b")
        }
    }

    @Test("deletes 500 tasks in one call and refuses none and 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.delete([]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.delete(ids + ["t1"]) }
            #expect(try await f.tracker.delete(ids) == Array(repeating: .deleted, count: 500))
            #expect(try await f.dump().keys.keys.sorted() == ["events", "meta"])
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue("a")
            try await f.command("SET", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Delete(ids: ["a", "b"], force: true)) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("leaves nothing of tags, parents, content and expiry")
    func kin() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            let empty = try await f.dump().keys.keys.sorted()
            for after in [Dependencies.after("p"), nil] {
                let unique = Uniqueness(key: "x")
                try await f.create("a", tags: ["x", "y"], after: after, expires: .after(.seconds(9)), unique: unique)
                #expect(try await f.send(Delete(ids: ["a"], force: false)) == [.deleted])
                #expect(try await f.dump().keys.keys.sorted() == empty)
            }
        }
    }
}

extension EnqueueOutcome {
    /// Whether the queue had no room.
    var isFull: Bool { if case .full = self { true } else { false } }
}
