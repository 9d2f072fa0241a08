import RedisWire
import Testing

@testable import Belay

@Suite("purge")
struct PurgeTests {
    @Test("deletes a task exactly when its kind's retention of that end is over")
    func retention() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            try await f.tracker.complete(a.handle)
            try await f.tracker.fail(b.handle, failure, .exhaust)
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"])
            try await f.enqueue("d")
            _ = try await f.tracker.ignore(["d"])
            try await f.enqueue("waits")
            try await f.bring("parked", to: .parked)
            f.clock.advance(by: .microseconds(3_599_999_999))
            #expect(try await f.send(Purge(limit: 10)).items == [])
            f.clock.advance(by: .microseconds(1))
            var step: SweepStep<PurgedTask>?
            let events = try await f.events { step = try await f.send(Purge(limit: 10)) }
            #expect(step == SweepStep(items: [PurgedTask(id: "a", kind: "k", state: .succeeded)], more: false))
            #expect(events == ["purged k a | s"])
            f.clock.advance(by: .seconds(3600))
            let rest = try await f.send(Purge(limit: 10))
            #expect(Set(rest.items.map(\.id)) == ["b", "c", "d"])
            #expect(Set(rest.items.map(\.state)) == [.exhausted, .cancelled, .ignored])
            let left = try await f.tracker.get(["a", "b", "c", "d", "waits", "parked"]).map(\.?.id)
            #expect(left == [nil, nil, nil, nil, "waits", "parked"])
        }
    }

    @Test("deletes all that belongs to a task")
    func sideKeys() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await DeleteTests.whole("a", in: f)
            try await f.tracker.complete(claim.handle)
            let before = try await f.dump()
            for key in ["t:a", "b:a", "o:a", "d:a", "a:a", "e:a", "l:a"] { #expect(before.keys[key] != nil) }
            f.clock.advance(by: .seconds(3600))
            _ = try await f.tracker.purge()
            let after = try await f.dump()
            #expect(after.keys.keys.sorted() == ["events", "meta", "workers"])
        }
    }

    @Test("changes nothing when it is asked again")
    func again() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            _ = try await f.tracker.cancel(["a"])
            f.clock.advance(by: .seconds(7200))
            #expect(try await f.send(Purge(limit: 10)).items.count == 1)
            #expect(try await f.unchanged(Purge(limit: 10)) == SweepStep(items: [], more: false))
        }
    }

    @Test("keeps the tasks of a kind that says so for ever")
    func forEver() async throws {
        let policy = KindPolicy(keepSucceeded: nil, keepOther: nil)
        try await TrackerFixture.run(policy: policy) { f async throws in
            let claim = try await f.running()
            try await f.tracker.complete(claim.handle)
            try await f.enqueue("c")
            _ = try await f.tracker.cancel(["c"])
            f.clock.advance(by: .seconds(3650 * 86_400))
            #expect(try await f.tracker.purge().items == [])
            #expect(try await f.tracker.find().tasks.count == 2)
        }
    }

    @Test("deletes no more than asked for, and says whether more is left")
    func limit() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            let ids = try await f.enqueue(count: 3, "k", prefix: "k") + f.enqueue(count: 2, "l", prefix: "l")
            _ = try await f.tracker.cancel(ids)
            f.clock.advance(by: .seconds(7200))
            var steps: [Int] = []
            while true {
                let step = try await f.tracker.purge(limit: 2)
                steps.append(step.items.count)
                if !step.more { break }
            }
            #expect(steps == [2, 2, 1])
            #expect(try await f.tracker.find().tasks == [])
        }
    }

    @Test("finds what is to be deleted among many kinds, most of which have nothing")
    func manyKinds() async throws {
        let kinds = (10..<50).map { KindName(trusted: "k\($0)") }
        try await TrackerFixture.run(kinds: kinds) { f async throws in
            for place in [0, 15, 16, 17, 39] {
                try await f.tracker.complete(try await f.running(TaskID(trusted: "s\(place)"), kinds[place]).handle)
                let other = TaskID(trusted: "c\(place)")
                try await f.enqueue(other, kinds[place])
                _ = try await f.tracker.cancel([other])
            }
            let stats = try await f.tracker.stats().kinds
            #expect(
                stats.filter { $0.succeeded == 1 && $0.cancelled == 1 }.map(\.kind)
                    == [0, 15, 16, 17, 39].map { kinds[$0] }
            )
            #expect(stats.count { $0.succeeded + $0.cancelled > 0 } == 5)
            f.clock.advance(by: .seconds(7200))
            var gone: [TaskID] = []
            while case let step = try await f.tracker.purge(limit: 3), !step.items.isEmpty {
                gone += step.items.map(\.id)
            }
            #expect(gone == ["s0", "c0", "s15", "c15", "s16", "c16", "s17", "c17", "s39", "c39"])
        }
    }

    @Test("deletes 500 tasks in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            _ = try await f.tracker.cancel(ids)
            f.clock.advance(by: .seconds(7200))
            #expect(try await f.tracker.purge(limit: 500).items.count == 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.purge(limit: 501) }
            await #expect(throws: TrackerError.self) { try await f.tracker.purge(limit: 0) }
        }
    }

    @Test("forgets workers that were silent for a day, and lines that nobody stands in any more")
    func silentWorkers() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.send(f.claimMany())
            try await f.send(f.claimMany(token: "2", worker: WorkerName(trusted: "idle"), wait: .seconds(1)))
            f.clock.advance(by: .seconds(61))
            _ = try await f.tracker.purge()
            #expect(try await f.dump().index("i:k") == [:])
            #expect(try await f.tracker.stats().workers == 2)
            f.clock.advance(by: .seconds(86_400))
            _ = try await f.tracker.purge()
            #expect(try await f.tracker.stats().workers == 0)
            #expect(try await f.dump().keys["w:host:1:a"] == nil)
        }
    }

    @Test("forgets who took a kind a day ago, but for the last one, whose leaving explains what waits")
    func takers() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.send(Beat(.online, of: "old", kinds: ["k", "l"]))
            try await f.send(Beat(.offline, of: "old", kinds: ["k", "l"]))
            f.clock.advance(by: .seconds(1))
            try await f.send(Beat(.online, of: "last"))
            let silent = f.moment(.seconds(20))
            f.clock.advance(by: .seconds(86_418))
            _ = try await f.tracker.purge()
            #expect(try await f.dump().index("k:k") == ["last": silent.microseconds])
            f.clock.advance(by: .seconds(86_400))
            _ = try await f.tracker.purge()
            #expect(try await f.dump().index("k:k") == ["last": silent.microseconds])
            #expect(try await f.dump().index("k:l").keys.sorted() == ["old"])
            #expect(try await f.dump().keys["w:last"] == nil)
            try await f.enqueue("a")
            #expect(try await f.tracker.explain("a")?.reasons == [.noWorker(lastLeft: silent)])
        }
    }

    @Test("lets the fence grow over a deletion and a new task of the same id, whatever the clock does")
    func fences() async throws {
        let policy = KindPolicy(keepSucceeded: .microseconds(1), keepOther: .microseconds(1))
        try await TrackerFixture.run(policy: policy) { f async throws in
            var fences: [Int] = []
            for round in 0..<5 {
                try await f.enqueue("a")
                for turn in 0..<3 {
                    let claim = try await f.claim("a", token: "\(round).\(turn)")
                    fences.append(claim.fence)
                    try await f.tracker.release([claim.handle])
                }
                _ = try await f.tracker.cancel(["a"])
                f.clock.advance(by: .milliseconds(700))
                #expect(try await f.tracker.purge().items.count == 1)
                f.clock.advance(by: .milliseconds(-690))
            }
            #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test("does not delete a task that runs, although an old index entry names it")
    func strayEntry() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            try await f.command("ZADD", "x:k", "1", "a")
            f.clock.advance(by: .seconds(1))
            _ = try await f.tracker.purge()
            #expect(try await f.state("a") == .running)
            #expect(try await f.dump().index("x:k") == [:])
        }
    }

    @Test("takes tags, parents and contents with the tasks, and tells nobody of an end that was told")
    func kin() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.create("p", tags: ["x"], unique: Uniqueness(key: "u"))
            try await f.create("c", tags: ["x"], after: .after("p"))
            try await f.create("other", after: .after("p", "c"))
            try await f.finish("p")
            try await f.finish("c", well: false)
            #expect(try await f.state("other") == .ready)
            f.clock.advance(by: .seconds(7200))
            let events = try await f.events { () async throws in
                #expect(Set(try await f.send(Purge(limit: 9)).items.map(\.id)) == ["p", "c"])
            }
            #expect(events.allSatisfy { $0.hasPrefix("purged") })
            let rest = try await f.dump().keys.keys.filter {
                "mfgu".contains($0.prefix(1)) && $0.dropFirst().first == ":"
            }
            #expect(rest == ["g:other"])
            #expect(try await f.tracker.parents(of: "other")?.map(\.state) == [nil, nil])
        }
    }
}
