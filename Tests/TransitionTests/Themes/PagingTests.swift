import Testing

@testable import Belay

/// Pages of `find` over many kinds, in either order, while tasks move.
@Suite("Paging")
struct PagingTests {
    /// Tasks of three kinds and several priorities, some of one moment; in the order of time, then id.
    static func fill(_ f: TrackerFixture, count: Int = 40) async throws -> [TaskID] {
        let kinds: [KindName] = ["k", "l", "m"]
        var ids: [TaskID] = []
        for number in 0..<count {
            let id = TaskID(trusted: "t\(1000 + number)")
            try await f.enqueue(id, kinds[number * 7 % 3], priority: number * 5 % 10)
            ids.append(id)
            if number % 4 == 3 { f.clock.advance(by: .microseconds(1)) }
        }
        return ids
    }

    static func pages(
        _ size: Int,
        _ order: FindOrder,
        kinds: [KindName]? = nil,
        states: [TaskState] = TaskState.allCases,
        in f: TrackerFixture,
        between: (Int) async throws -> Void = { _ in }
    ) async throws -> [[TaskID]] {
        var (pages, cursor) = ([[TaskID]](), String?.none)
        repeat {
            let page = try await f.tracker.find(kinds: kinds, states: states, order: order, limit: size, cursor: cursor)
            #expect(page.tasks.count <= size)
            pages.append(page.tasks.map(\.id))
            cursor = page.cursor
            try await between(pages.count)
        } while cursor != nil && pages.count < 1000
        return pages
    }

