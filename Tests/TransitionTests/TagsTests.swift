import RedisWire
import Testing

@testable import Belay

@Suite("tags")
struct TagsTests {
    @Test("counts the tasks of a tag in each state, whatever their kind")
    func counts() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for (number, kind) in ["k", "l", "k", "l", "k", "l", "k", "l", "k"].enumerated() {
                let id = TaskID(trusted: "t\(number)")
                let after: Dependencies? = number == 8 ? .after("t0") : nil
                try await f.create(id, KindName(trusted: kind), tags: ["x", "y"], after: after)
            }
            try await f.create("other", tags: ["y"])
            _ = try await f.claim("t1", token: "1")
            let paused = try await f.claim("t2", token: "2")
            _ = try await f.tracker.pause(paused.handle)
            _ = try await f.tracker.pause(["t3"])
            try await f.finish("t4")
            try await f.finish("t5", well: false)
            _ = try await f.tracker.cancel(["t6"])
            _ = try await f.tracker.ignore(["t7"])
            let counts = try await f.unchanged(Tags(tags: ["x", "y", "none"]))
            var x = TagCounts(tag: "x")
            (x.ready, x.running, x.paused, x.blocked) = (1, 1, 2, 1)
            (x.succeeded, x.exhausted, x.cancelled, x.ignored) = (1, 1, 1, 1)
            var y = x
            (y.tag, y.ready) = ("y", 2)
            #expect(counts == [x, y, TagCounts(tag: "none")])
            #expect([x.total, x.unfinished, x.ended] == [9, 5, 4])
            #expect(x.progress == 4.0 / 9)
            #expect(TagCounts(tag: "none").progress == 0)
        }
    }

    @Test("takes 1 to 100 tags")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let tags = (0...100).map { TaskTag(trusted: "t\($0)") }
            try await f.create("a", tags: [tags[99]])
            let counts = try await f.tracker.counts(ofTags: Array(tags.prefix(100)))
            #expect(counts.map(\.tag) == Array(tags.prefix(100)))
            #expect(counts.map(\.ready).reduce(0, +) == 1)
            for bad in [[], tags] {
                await #expect(throws: TrackerError.self) { try await f.tracker.counts(ofTags: bad) }
            }
        }
    }
}
