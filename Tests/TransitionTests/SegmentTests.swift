import RedisWire
import Testing

@testable import Belay

@Suite("segment")
struct SegmentTests {
    static func registration(
        _ name: String,
        parents: [String] = [],
        parameters: String = "{}",
        tag: TaskTag? = nil
    ) -> SegmentRegistration {
        SegmentRegistration(
            instance: TaskTag(trusted: "\(name)@0"),
            name: name,
            version: "1",
            kind: "k",
            parameters: Body(bytes: Array(parameters.utf8)),
            parents: parents.map { TaskTag(trusted: "\($0)@0") },
            rule: "cross",
            tag: tag
        )
    }

    private static func register(_ segments: SegmentRegistration...) -> ChangeSegments {
        ChangeSegments(change: .register(segments))
    }

    private static func fields(_ f: TrackerFixture, _ instance: String) async throws -> [String: String]? {
        try await f.dump().hash("S:\(instance)")
    }

    @Test("registers all segments of a call with what follows what, and says the same again")
    func register() async throws {
        try await TrackerFixture.run { f async throws in
            let call = Self.register(
                Self.registration("a", parameters: #"{"x":1}"#, tag: "mine"),
                Self.registration("b", parents: ["a"]),
                Self.registration("c", parents: ["a", "b"])
            )
            #expect(try await f.twice(call) == [.kept, .kept, .kept])
            let a = try #require(try await Self.fields(f, "a@0"))
            #expect(
                a == [
                    "n": "a", "k": "0", "v": "1", "i": "k", "p": #"{"x":1}"#, "f": "", "r": "cross", "g": "mine",
                    "c": "\(f.now)",
                ]
            )
            #expect(try await Self.fields(f, "c@0")?["f"] == "a@0\nb@0")
            #expect(try await Self.fields(f, "c@0")?["c"] == "\(f.now + 2)", "each has a time of its own")
        }
    }

    @Test("changes nothing of a segment that is stored but its tag, when one is given")
    func again() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Self.register(Self.registration("a", tag: "one")))
            let before = try await Self.fields(f, "a@0")
            f.clock.advance(by: .seconds(5))
            try await f.send(Self.register(Self.registration("a", parameters: "[2]")))
            #expect(try await Self.fields(f, "a@0") == before)
            try await f.send(Self.register(Self.registration("a", parameters: "[2]", tag: "two")))
            #expect(try await Self.fields(f, "a@0") == before?.merging(["g": "two"]) { $1 })
        }
    }

    @Test("refuses an unknown parent, naming it, and registers nothing of that call")
    func unknownParent() async throws {
        try await TrackerFixture.run { f async throws in
            let call = Self.register(Self.registration("a"), Self.registration("b", parents: ["nobody"]))
            let error = await #expect(throws: TrackerError.self) { try await f.unchanged(call) }
            #expect(error?.code == .unknownParent)
            #expect(error?.message.contains("b@0") == true && error?.message.contains("nobody@0") == true)
            // A parent must stand before its children in the call.
            let turned = Self.register(Self.registration("b", parents: ["a"]), Self.registration("a"))
            await #expect(throws: TrackerError.self) { try await f.unchanged(turned) }
        }
    }

    @Test("refuses parameters over 4,096 bytes, and more than 1,000 segments")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let large = Self.register(
                Self.registration("a"),
                Self.registration("b", parameters: String(repeating: "p", count: 4097))
            )
            #expect((await #expect(throws: TrackerError.self) { try await f.unchanged(large) })?.code == .tooLarge)
            let many = (0..<1000).map { Self.registration("s\($0)") }
            try await f.send(ChangeSegments(change: .register(many)))
            let more = Self.register(Self.registration("one-more"))
            #expect((await #expect(throws: TrackerError.self) { try await f.unchanged(more) })?.code == .full)
            #expect(try await f.send(Self.register(Self.registration("s7"))) == [.kept], "it is stored")
            #expect(try await f.send(ChangeSegments(change: .forget(["s0@0"]))) == [.forgotten])
            #expect(try await f.send(more) == [.kept])
            await #expect(throws: TrackerError.self) {
                try await f.tracker.tagSegments([], nil)
            }
        }
    }

    @Test("tags segments, takes tags away, and tells which there are not")
    func tags() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Self.register(Self.registration("a"), Self.registration("b", tag: "old")))
            let change = ChangeSegments(change: .tag(["a@0", "nobody@0", "b@0"], "new"))
            #expect(try await f.twice(change) == [.kept, .gone, .kept])
            #expect(try await Self.fields(f, "a@0")?["g"] == "new")
            try await f.send(ChangeSegments(change: .tag(["b@0"], nil)))
            #expect(try await Self.fields(f, "b@0")?["g"] == "")
            #expect(try await Self.fields(f, "nobody@0") == nil)
        }
    }

    @Test("forgets a segment only when no task of it is left, in whatever state")
    func forget() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Self.register(Self.registration("a"), Self.registration("b")))
            let options = EnqueueOptions(id: "a@0/1", tags: ["a@0"])
            try await f.tracker.enqueue([NewTask("k", options: options)])
            let forget = ChangeSegments(change: .forget(["a@0", "b@0", "c@0"]))
            #expect(try await f.send(forget) == [.inUse, .forgotten, .gone])
            _ = try await f.tracker.cancel(["a@0/1"])
            #expect(try await f.tracker.forgetSegment("a@0") == .inUse)
            _ = try await f.tracker.delete(["a@0/1"])
            #expect(try await f.tracker.forgetSegment("a@0") == .forgotten)
            #expect(try await f.tracker.forgetSegment("a@0") == .notFound)
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("S:") || $0 == "segments" } == [])
        }
    }
}