    @Test("goes by time across kinds and priorities, forwards and backwards", arguments: [1, 3, 7, 100, 500])
    func acrossKinds(size: Int) async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            let ids = try await Self.fill(f)
            #expect(try await Self.pages(size, .oldestFirst, in: f).flatMap { $0 } == ids)
            #expect(try await Self.pages(size, .newestFirst, in: f).flatMap { $0 } == ids.reversed())
            let some = try await Self.pages(size, .newestFirst, kinds: ["k", "m"], in: f).flatMap { $0 }
            let other = try await Self.pages(size, .oldestFirst, kinds: ["l"], in: f).flatMap { $0 }
            #expect(some == ids.reversed().filter { !other.contains($0) })
            #expect(!other.isEmpty && !some.isEmpty)
        }
    }

    @Test(
        "goes through the states as listed, by due time, end of the lease, and when they changed",
        arguments: [1, 2, 50]
    )
    func states(size: Int) async throws {
        try await TrackerFixture.run(kinds: ["k"]) { f async throws in
            var expected: [TaskState: [TaskID]] = [:]
            for round in 0..<3 {
                for place in Place.allCases {
                    let id = TaskID(trusted: "\(9 - round)\(place.rawValue)")
                    try await f.bring(id, to: place)
                    expected[place.state, default: []].append(id)
                    f.clock.advance(by: .milliseconds(1))
                }
            }
            // Tasks that an operator paused come before those that their holders paused.
            expected[.paused] = ["9p", "8p", "7p", "9h", "8h", "7h"]
            let order: [TaskState] = [.ignored, .running, .paused, .cancelled, .ready, .succeeded, .exhausted]
            let pages = try await Self.pages(size, .oldestFirst, states: order, in: f)
            #expect(pages.flatMap { $0 } == order.flatMap { expected[$0] ?? [] })
            expected[.paused] = ["9h", "8h", "7h", "9p", "8p", "7p"]
            let back = try await Self.pages(size, .newestFirst, states: order, in: f)
            #expect(back.flatMap { $0 } == order.flatMap { (expected[$0] ?? []).reversed() })
        }
    }

    @Test(
        "hides and repeats nothing that stays, while others move before and after the cursor",
        arguments: FindOrder.allCases
    )
    func moving(order: FindOrder) async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            let ids = try await Self.fill(f, count: 60)
            let stay = ids.enumerated().filter { $0.offset % 3 != 0 }.map(\.element)
            var leavers = ids.enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
            let pages = try await Self.pages(5, order, states: [.ready], in: f) { number in
                // One from the pages that were seen, one from those to come; and new ones at both ends.
                for id in [leavers.first, leavers.last].compactMap(\.self) { _ = try await f.tracker.pause([id]) }
                leavers = Array(leavers.dropFirst().dropLast())
                let past = EnqueueTests.item("p\(number)", due: .at(f.moment(.seconds(-60))))
                try await f.send(EnqueueTests.verb([past, EnqueueTests.item("z\(number)")]))
            }
            let seen = pages.flatMap { $0 }
            #expect(seen.filter(Set(stay).contains) == (order == .oldestFirst ? stay : stay.reversed()))
            #expect(Set(seen).count == seen.count)
        }
    }

    @Test("goes on behind a cursor whose own task has gone", arguments: FindOrder.allCases)
    func cursorGone(order: FindOrder) async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            var ids = try await Self.fill(f, count: 12)
            if order == .newestFirst { ids.reverse() }
            let page = try await f.tracker.find(states: [.ready], order: order, limit: 4)
            #expect(page.tasks.map(\.id) == Array(ids[..<4]))
            #expect(try await f.tracker.delete([ids[3]]) == [.deleted])
            let next = try await f.tracker.find(states: [.ready], order: order, limit: 99, cursor: page.cursor)
            #expect(next.tasks.map(\.id) == Array(ids[4...]))
        }
    }

    @Test("finds every task of 300 kinds once, in the order of time, also where an index is looked at for one entry")
    func manyKinds() async throws {
        let kinds = (0..<300).map { KindName(trusted: "k\($0)") }
        try await TrackerFixture.run(kinds: kinds) { f async throws in
            var ids: [TaskID] = []
            for start in stride(from: 0, to: 1200, by: 300) {
                let items = (0..<300).map { number in
                    let due = f.moment(.microseconds((start + number) * 7919 % 1200))
                    return EnqueueTests.item("t\(start + number)", kind: number, due: .at(due), priority: number % 10)
                }
                try await f.send(EnqueueTests.verb(items, kinds: kinds.map { ($0, nil) }))
                ids += items.map(\.id)
            }
            let order = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($0.element, $0.offset * 7919 % 1200) })
            ids.sort { (order[$0] ?? 0, $0) < (order[$1] ?? 0, $1) }
            #expect(try await Self.pages(500, .oldestFirst, in: f).flatMap { $0 } == ids)
            #expect(try await Self.pages(77, .newestFirst, in: f).flatMap { $0 } == ids.reversed())
        }
    }

    @Test("finds nothing of no kinds it knows and of no states, and ends there")
    func nothing() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.twice(Find(kinds: ["nothing"], states: [.ready])) == TaskPage(tasks: [], cursor: nil))
            #expect(try await f.twice(Find(states: [])) == TaskPage(tasks: [], cursor: nil))
            #expect(try await f.twice(Find(states: [.succeeded])) == TaskPage(tasks: [], cursor: nil))
        }
    }

    @Test("refuses a cursor of other states, and text that is no cursor")
    func badCursors() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 3)
            let cursor = try #require(try await f.tracker.find(states: [.ready], limit: 1).cursor)
            for bad in ["nonsense", "q", "q 5", "q x t1", "q -5 t1", "? 5 t1", "qq 5 t1", " ", cursor.uppercased()] {
                await #expect { try await f.tracker.find(states: [.ready], cursor: bad) } throws: {
                    ($0 as? TrackerError)?.code == .invalidArgument
                }
            }
            for states in [[.running], [.paused], []] as [[TaskState]] {
                await #expect(throws: TrackerError.self) { try await f.tracker.find(states: states, cursor: cursor) }
            }
            #expect(try await f.tracker.find(states: [.running, .ready], cursor: cursor).tasks.count == 2)
        }
    }
}
