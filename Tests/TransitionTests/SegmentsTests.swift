import RedisWire
import Testing

@testable import Belay

@Suite("segments")
struct SegmentsTests {
    private static func register(_ names: [String], tag: TaskTag? = nil, in f: TrackerFixture) async throws {
        let segments = names.map { SegmentTests.registration($0, tag: tag) }
        try await f.send(ChangeSegments(change: .register(segments)))
    }

    private static func query(_ change: (inout Segments) -> Void = { _ in }) -> Segments {
        var query = Segments()
        change(&query)
        return query
    }

    @Test("lists segments as they were registered, the newest first, with their tasks by state")
    func list() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(
                ChangeSegments(
                    change: .register([
                        SegmentTests.registration("a", parameters: #"{"x":[1,"ü"]}"#, tag: "mine"),
                        SegmentTests.registration("b", parents: ["a"]),
                    ])
                )
            )
            for (id, tag) in [("a@0/1", "a@0"), ("a@0/2", "a@0"), ("b@0/1", "b@0")] {
                let options = EnqueueOptions(id: TaskID(trusted: id), tags: [TaskTag(trusted: tag)])
                try await f.tracker.enqueue([NewTask("k", options: options)])
            }
            let claim = try await f.claim("a@0/1")
            try await f.tracker.complete(claim.handle)
            let page = try await f.twice(Self.query())
            #expect(page.cursor == nil)
            #expect(page.segments.map(\.instance) == ["b@0", "a@0"])
            let a = page.segments[1]
            #expect((a.name, a.key, a.version, a.kind, a.rule) == ("a", "0", "1", "k", "cross"))
            #expect((a.parameters.text, a.tag, a.created) == (#"{"x":[1,"ü"]}"#, "mine", f.moment(.zero)))
            #expect((a.counts.succeeded, a.counts.ready, a.counts.total) == (1, 1, 2))
            #expect(page.segments[0].parents == ["a@0"])
            #expect(page.segments[0].tag == nil)
        }
    }

    @Test("lists those of a name, a tag, a time, or a list")
    func filters() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.register(["a", "b"], tag: "old", in: f)
            f.clock.advance(by: .seconds(60))
            try await Self.register(["c"], tag: "new", in: f)
            func names(_ change: (inout Segments) -> Void) async throws -> [String] {
                try await f.send(Self.query(change)).segments.map(\.name)
            }
            #expect(try await names { $0.name = "b" } == ["b"])
            #expect(try await names { $0.tag = "old" } == ["b", "a"])
            #expect(try await names { $0.instances = ["c@0", "a@0", "nobody@0"] } == ["c", "a"])
            #expect(try await names { $0.created = f.moment(.seconds(-1))..<f.moment(.seconds(1)) } == ["c"])
            #expect(try await names { $0.created = f.moment(.seconds(-60))..<f.moment(.zero) } == ["b", "a"])
            #expect(try await names { $0.created = f.moment(.zero)..<f.moment(.zero) } == [])
            #expect(try await names { ($0.name, $0.tag) = ("a", "new") } == [])
            #expect(try await f.tracker.segments(instances: []).segments == [])
        }
    }

    @Test("pages without a gap or a repeat, while segments come and go", arguments: [1, 3, 100])
    func pages(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let names = (10..<30).map { "s\($0)" }
            try await Self.register(names, in: f)
            var (seen, cursor): ([String], String?) = ([], nil)
            repeat {
                let page = try await f.tracker.segments(limit: size, cursor: cursor)
                #expect(page.segments.count <= size)
                seen += page.segments.map(\.name)
                // The last one seen goes, and a new one comes in front.
                if let last = page.segments.last { _ = try await f.tracker.forgetSegment(last.instance) }
                try await Self.register(["new\(seen.count)"], in: f)
                cursor = page.cursor
            } while cursor != nil
            #expect(seen == names.reversed())
        }
    }

    @Test("refuses pages of none and of 101, and a cursor that is none")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.register(["a", "b"], in: f)
            for limit in [0, 101] {
                await #expect(throws: TrackerError.self) { try await f.tracker.segments(limit: limit) }
            }
            for cursor in ["x", "-1", "1 2"] {
                let error = await #expect(throws: TrackerError.self) { try await f.tracker.segments(cursor: cursor) }
                #expect(error?.code == .invalidArgument)
            }
        }
    }
}
