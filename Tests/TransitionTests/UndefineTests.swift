import RedisWire
import Testing

@testable import Belay

@Suite("undefine")
struct UndefineTests {
    static func verb(_ kind: KindName = "k", force: Bool = false, limit: Int = 500) -> Undefine {
        Undefine(kind: kind, force: force, limit: limit)
    }

    @Test("removes a kind that has no tasks, and answers a repeat that there is none")
    func removes() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.send(f.claimMany(1, ["k", "l"], wait: .seconds(1)))
            var answer: Undefine.Response?
            let events = try await f.events { answer = try await f.send(Self.verb()) }
            #expect(answer == .step(deleted: 0, more: false))
            #expect(events == ["undefined k "])
            let dump = try await f.dump()
            #expect(dump.header["k:k"] == nil)
            #expect(dump.header["q:k"] == nil)
            #expect(dump.index("i:k") == [:])
            #expect(dump.index("i:l").count == 1)
            #expect(try await f.tracker.kinds().map(\.name) == ["l"])
            #expect(try await f.unchanged(Self.verb()) == .notFound)
            #expect(try await f.unchanged(Self.verb(force: true)) == .notFound)
            #expect(try await f.tracker.undefine("k") == .notFound)
            await #expect { try await f.tracker.enqueue([NewTask("k")]) } throws: {
                ($0 as? TrackerError)?.code == .unknownKind
            }
        }
    }

    @Test("is refused while the kind has a task, wherever that stands", arguments: Place.allCases)
    func inUse(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            #expect(try await f.unchanged(Self.verb()) == .inUse(tasks: 1))
            var answer: Undefine.Response?
            let events = try await f.events { answer = try await f.send(Self.verb(force: true)) }
            #expect(answer == .step(deleted: 1, more: false))
            #expect(events == ["deleted k a | \(place.rawValue)", "undefined k "])
            #expect(try await f.dump().keys.keys.filter { $0.hasSuffix(":a") || $0.hasSuffix(":k") } == [])
        }
    }

    @Test("ends the kind's pause and forgets who took it; the tracker's pause stands")
    func paused() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for kind in ["k", "l", nil] as [KindName?] { try await f.tracker.pauseKind(kind) }
            try await f.send(Beat(.online, kinds: ["k", "l"]))
            #expect(try await f.send(Self.verb()) == .step(deleted: 0, more: false))
            let dump = try await f.dump()
            #expect(dump.hash("gates")?.keys.sorted() == ["", "l"])
            #expect(dump.index("k:k") == [:])
            #expect(dump.index("k:l").count == 1)
            try await f.tracker.resumeKind(nil)
            try await f.tracker.define("k")
            try await f.enqueue("a")
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
        }
    }

    @Test("counts tasks of every priority, and refuses their holders once they are gone")
    func priorities() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for priority in 0...9 { try await f.enqueue(TaskID(trusted: "p\(priority)"), priority: priority) }
            try await f.enqueue("other", "l", priority: 3)
            let handle = try await f.claim("p4").handle
            #expect(try await f.tracker.undefine("k") == .inUse(tasks: 10))
            #expect(try await f.tracker.undefine("k", force: true) == .removed(tasks: 10))
            #expect(try await f.tracker.complete(handle) == .gone)
            #expect(try await f.tracker.find().tasks.map(\.id) == ["other"])
        }
    }

    @Test("deletes many tasks in steps, the kind with the last; a step that was lost may be repeated")
    func steps() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 5)
            #expect(try await f.send(Self.verb(force: true, limit: 2)) == .step(deleted: 2, more: true))
            #expect(try await f.dump().header["k:k"] != nil)
            Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
            #expect(try await f.send(Self.verb(limit: 2)) == .inUse(tasks: 3))
            #expect(try await f.send(Self.verb(force: true, limit: 2)) == .step(deleted: 2, more: true))
            #expect(try await f.send(Self.verb(force: true, limit: 2)) == .step(deleted: 1, more: false))
            #expect(try await f.send(Self.verb(force: true, limit: 2)) == .notFound)
        }
    }

    @Test("deletes more tasks than one step holds, with everything kept of them")
    func many() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await DeleteTests.whole("a", in: f)
            for prefix in ["s", "t"] { try await f.enqueue(count: 300, prefix: prefix) }
            #expect(try await f.tracker.undefine("k", force: true) == .removed(tasks: 601))
            #expect(try await f.dump().keys.keys.sorted() == ["events", "meta", "workers"])
        }
    }

    @Test("lets the fence grow over a removal and a new task of the same id, whatever the clock does")
    func fences() async throws {
        try await TrackerFixture.run { f async throws in
            var fences: [Int] = []
            for round in 0..<4 {
                try await f.tracker.define("k", policy: TrackerFixture.policy)
                try await f.enqueue("a")
                for turn in 0..<3 {
                    let claim = try await f.claim("a", token: "\(round).\(turn)")
                    fences.append(claim.fence)
                    try await f.tracker.release([claim.handle])
                }
                #expect(try await f.tracker.undefine("k", force: true) == .removed(tasks: 1))
                f.clock.advance(by: .milliseconds(-500))
            }
            #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test("makes room for another kind, and takes another policy under the same name")
    func room() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            for number in 1...1000 {
                try await f.send(
                    Define(kind: KindName(trusted: "k\(number)"), policy: DefineTests.other, replace: false)
                )
            }
            await #expect(throws: TrackerError.self) { try await f.tracker.define("more") }
            #expect(try await f.tracker.undefine("k7") == .removed(tasks: 0))
            try await f.tracker.define("more")
            #expect(try await f.tracker.undefine("k8") == .removed(tasks: 0))
            try await f.tracker.define("k8", policy: TrackerFixture.policy)
            #expect(try await f.tracker.kinds().count == 1000)
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue(count: 3)
            try await f.command("DEL", "t:t3")
            try await f.command("SET", "t:t3", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb(force: true)) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("takes 1 to 500 tasks a step")
    func limits() throws {
        for limit in [0, 501] { #expect(throws: TrackerError.self) { try Self.verb(limit: limit).validate() } }
        for limit in [1, 500] { try Self.verb(limit: limit).validate() }
    }

    @Test("tells those of other kinds that wait for its tasks, and leaves nothing of contents and parents")
    func kin() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for number in 1...3 {
                try await f.create(
                    TaskID(trusted: "l\(number)"),
                    "l",
                    tags: ["x"],
                    unique: Uniqueness(key: "\(number)")
                )
            }
            try await f.create("lc", "l", after: .after("l1"))
            try await f.create("any", after: .after("l1", "l2", quorum: .any))
            try await f.create("lost", after: .after("l1", condition: .succeeded))
            try await f.create("tag", after: .after(tag: "x"))
            #expect(try await f.unchanged(Undefine(kind: "l", force: false)) == .inUse(tasks: 4))
            #expect(try await f.tracker.undefine("l", force: true) == .removed(tasks: 4))
            #expect(try await f.states("any", "lost", "tag", "lc") == [.ready, .cancelled, .ready, nil])
            let rest = try await f.dump().keys.keys.filter {
                "mfu".contains($0.prefix(1)) && $0.dropFirst().first == ":"
            }
            #expect(rest == [])
        }
    }

    @Test("in steps tells those that wait for the tasks of each step")
    func kinInSteps() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue(count: 5, "l")
            for number in 1...5 {
                let parent = TaskID(trusted: "t\(number)")
                try await f.create(TaskID(trusted: "c\(number)"), after: .after(parent))
            }
            let ids = (1...5).map { TaskID(trusted: "c\($0)") }
            #expect(try await f.send(Undefine(kind: "l", force: true, limit: 3)) == .step(deleted: 3, more: true))
            #expect(try await f.tally(ids) == [.ready: 3, .blocked: 2])
            #expect(try await f.tracker.undefine("l", force: true) == .removed(tasks: 2))
            #expect(try await f.tally(ids) == [.ready: 5])
        }
    }
}
