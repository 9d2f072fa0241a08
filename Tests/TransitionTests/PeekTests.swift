import RedisWire
import Testing

@testable import Belay

@Suite("peek")
struct PeekTests {
    @Test("shows what a claim would take, in its order, and takes nothing")
    func order() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for (id, kind, priority) in [
                ("a", "l", 5), ("b", "k", 5), ("c", "l", 9), ("d", "k", 0), ("e", "k", 9),
            ] as [(TaskID, KindName, Int)] {
                try await f.enqueue(id, kind, priority: priority)
                f.clock.advance(by: .microseconds(1))
            }
            try await f.enqueue("later", delay: .seconds(1), priority: 9)
            let seen = try await f.unchanged(Peek(kinds: ["k", "l"], limit: 10))
            #expect(seen.map(\.id) == ["c", "e", "a", "b", "d"])
            #expect(try await f.send(Peek(kinds: ["k", "l"], limit: 3)).map(\.id) == ["c", "e", "a"])
            #expect(try await f.send(Peek(kinds: ["l"], limit: 3)).map(\.id) == ["c", "a"])
            #expect(try await f.send(f.claimMany(10, ["k", "l"])).claims.map(\.id) == seen.map(\.id))
        }
    }

    @Test("shows a task once although its kind is named twice, and nothing of an unknown kind")
    func kinds() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.twice(Peek(kinds: ["k", "nothing", "k"], limit: 5)).map(\.id) == ["a"])
        }
    }

    @Test("shows nothing of what is paused, but in the queue with what is due later", arguments: ["k", nil])
    func paused(kind: KindName?) async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("a")
            try await f.enqueue("b", "l")
            try await f.enqueue("later", delay: .seconds(1))
            try await f.tracker.pauseKind(kind)
            let seen = try await f.unchanged(Peek(kinds: ["k", "l"], limit: 5)).map(\.id)
            #expect(seen == (kind == nil ? [] : ["b"]))
            #expect(try await f.send(f.claimMany(5, ["k", "l"])).claims.map(\.id) == seen)
            let queue = Peek(kinds: ["k"], limit: 5, order: .priority, scheduled: true)
            #expect(try await f.unchanged(queue).map(\.id) == ["a", "later"])
        }
    }

    @Test("refuses none and 501 tasks, no kinds and 101")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 500)
            #expect(try await f.tracker.peek(["k"], limit: 500).count == 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.peek(["k"], limit: 0) }
            await #expect(throws: TrackerError.self) { try await f.tracker.peek(["k"], limit: 501) }
            await #expect(throws: TrackerError.self) { try await f.tracker.peek([]) }
            let many = (1...101).map { KindName(trusted: "k\($0)") }
            await #expect(throws: TrackerError.self) { try await f.tracker.peek(many) }
        }
    }
}
