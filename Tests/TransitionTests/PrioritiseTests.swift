import RedisWire
import Testing

@testable import Belay

@Suite("prioritise")
struct PrioritiseTests {
    private func verb(_ ids: TaskID..., to priority: Int) -> Prioritise {
        Prioritise(ids: ids, priority: priority, actor: TrackerFixture.actor)
    }

    @Test("moves a waiting task to another line, where it keeps its due time, and says who did it")
    func waiting() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(5))
            try await f.enqueue("b")
            let due = f.moment(.seconds(5)).microseconds
            f.clock.advance(by: .seconds(1))
            var answers: [PrioritiseOutcome] = []
            let events = try await f.events { answers = try await f.twice(verb("a", "b", to: 8)) }
            #expect(answers == [.done, .done])
            #expect(events == ["prioritised k a,b | 8,8"])
            let dump = try await f.dump()
            #expect(dump.index("q:8:k") == ["a": due, "b": f.now - 1_000_000])
            #expect(dump.index("q:5:k") == [:])
            #expect(dump.list("l:a") == ["\(f.now) prioritised op -\n8"])
            #expect(try await f.record("a").priority == 8)
        }
    }

    @Test("lets the task be claimed before others, and after them when it sinks")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 3)
            try await f.send(verb("t3", to: 9))
            try await f.send(verb("t1", to: 0))
            #expect(try await f.tracker.claim(["k"], limit: 3).map(\.id) == ["t3", "t2", "t1"])
        }
    }

    @Test("is the priority of the next attempt when the task runs, is paused or waits for others")
    func others() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .running)
            try await f.bring("b", to: .parked)
            let after = EnqueueOptions(id: "c", after: .after("a"))
            try await f.tracker.enqueue([NewTask("k", options: after)])
            #expect(try await f.twice(verb("a", "b", "c", to: 7)) == [.done, .done, .done])
            #expect(try await f.whereabouts("a") == ["r", "r:k"])
            try await f.tracker.release([handle])
            #expect(try await f.tracker.resume(["b"]) == [.done(.ready)])
            #expect(Set(try await f.dump().index("q:7:k").keys) == ["a", "b"])
            #expect(try await f.tracker.complete(f.claim("a", token: "2").handle) == .accepted)
            #expect(Set(try await f.dump().index("q:7:k").keys) == ["b", "c"])
        }
    }

    @Test("is refused once the task has ended, or is gone", arguments: Place.allCases.filter(\.isEnded))
    func ended(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            #expect(try await f.unchanged(verb("a", "nobody", to: 1)) == [.ended(place.state), .notFound])
        }
    }

    @Test("back to the usual priority leaves no field behind")
    func usual() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 2)
            #expect(try await f.twice(verb("a", "a", to: 5)) == [.done, .done])
            #expect(try await f.dump().record("a")?["q"] == nil)
            #expect(try await f.whereabouts("a") == ["q", "q:5:k"])
        }
    }

    @Test("takes 0 to 9, for 1 to 500 tasks")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            for priority in [-1, 10] {
                await #expect(throws: TrackerError.self) { try await f.tracker.prioritise(["t1"], priority) }
            }
            await #expect(throws: TrackerError.self) { try await f.tracker.prioritise([], 1) }
            await #expect(throws: TrackerError.self) { try await f.tracker.prioritise(ids + ["x"], 1) }
            #expect(try await f.tracker.prioritise(ids, 0) == Array(repeating: .done, count: 500))
        }
    }
}
