import RedisWire
import Testing

@testable import Belay

/// Tags of tasks, over all verbs.
@Suite("A tag")
struct TagIndexTests {
    @Test("stands in the record in the order given, and in the index of the task's state")
    func stored() async throws {
        try await TrackerFixture.run { f async throws in
            let tags = (1...8).map { TaskTag(trusted: "tag.\($0)") }
            try await f.create("a", due: .after(.seconds(5)), tags: tags)
            let dump = try await f.dump()
            #expect(dump.record("a")?["m"] == "tag.1" && dump.record("a")?["m7"] == "tag.8")
            #expect(dump.record("a")?["L"] == "m")
            #expect(try await f.record("a").tags == tags)
            for tag in tags { #expect(dump.index("m:q:\(tag)") == ["a": f.now + 5_000_000]) }
        }
    }

    @Test("costs a task without tags nothing")
    func absent() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a")
            #expect(try await f.dump().record("a")?["L"] == nil)
            #expect(try await f.record("a").tags == [])
        }
    }

    @Test("goes with its task wherever that goes", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["x", "y"])
            let handle = try await f.claim("a").handle
            switch place {
            case .running: break
            case .held: _ = try await f.twice(Pause(handle))
            case .succeeded: _ = try await f.twice(CompleteTests.verb([(handle, .empty)]))
            case .exhausted: _ = try await f.twice(FailTests.verb([handle], .exhaust))
            case .cancelled: _ = try await f.twice(FailTests.verb([handle], .cancelled))
            case .ready, .parked, .ignored:
                _ = try await f.twice(Release(handles: [handle]))
                if place == .parked { _ = try await f.twice(Pause("a")) }
                if place == .ignored { _ = try await f.twice(Ignore("a")) }
            }
            let dump = try await f.dump()
            let found = Invariants.states.filter { dump.index("m:\($0):x")["a"] != nil }
            #expect(found == [place.rawValue])
            #expect(dump.index("m:\(place.rawValue):y").keys.sorted() == ["a"])
            #expect(try await f.send(Delete(ids: ["a"], force: true)) == [.deleted])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("m:") } == [])
        }
    }

    @Test("goes with a task that is taken back, retried, taken over, begun anew and purged")
    func roundTrip() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("a", tags: ["x"])
            func place() async throws -> [String] {
                let dump = try await f.dump()
                Invariants.check(dump, sourceLocation: #_sourceLocation)
                return Invariants.states.filter { dump.index("m:\($0):x")["a"] != nil }
            }
            _ = try await f.claim("a", token: "1")
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            #expect(try await place() == ["q"])
            _ = try await f.claim("a", token: "2", options: .ignoreDue)
            let taken = try await f.claim("a", token: "3", options: .ignoreLock)
            #expect(try await place() == ["r"])
            try await f.twice(FailTests.verb([taken.handle], .retry()))
            #expect(try await place() == ["x"])
            try await f.twice(Retry(ids: ["a"], budget: .fresh))
            try await f.twice(f.claimMany(token: "4"))
            try await f.twice(Retry(ids: ["a"], budget: .fresh, force: true))
            #expect(try await place() == ["q"])
            try await f.finish("a")
            #expect(try await place() == ["s"])
            _ = try await f.claim("a", token: "5", options: .restart)
            #expect(try await place() == ["r"])
            f.clock.advance(by: .seconds(10))
            _ = try await f.send(f.claimMany(token: "6"))
            #expect(try await place() == ["q"])
            _ = try await f.twice(Cancel(ids: ["a"], reason: ""))
            #expect(try await place() == ["c"])
            f.clock.advance(by: .seconds(7200))
            #expect(try await f.tracker.purge().items.count == 1)
            #expect(try await place() == [])
        }
    }

    @Test("leaves nothing behind of a kind that is removed")
    func undefined() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for number in 0..<5 { try await f.create(TaskID(trusted: "t\(number)"), "l", tags: ["x"]) }
            try await f.create("stays", tags: ["x"])
            _ = try await f.claim("t1")
            try await f.finish("t2")
            #expect(try await f.tracker.undefine("l", force: true) == .removed(tasks: 5))
            #expect(try await f.tracker.counts(ofTags: ["x"]).map(\.total) == [1])
        }
    }

    @Test("is refused past eight, twice, and outside of its alphabet, before anything is sent")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let nine = (1...9).map { TaskTag(trusted: "t\($0)") }
            for tags in [nine, ["x", "y", "x"]] {
                await #expect(throws: TrackerError.self) {
                    try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(tags: tags))])
                }
            }
            let longest = TaskTag(trusted: String(repeating: "x", count: 62))
            try await f.create("a", tags: [longest])
            #expect(try await f.record("a").tags == [longest])
        }
    }

    @Test("finds its tasks, in every state, over pages of every size", arguments: [1, 2, 7])
    func find(size: Int) async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            var expected: [TaskID] = []
            for number in 0..<12 {
                let id = TaskID(trusted: "t\(100 + number)")
                try await f.create(
                    id,
                    number.isMultiple(of: 3) ? "l" : "k",
                    tags: number.isMultiple(of: 4) ? [] : ["x"]
                )
                if !number.isMultiple(of: 4) { expected.append(id) }
                f.clock.advance(by: .microseconds(1))
            }
            func pages(_ kinds: [KindName], _ order: FindOrder) async throws -> [TaskID] {
                var (ids, cursor, count) = ([TaskID](), String?.none, 0)
                repeat {
                    var verb = Find(kinds: kinds, states: TaskState.allCases, limit: size, cursor: cursor)
                    (verb.tag, verb.order) = ("x", order)
                    let page = try await f.unchanged(verb)
                    ids += page.tasks.map(\.id)
                    (cursor, count) = (page.cursor, count + 1)
                } while cursor != nil && count < 100
                return ids
            }
            #expect(try await pages([], .oldestFirst) == expected)
            #expect(try await pages([], .newestFirst) == expected.reversed())
            #expect(try await pages(["l"], .oldestFirst) == ["t103", "t106", "t109"])
            try await f.finish("t103")
            #expect(try await f.tracker.find(states: [.succeeded], tag: "x").tasks.map(\.id) == ["t103"])
            #expect(try await f.tracker.find(tag: "none").tasks == [])
        }
    }
}
