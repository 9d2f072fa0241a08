import RedisWire
import Testing

@testable import Belay

@Suite("find")
struct FindTests {
    static func pages(
        _ size: Int,
        kinds: [KindName]? = nil,
        states: [TaskState] = TaskState.allCases,
        in f: TrackerFixture,
        between: (Int) async throws -> Void = { _ in }
    ) async throws -> [[TaskID]] {
        var pages: [[TaskID]] = []
        var cursor: String?
        repeat {
            let page = try await f.tracker.find(kinds: kinds, states: states, limit: size, cursor: cursor)
            pages.append(page.tasks.map(\.id))
            cursor = page.cursor
            try await between(pages.count)
        } while cursor != nil && pages.count < 1000
        return pages
    }

    @Test("lists by state in the order asked for, then by due time across kinds and priorities, then by id")
    func order() async throws {
        try await TrackerFixture.run(kinds: ["a", "b"]) { f async throws in
            for (id, kind, priority) in [
                ("b1", "b", 5), ("a1", "a", 5), ("a2", "a", 8), ("a0", "a", 5), ("b9", "b", 9),
            ] as [(TaskID, KindName, Int)] { try await f.enqueue(id, kind, priority: priority) }
            let done = try await f.running("done", "a")
            try await f.tracker.complete(done.handle)
            _ = try await f.running("busy", "b")
            let page = try await f.twice(
                Find(kinds: [], states: [.succeeded, .ready, .running], limit: 100, cursor: nil)
            )
            #expect(page.tasks.map(\.id) == ["done", "a0", "a1", "a2", "b1", "b9", "busy"])
            #expect(page.cursor == nil)
            #expect(try await f.tracker.find(kinds: ["b"]).tasks.map(\.id) == ["b1", "b9", "busy"])
            #expect(try await f.tracker.find(kinds: ["nothing"]).tasks == [])
            #expect(try await f.tracker.find(states: []).tasks == [])
        }
    }

