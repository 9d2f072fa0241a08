import RedisWire
import Testing

@testable import Belay

@Suite("foreign")
struct ForeignTests {
    private typealias E = ForeignEvents

    @Test("tells all of one task, with its children")
    func one() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.unchanged(ForeignOne(uuid: "a")) == nil)
            try await f.send(
                Ingest(events: [
                    E.task("received", "c", 0, ["parent_id": "a", "root_id": "a"]),
                    E.task("sent", "b", 0, ["parent_id": "a"]),
                    E.task("sent", "a", 1, clock: 1, host: "client", ["name": "n", "retries": "2"]),
                    E.task("progress", "a", 2, clock: 4, ["more": "{}"]),
                ])
            )
            let task = try #require(try await f.unchanged(ForeignOne(uuid: "a")))
            #expect(
                task
                    == ForeignTask(
                        uuid: "a",
                        state: .custom("PROGRESS"),
                        timestamp: E.start + .milliseconds(2),
                        clock: 4,
                        hostname: "w1",
                        client: "client",
                        lastEvent: E.start + .milliseconds(2),
                        moments: ["sent": E.start + .milliseconds(1), "progress": E.start + .milliseconds(2)],
                        fields: ["name": "n", "retries": "2", "more": "{}"],
                        children: ["b", "c"]
                    )
            )
            #expect([task.name, task.retries.map { "\($0)" }] == ["n", "2"])
            let child = try #require(try await f.tracker.foreignTask("c"))
            #expect([child.parent, child.root] == ["a", "a"])
            #expect(child.children == [])
        }
    }

    @Test("pages by state, name and worker, the latest heard of first, equals by id")
    func pages() async throws {
        try await TrackerFixture.run { f async throws in
            for number in 0..<20 {
                let word = number.isMultiple(of: 2) ? "started" : "failed"
                let host = number < 5 ? "w1" : "w2"
                let event = try E.task(word, "t\(10 + number)", number / 3, host: host, ["name": "n\(number % 4)"])
                try await f.send(Ingest(events: [event]))
            }
            let all = (10..<30).reversed().map { TaskID(trusted: "t\($0)") }
            func ids(_ filter: ForeignFilter, _ limit: Int) async throws -> [TaskID] {
                var (ids, cursor): ([TaskID], String?) = ([], nil)
                repeat {
                    let verb = ForeignMany(filter: filter, limit: limit, cursor: cursor)
                    let page = try await f.unchanged(verb)
                    #expect(page.tasks.count == limit || page.cursor == nil)
                    ids += page.tasks.map(\.uuid)
                    cursor = page.cursor
                } while cursor != nil
                return ids
            }
            for limit in [1, 3, 20, 500] {
                #expect(try await ids(.all, limit) == all)
                #expect(
                    try await ids(.state(.started), limit) == all.filter { Int($0.description.dropFirst())! % 2 == 0 }
                )
                #expect(try await ids(.worker("w1"), limit) == Array(all.suffix(5)))
                #expect(try await ids(.name("n3"), limit) == ["t29", "t25", "t21", "t17", "t13"])
                #expect(try await ids(.state(.success), limit) == [])
            }
        }
    }

    @Test("goes on where a page ended, whatever moved meanwhile")
    func stable() async throws {
        try await TrackerFixture.run { f async throws in
            for number in 0..<6 { try await f.send(Ingest(events: [E.task("sent", "t\(number)", number)])) }
            let first = try await f.tracker.foreignTasks(limit: 2)
            #expect(first.tasks.map(\.uuid) == ["t5", "t4"])
            // The place's own task moves to the front, another comes.
            try await f.send(Ingest(events: [E.task("started", "t4", 20), E.task("sent", "t9", 21)]))
            let second = try await f.tracker.foreignTasks(limit: 500, cursor: first.cursor)
            #expect(second.tasks.map(\.uuid) == ["t3", "t2", "t1", "t0"])
            #expect(second.cursor == nil)
        }
    }

    @Test(
        "refuses a cursor that no page returned, and a page of none or too many",
        arguments: ["x", "5", " a", "-1 a", "1.5 a"]
    )
    func badCursors(cursor: String) async throws {
        try await TrackerFixture.run { f async throws in
            await #expect(throws: TrackerError.self) { try await f.tracker.foreignTasks(cursor: cursor) }
            for limit in [0, 501] {
                await #expect(throws: TrackerError.self) { try await f.tracker.foreignTasks(limit: limit) }
            }
        }
    }

    @Test("counts by state and name, and what ever came")
    func counts() async throws {
        try await TrackerFixture.run { f async throws in
            let none = ForeignCounts(tasks: 0, states: [:], names: [:], events: 0, received: 0)
            #expect(try await f.unchanged(ForeignCount()) == none)
            try await f.send(
                Ingest(events: [
                    E.task("received", "a", 1, ["name": "n"]), E.task("received", "b", 1, ["name": "m"]),
                    E.task("progress", "b", 2), E.task("received", "b", 3), E.task("sent", "c"), E.worker("online"),
                ])
            )
            #expect(
                try await f.unchanged(ForeignCount())
                    == ForeignCounts(
                        tasks: 3,
                        states: [.received: 1, .custom("PROGRESS"): 1, .pending: 1],
                        names: ["n": 1, "m": 1],
                        events: 6,
                        received: 3
                    )
            )
        }
    }
}
