import Testing

@testable import Belay

/// One line for all kinds and priorities.
@Suite("The order by due time")
struct OrderTests {
    /// Tasks of several kinds and priorities, one µs apart, in the order of their ids.
    static func fill(_ f: TrackerFixture) async throws -> [TaskID] {
        let tasks: [(TaskID, KindName, Int)] = [
            ("a", "l", 0), ("b", "k", 5), ("c", "m", 9), ("d", "l", 9), ("e", "k", 0), ("f", "m", 5),
        ]
        for (id, kind, priority) in tasks {
            try await f.enqueue(id, kind, priority: priority)
            f.clock.advance(by: .microseconds(1))
        }
        return tasks.map(\.0)
    }

    static func peek(
        _ kinds: [KindName],
        _ order: ClaimOrder = .due,
        scheduled: Bool = false,
        limit: Int = 10
    ) -> Peek { Peek(kinds: kinds, limit: limit, order: order, scheduled: scheduled) }

    @Test("claims the longest due first, whatever kind and priority")
    func claims() async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            let ids = try await Self.fill(f)
            #expect(try await f.unchanged(Self.peek(["m", "k", "l"])).map(\.id) == ids)
            let first = try await f.twice(f.claimMany(2, ["k", "l", "m"], token: "1", order: .due)).claims
            #expect(first.map(\.id) == ["a", "b"])
            #expect(try await f.tracker.claim(["k", "m"], limit: 2, order: .due).map(\.id) == ["c", "e"])
            #expect(try await f.tracker.claim(["m", "l", "k"], limit: 9, order: .due).map(\.id) == ["d", "f"])
        }
    }

    @Test("by priority remains the rule")
    func rule() async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            _ = try await Self.fill(f)
            let expected: [TaskID] = ["c", "d", "b", "f", "a", "e"]
            #expect(try await f.unchanged(Self.peek(["k", "l", "m"], .priority)).map(\.id) == expected)
            #expect(try await f.tracker.claim(["k", "l", "m"], limit: 6).map(\.id) == expected)
        }
    }

    @Test("goes by id among tasks of the same moment, and by due time, not by the time of the enqueue")
    func equals() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for (id, kind, priority) in [("z", "k", 9), ("y", "l", 0), ("x", "k", 5)] as [(TaskID, KindName, Int)] {
                try await f.enqueue(id, kind, priority: priority)
            }
            try await f.enqueue("late", delay: .seconds(2), priority: 9)
            f.clock.advance(by: .seconds(1))
            try await f.enqueue("soon", "l")
            f.clock.advance(by: .seconds(1))
            let expected: [TaskID] = ["x", "y", "z", "soon", "late"]
            #expect(try await f.send(f.claimMany(9, ["l", "k"], order: .due)).claims.map(\.id) == expected)
        }
    }

    @Test("tells when the next is due, and claims nothing before, nothing that is paused, nothing that ended")
    func notDue() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for place in Place.allCases where place != .ready {
                try await f.bring(TaskID(trusted: "at\(place.rawValue)"), to: place)
            }
            try await f.enqueue("a", "l", delay: .seconds(3), priority: 0)
            try await f.enqueue("b", "k", delay: .seconds(4), priority: 9)
            let answer = try await f.unchanged(f.claimMany(9, ["k", "l"], token: "2", order: .due))
            #expect(answer.claims == [])
            #expect(answer.nextDue == f.moment(.seconds(3)))
            #expect(try await f.tracker.claim(["k", "l"], limit: 9) == [])
            #expect(try await f.send(Self.peek(["k", "l"])) == [])
        }
    }

    @Test("answers a repeat with the same grant")
    func repeats() async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            _ = try await Self.fill(f)
            let request = f.request(f.claimMany(3, ["k", "l", "m"], order: .due))
            let first = try await f.send(request)
            try await f.enqueue("0", priority: 9)
            #expect(try await f.send(request) == first)
        }
    }

    @Test("gives the same tasks to a claim that is sent again with the caller's own token")
    func ownToken() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 3)
            let longest = String(repeating: "t", count: 64)
            let first = try await f.tracker.claim(["k"], limit: 2, as: f.worker, token: longest)
            #expect(first.map(\.token) == [longest, longest])
            #expect(first.map(\.worker) == [f.worker, f.worker])
            #expect(try await f.tracker.claim(["k"], limit: 2, as: f.worker, token: longest) == first)
            #expect(try await f.tracker.claim(["k"], limit: 2, as: f.worker, token: "other").map(\.id) == ["t3"])
            for bad in ["", longest + "t", "a b", "é"] {
                await #expect(throws: TrackerError.self) { try await f.tracker.claim(["k"], token: bad) }
                await #expect(throws: TrackerError.self) { try await f.tracker.claim("t1", token: bad) }
                await #expect(throws: TrackerError.self) { try await f.tracker.claim("t1", reentering: bad) }
            }
        }
    }

    @Test("shows what is due later too when asked, in the order of its time, or by priority first")
    func scheduled() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("now", "k", priority: 0)
            try await f.enqueue("later", "l", delay: .seconds(9), priority: 9)
            try await f.enqueue("soon", "k", delay: .seconds(5))
            let kinds: [KindName] = ["k", "l"]
            #expect(try await f.send(Self.peek(kinds)).map(\.id) == ["now"])
            #expect(try await f.unchanged(Self.peek(kinds, scheduled: true)).map(\.id) == ["now", "soon", "later"])
            #expect(try await f.send(Self.peek(kinds, scheduled: true, limit: 2)).map(\.id) == ["now", "soon"])
            let byPriority = try await f.send(Self.peek(kinds, .priority, scheduled: true))
            #expect(byPriority.map(\.id) == ["later", "soon", "now"])
            #expect(try await f.tracker.peek(["l"], order: .due, scheduled: true).map(\.id) == ["later"])
            #expect(byPriority.first?.due == f.moment(.seconds(9)))
        }
    }

    @Test("keeps to the limit over the lanes of 100 kinds")
    func manyLanes() async throws {
        let kinds = (1...100).map { KindName(trusted: "k\($0)") }
        try await TrackerFixture.run(kinds: kinds) { f async throws in
            var ids: [TaskID] = []
            for (number, kind) in kinds.enumerated() {
                let id = TaskID(trusted: "t\(1000 + number)")
                try await f.enqueue(id, kind, priority: number % 10)
                ids.append(id)
            }
            #expect(try await f.send(Self.peek(kinds.reversed(), limit: 70)).map(\.id) == Array(ids.prefix(70)))
            let claims = try await f.twice(f.claimMany(70, kinds, order: .due)).claims
            #expect(claims.map(\.id) == Array(ids.prefix(70)))
        }
    }
}
