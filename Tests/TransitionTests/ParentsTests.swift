import RedisWire
import Testing

@testable import Belay

@Suite("parents")
struct ParentsTests {
    @Test("tells what a task waits for, in the order given, with what came of it")
    func outcomes() async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["well", "ill", "open", "gone"] as [TaskID] { try await f.enqueue(id) }
            try await f.create("tagged", tags: ["g"])
            let parents: [Dependencies.Parent] = [
                .task("well"), .tag("g"), .task("ill"), .task("gone"), .task("open"),
            ]
            try await f.create("c", after: Dependencies(parents))
            #expect(try await f.tracker.parents(of: "c")?.map(\.parent) == parents)
            #expect(try await f.tracker.parents(of: "c")?.map(\.state) == [.ready, .blocked, .ready, .ready, .ready])
            try await f.finish("well", result: Body(text: "7"))
            try await f.finish("ill", well: false)
            _ = try await f.tracker.delete(["gone"])
            let outcomes = try #require(try await f.unchanged(Parents(id: "c")))
            #expect(outcomes.map(\.state) == [.succeeded, .blocked, .exhausted, nil, .ready])
            #expect(outcomes.map(\.result) == [Body(text: "7"), nil, nil, nil, nil])
        }
    }

    @Test("hands over results of any size and type", arguments: [0, 1, 64, 65, 256, 257, 4096])
    func results(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("p")
            try await f.create("c", after: .after("p"))
            let result = Body(bytes: Array(repeating: 9, count: size), contentType: "x/y")
            try await f.finish("p", result: result)
            #expect(try await f.tracker.parents(of: "c")?.map(\.result) == [size == 0 ? nil : result])
            #expect(try await f.claim("c").id == "c")
            #expect(try await f.tracker.parents(of: "c")?.map(\.result) == [size == 0 ? nil : result], "while it runs")
        }
    }

    @Test("of a tag tells whether it goes on, and whether all ended well")
    func tags() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["g"])
            try await f.create("b", tags: ["g"])
            try await f.create("c", after: .after(tag: "g"))
            func state() async throws -> TaskState? { try await f.tracker.parents(of: "c")?.first?.state }
            #expect(try await state() == .blocked)
            try await f.finish("a")
            #expect(try await state() == .blocked)
            try await f.finish("b")
            #expect(try await state() == .succeeded)
            _ = try await f.tracker.retry(["b"])
            try await f.finish("b", well: false)
            #expect(try await state() == .exhausted)
        }
    }

    @Test("has none for a task without parents, and nothing for a task that is not there")
    func none() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.unchanged(Parents(id: "a")) == [])
            #expect(try await f.unchanged(Parents(id: "nobody")) == nil)
        }
    }

    @Test("tells 100 of them")
    func many() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 100)
            try await f.create("c", after: Dependencies(ids.map { .task($0) }))
            let outcomes = try #require(try await f.tracker.parents(of: "c"))
            #expect(outcomes.map(\.parent) == ids.map { .task($0) })
            let page = try await f.reply(Parents(id: "c"))
            #expect(page[2].int == 100)
        }
    }
}
