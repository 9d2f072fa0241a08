import BelayTestKit
import Testing

@testable import Belay

/// Queries, on every backend.
@Suite("queries")
struct QueryContract {
    @Test("records come in the order asked for, nil where there is none", arguments: TestedBackend.spread)
    func get(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            try await tracker.add("ü {x}")
            #expect(try await tracker.get(["ü {x}", "none", "a", "a"]).map { $0?.id } == ["ü {x}", nil, "a", "a"])
            #expect(await code { _ = try await tracker.get([]) } == .invalidArgument)
            #expect(await code { _ = try await tracker.get(Array(repeating: "a", count: 501)) } == .invalidArgument)
        }
    }

    @Test("pages show every task once, in a stable order", arguments: TestedBackend.spread)
    func paging(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.define("fax")
            let ids = try (10..<40).map { try TaskID("t\($0)") }
            for id in ids { try await tracker.add(id, id < "t25" ? mail : "fax", priority: id < "t20" ? 9 : 5) }
            for id: TaskID in ["t11", "t30"] { _ = try await tracker.take(id) }
            let all = try await tracker.find(limit: 500)
            #expect(all.tasks.count == 30 && all.cursor == nil)
            for limit in [1, 7, 30] { #expect(try await pages(of: tracker, limit: limit) == all.tasks.map(\.id)) }
            #expect(all.tasks.prefix(15).allSatisfy { $0.kind == "fax" } == false)
            #expect(try await tracker.find(kinds: ["fax"], states: [.running]).tasks.map(\.id) == ["t30"])
            #expect(try await tracker.find(kinds: ["unknown"]).tasks.isEmpty)
            #expect(try await tracker.find(states: []).tasks.isEmpty)
            let row = try #require(all.tasks.first)
            #expect((row.payload, row.lastFailure) == (nil, nil))
        }
    }

    @Test("tasks that move meanwhile neither hide nor repeat others", arguments: TestedBackend.spread)
    func pagingWhileMoving(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let ids = try (10..<30).map { try TaskID("t\($0)") }
            for id in ids { try await tracker.add(id) }
            var seen: [TaskID] = []
            var cursor: String?
            repeat {
                let page = try await tracker.find(states: [.ready, .ready], limit: 4, cursor: cursor)
                seen += page.tasks.map(\.id)
                // The last of the page, where the cursor stands, is taken away.
                if let last = page.tasks.last?.id { _ = try await tracker.take(last) }
                cursor = page.cursor
            } while cursor != nil
            #expect(seen == ids)
        }
    }

    @Test("a cursor that is none is refused", arguments: TestedBackend.spread)
    func badCursor(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            try await tracker.add("b")
            let cursor = try #require(try await tracker.find(states: [.ready], limit: 1).cursor)
            for bad in ["nonsense", "q 1", "q NaN a", "z 1 a", "q -1 a"] {
                #expect(await code { _ = try await tracker.find(cursor: bad) } == .invalidArgument, "\(bad)")
            }
            let other = await code { _ = try await tracker.find(states: [.running], cursor: cursor) }
            #expect(other == .invalidArgument, "of another search")
            #expect(await code { _ = try await tracker.find(limit: 0) } == .invalidArgument)
            #expect(try await tracker.find(states: [.ready], cursor: cursor).tasks.map(\.id) == ["b"])
        }
    }

    @Test("stats count every task once, where it stands", arguments: TestedBackend.spread)
    func stats(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            for id: TaskID in ["ready", "low", "runs", "s", "x", "c"] {
                try await tracker.add(id, priority: id == "low" ? 1 : 5)
            }
            try await tracker.add("later", delay: .seconds(60), priority: 9)
            clock.advance(by: .seconds(3))
            _ = try await tracker.take("runs")
            try await tracker.complete(tracker.take("s").handle)
            try await tracker.fail(tracker.take("x").handle, TaskFailure(type: "e", message: "m"), .exhaust)
            _ = try await tracker.cancel(["c"])
            let stats = try await tracker.stats()
            #expect(stats.kinds.map(\.kind) == ["fax", mail])
            let kind = stats.kinds[1]
            #expect((kind.ready, kind.scheduled, kind.running) == (2, 1, 1))
            #expect((kind.succeeded, kind.exhausted, kind.cancelled, kind.total) == (1, 1, 1, 7))
            #expect(kind.oldestReadyAge == .seconds(3))
            #expect(kind.nextDue == clock.now + .seconds(57))
            #expect((stats.workers, stats.now) == (1, clock.now))
            #expect((stats.kinds[0].oldestReadyAge, stats.kinds[0].nextDue) == (nil, nil))
        }
    }

    @Test("workers that were not seen for a day are forgotten", arguments: TestedBackend.spread)
    func workers(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            _ = try await tracker.take("a")
            clock.advance(by: .seconds(86_400))
            _ = try await tracker.purge()
            #expect(try await tracker.stats().workers == 0)
        }
    }

    private func pages(of tracker: Tracker, limit: Int) async throws -> [TaskID] {
        var ids: [TaskID] = []
        var cursor: String?
        repeat {
            let page = try await tracker.find(limit: limit, cursor: cursor)
            #expect(page.tasks.count <= limit)
            ids += page.tasks.map(\.id)
            cursor = page.cursor
        } while cursor != nil
        return ids
    }
}
