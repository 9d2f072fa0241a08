import RedisWire
import Testing

@testable import Belay

@Suite("ignore")
struct IgnoreTests {
    static let allowed: [TaskState] = [.ready, .blocked, .paused, .exhausted, .cancelled, .ignored]

    @Test("sets a task aside, and says who did it when and why")
    func ignores() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 2)
            f.clock.advance(by: .seconds(1))
            var answers: [TransitionOutcome] = []
            let events = try await f.events { answers = try await f.twice(Ignore("a", message: "not needed")) }
            #expect(answers == [.done(.ignored)])
            #expect(events == ["ignored k a | q"])
            let dump = try await f.dump()
            #expect(dump.index("n:k") == ["a": f.now])
            #expect(dump.index("q:2:k") == [:])
            #expect(dump.list("l:a") == ["\(f.now) ignored op -\nnot needed"])
            let record = try await f.record("a")
            #expect(record.state == .ignored)
            #expect(record.status == .ignored)
            #expect(record.updated == f.clock.now)
            #expect(try await f.tracker.claim(["k"]) == [])
            #expect(try await f.tracker.claim("a") == .refused(.ended(.ignored)))
        }
    }

    @Test("is refused where a holder has the task, and where it succeeded", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let refusal = IllegalTransition(found: place.state, allowed: Self.allowed)
            switch place {
            case .ready, .parked, .exhausted, .cancelled:
                let events = try await f.events { () async throws in
                    #expect(try await f.twice(Ignore("a")) == [.done(.ignored)])
                }
                #expect(events == ["ignored k a | \(place.rawValue)"])
                #expect(try await f.whereabouts("a") == ["n", "n:k"])
            case .ignored: #expect(try await f.unchanged(Ignore("a")) == [.done(.ignored)])
            default: #expect(try await f.unchanged(Ignore("a")) == [.refused(refusal)])
            }
        }
    }

    @Test("is undone by a retry, and by a claim with force or from the beginning")
    func wayBack() async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["a", "b", "c"] as [TaskID] { try await f.bring(id, to: .ignored) }
            #expect(try await f.tracker.retry(["a"]) == [.ready])
            #expect(try await f.claim("b", token: "2", options: .force).attempt == 1)
            #expect(try await f.claim("c", token: "2", options: .restart).attempt == 1)
        }
    }

    @Test("keeps what is known of the task")
    func keeps() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .exhausted)
            let before = try await f.record("a")
            f.clock.advance(by: .seconds(1))
            try await f.twice(Ignore("a"))
            var after = try await f.record("a")
            #expect(after.updated == f.clock.now)
            (after.state, after.updated) = (before.state, before.updated)
            #expect(after == before)
        }
    }

    @Test("answers each task in its order; a twin in the batch is ignored once")
    func order() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.bring("busy", to: .running)
            try await f.enqueue("a")
            try await f.enqueue("b", "l")
            let answers = try await f.twice(Ignore("a", "nobody", "busy", "b", "a"))
            let refusal = IllegalTransition(found: .running, allowed: Self.allowed)
            let done = TransitionOutcome.done(.ignored)
            #expect(answers == [done, .notFound, .refused(refusal), done, done])
            #expect(try await f.dump().list("l:a").count == 1)
            #expect("\(refusal)" == "is running; allowed from: ready, blocked, paused, exhausted, cancelled, ignored")
        }
    }

    @Test("takes 500 tasks in one call and refuses none, 501, and a message that is too long")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.ignore([]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.ignore(ids + ["t1"]) }
            let long = String(repeating: "x", count: 1025)
            await #expect(throws: TrackerError.self) { try await f.tracker.ignore(["t1"], message: long) }
            let verb = Ignore(ids: ids, actor: "op", message: String(repeating: "x", count: 1024))
            #expect(try await f.twice(verb) == Array(repeating: .done(.ignored), count: 500))
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue("a")
            try await f.command("SET", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Ignore("a", "b")) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