    @Test("shows what a listing needs of a task")
    func rows() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            _ = try await f.tracker.progress(claim.handle, 0.25, message: "m")
            let row = try #require(try await f.tracker.find().tasks.first)
            var record = try await f.record("a")
            (record.payload, record.fence, record.leaseExpires) = (nil, nil, nil)
            #expect(row == record)
        }
    }

    @Test("pages through many tasks of equal score without a gap or a repeat", arguments: [1, 7, 100, 500])
    func equalScores(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 130)
            let pages = try await Self.pages(size, in: f)
            #expect(pages.flatMap { $0 } == ids.sorted())
            #expect(pages.dropLast().allSatisfy { $0.count == size })
        }
    }

    @Test("orders ids by their bytes among equal scores, upper case and accents as well")
    func byteOrder() async throws {
        try await TrackerFixture.run { f async throws in
            let ids: [TaskID] = ["B", "a", "é", "Z", "z", "_", "ä", "🧗", "10", "9", " ", "a b", "A"]
            for id in ids { try await f.enqueue(id) }
            #expect(try await Self.pages(1, in: f).flatMap { $0 } == ids.sorted())
        }
    }

    @Test("hides and repeats nothing that stays, while other tasks move before and after the cursor")
    func moving() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 60).sorted()
            let (stay, move) = (ids.enumerated().filter { $0.offset % 3 != 0 }.map(\.element), ids.enumerated())
            var leavers = move.filter { $0.offset % 3 == 0 }.map(\.element)
            let pages = try await Self.pages(7, states: [.ready], in: f) { number in
                // One from the pages that were seen, one from those to come; and new ones on both sides.
                for id in [leavers.first, leavers.last].compactMap(\.self) { _ = try await f.tracker.cancel([id]) }
                leavers = Array(leavers.dropFirst().dropLast())
                try await f.enqueue(TaskID(trusted: "A\(number)"))
            }
            let seen = pages.flatMap { $0 }
            #expect(seen.filter(Set(stay).contains) == stay)
            #expect(Set(seen).count == seen.count)
        }
    }

    @Test("goes on behind a cursor whose own task has gone")
    func cursorGone() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 9).sorted()
            let page = try await f.tracker.find(states: [.ready], limit: 4)
            _ = try await f.tracker.cancel([ids[3]])
            let next = try await f.tracker.find(states: [.ready], limit: 9, cursor: page.cursor)
            #expect(next.tasks.map(\.id) == Array(ids[4...]))
        }
    }

    @Test("refuses a page of none and of 501 tasks")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            await #expect(throws: TrackerError.self) { try await f.tracker.find(limit: 0) }
            await #expect(throws: TrackerError.self) { try await f.tracker.find(limit: 501) }
        }
    }

    @Test("passes over an index entry that has no task")
    func orphan() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.command("ZADD", "q:5:k", "1", "ghost")
            #expect(try await Self.pages(1, in: f).flatMap { $0 } == ["a"])
            try await f.command("ZREM", "q:5:k", "ghost")
        }
    }

    @Test("finds what a worker had last, and what it does now")
    func worker() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 6)
            let (mine, other) = (WorkerName(trusted: "me:1:a"), WorkerName(trusted: "me:1:b"))
            let first = try await f.claim("t1", token: "1", worker: mine)
            try await f.tracker.complete(first.handle)
            _ = try await f.claim("t2", token: "2", worker: mine)
            let taken = try await f.claim("t3", token: "3", worker: mine)
            try await f.tracker.fail(taken.handle, failure, .retry(after: .zero))
            _ = try await f.claim("t3", token: "4", worker: other)
            let all = try await f.tracker.find(worker: "me:1:a").tasks.map(\.id)
            #expect(all == ["t2", "t1"])
            #expect(try await f.tracker.find(states: [.running], worker: "me:1:a").tasks.map(\.id) == ["t2"])
            #expect(try await f.tracker.find(states: [.running], worker: "me:1:b").tasks.map(\.id) == ["t3"])
            #expect(try await f.tracker.find(worker: "nobody").tasks == [])
        }
    }

    @Test("finds what was enqueued from one moment to before another")
    func created() async throws {
        try await TrackerFixture.run { f async throws in
            let start = f.clock.now
            for number in 0..<5 {
                try await f.enqueue(TaskID(trusted: "t\(number)"), delay: .seconds(10 - number))
                f.clock.advance(by: .seconds(1))
            }
            func find(_ from: Int, _ before: Int) async throws -> [TaskID] {
                let created = start + .seconds(from)..<start + .seconds(before)
                return try await f.tracker.find(created: created).tasks.map(\.id).sorted()
            }
            #expect(try await find(1, 3) == ["t1", "t2"])
            #expect(try await find(0, 5) == ["t0", "t1", "t2", "t3", "t4"])
            #expect(try await find(2, 2) == [])
            #expect(try await find(5, 9) == [])
            let page = try await f.tracker.find(tag: nil, worker: "nobody", created: start..<f.clock.now)
            #expect(page.tasks == [])
        }
    }

    @Test("fills its pages although most of many kinds have no task", arguments: [FindOrder.oldestFirst, .newestFirst])
    func manyKinds(order: FindOrder) async throws {
        let kinds = (0..<100).map { KindName(trusted: "k\($0)") }
        try await TrackerFixture.run(kinds: kinds) { f async throws in
            var all: [TaskID] = []
            for number in 0..<60 {
                for (letter, kind) in [("a", kinds[7]), ("b", kinds[99]), ("c", kinds[50])] {
                    all.append(TaskID(trusted: "\(100 + number)\(letter)"))
                    try await f.enqueue(all[all.count - 1], kind, priority: number % 10)
                }
                f.clock.advance(by: .seconds(1))
            }
            var (pages, cursor) = ([[TaskID]](), String?.none)
            repeat {
                let page = try await f.tracker.find(states: [.ready], order: order, limit: 50, cursor: cursor)
                pages.append(page.tasks.map(\.id))
                cursor = page.cursor
            } while cursor != nil && pages.count < 20
            #expect(pages.flatMap { $0 } == (order == .newestFirst ? all.reversed() : all))
            #expect(pages.map(\.count) == [50, 50, 50, 30])
        }
    }

    @Test("gets through all tasks in bounded steps when few of them are wanted", arguments: [1, 100])
    func sparse(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            for prefix in ["a", "b", "c"] { try await f.enqueue(count: 500, prefix: prefix) }
            for id in ["a7", "b250", "c499"] as [TaskID] {
                _ = try await f.claim(id, token: Host.token(), worker: WorkerName(trusted: "w:1:x"))
                try await f.tracker.release([
                    try await f.claim(id, token: "r", worker: WorkerName(trusted: "w:1:x"), options: .ignoreLock).handle
                ])
            }
            var (ids, cursor, pages) = ([TaskID](), String?.none, 0)
            repeat {
                let page = try await f.tracker.find(states: [.ready], limit: size, cursor: cursor, worker: "w:1:x")
                ids += page.tasks.map(\.id)
                (cursor, pages) = (page.cursor, pages + 1)
            } while cursor != nil && pages < 50
            #expect(ids == ["a7", "b250", "c499"])
            #expect((3...8).contains(pages), "about 500 tasks are looked at for a page")
        }
    }
}
