import BelayTestKit
import Testing

@testable import Belay

/// Pauses of kinds, heartbeats and renewals, on every backend.
@Suite("supervision")
struct SupervisionContract {
    @Test(
        "a paused kind is not claimed, but its tasks wait and may be claimed by name",
        arguments: TestedBackend.spread
    )
    func pausedKind(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            try await tracker.add("running")
            let running = try await tracker.take("running")
            try await tracker.pauseKind(mail, message: "no")
            try await tracker.pauseKind(mail, message: "again")
            for id: TaskID in ["a", "b"] { try await tracker.add(id) }
            try await tracker.add("f", "fax")
            #expect(try await tracker.peek([mail, "fax"]).map(\.id) == ["f"])
            #expect(try await tracker.peek([mail, "fax"], order: .due, scheduled: true).map(\.id) == ["a", "b", "f"])
            #expect(try await tracker.claim([mail, "fax"], limit: 9).map(\.id) == ["f"])
            #expect(try await tracker.take("a").attempt == 1)
            #expect(try await tracker.renew([running]) == [.renewed])
            #expect(try await tracker.complete(running.handle) == .accepted)
            clock.advance(by: .seconds(10))
            #expect(try await tracker.claim([mail]).isEmpty)
            #expect(try await tracker.get("a")?.crashes == 1, "leases are taken back all the same")
            try await tracker.resumeKind(mail)
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["b"])
            #expect(await code { try await tracker.pauseKind("none") } == .unknownKind)
            #expect(await code { try await tracker.pauseKind(mail, message: "\n") } == .invalidArgument)
        }
    }

    @Test("the pause of the tracker is apart from those of its kinds", arguments: TestedBackend.spread)
    func pausedTracker(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.add("later", delay: .seconds(5))
            try await tracker.pauseKind(nil)
            try await tracker.pauseKind(mail)
            let verb = ClaimMany(token: "t", worker: tracker.workerName, count: 1, kinds: [mail])
            try await tracker.resumeKind(nil)
            #expect(try await tracker.claim([mail]).isEmpty)
            try await tracker.resumeKind(mail)
            try await tracker.pauseKind(nil)
            #expect(try await tracker.perform(verb).nextDue == nil, "nothing is due while nothing is claimed")
            #expect(try await tracker.peek([mail]).isEmpty)
            try await tracker.resumeKind(nil)
            #expect(try await tracker.claim([mail], limit: 9).map(\.id) == ["a"])
        }
    }

    @Test("a kind that is defined anew is not paused", arguments: TestedBackend.spread)
    func pauseOfRemovedKind(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.pauseKind(mail)
            #expect(try await tracker.undefine(mail) == .removed(tasks: 0))
            try await tracker.define(mail)
            try await tracker.add("a")
            #expect(try await tracker.claim([mail]).count == 1)
        }
    }

    @Test("the end of a pause wakes who waits", arguments: TestedBackend.allCases, [mail, nil])
    func wakes(backend: TestedBackend, kind: KindName?) async throws {
        try await backend.run { tracker, _ in
            let worker = tracker.workerName
            let (events, continuation) = AsyncStream<WakeUp>.makeStream()
            try await withThrowingTaskGroup { group in
                group.addTask { await tracker.backend.listen(for: worker) { continuation.yield($0) } }
                defer { group.cancelAll() }
                var heard = events.makeAsyncIterator()
                #expect(await heard.next() == .listening)
                try await tracker.pauseKind(kind)
                let wait = ClaimMany(token: "t", worker: worker, count: 1, kinds: [mail], wait: .seconds(60))
                #expect(try await tracker.perform(wait).claims.isEmpty)
                try await tracker.resumeKind(kind)
                #expect(await heard.next() == .ready)
            }
        }
    }

    @Test("renewals are counted until the next claim", arguments: TestedBackend.spread)
    func renewals(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            for count in 1...3 {
                clock.advance(by: .seconds(1))
                #expect(try await tracker.renew([claim]) == [.renewed])
                #expect(try await tracker.renew([claim]) == [.renewed], "a repeat makes nothing longer")
                #expect(try await tracker.get("a")?.renewals == count)
            }
            try await tracker.complete(claim.handle)
            #expect(try await tracker.get("a")?.renewals == 3)
            #expect(try await tracker.retry(["a"]) == [.ready])
            let second = try await tracker.claim([mail])[0]
            #expect(try await tracker.get("a")?.renewals == 0)
            clock.advance(by: .seconds(1))
            #expect(try await tracker.renew([second]) == [.renewed])
            try await tracker.release([second.handle])
            _ = try await tracker.take("a")
            #expect(try await tracker.get("a")?.renewals == 0)
        }
    }

    @Test("workers are told as they beat, the latest seen first", arguments: TestedBackend.spread)
    func workers(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let (one, two) = (try WorkerName("one"), try WorkerName("two"))
            let start = clock.now
            try await tracker.beat(.online, as: one, kinds: [mail], slots: 4, interval: .seconds(5), software: "x/1")
            clock.advance(by: .seconds(3))
            try await tracker.beat(as: two, kinds: [mail, "fax"], clock: clock.now + .milliseconds(250))
            clock.advance(by: .seconds(1))
            try await tracker.add("a")
            _ = try await tracker.claim([mail], as: try WorkerName("claims-only"))
            clock.advance(by: .seconds(1))
            try await tracker.beat(
                as: one,
                kinds: [mail],
                slots: 4,
                active: 2,
                succeeded: 7,
                failed: 1,
                interval: .seconds(5)
            )
            let workers = try await tracker.workers()
            #expect(workers.map(\.name) == ["one", "claims-only", "two"])
            #expect(try await tracker.workers(limit: 1).map(\.name) == ["one"])
            let first = workers[0]
            #expect((first.seen, first.since, first.aliveUntil) == (clock.now, start, clock.now + .seconds(10)))
            #expect((first.interval, first.isAlive, first.software) == (.seconds(5), true, "belay"))
            #expect((first.slots, first.active, first.succeeded, first.failed) == (4, 2, 7, 1))
            #expect((first.kinds, first.drift) == ([mail], nil))
            #expect((workers[1].isAlive, workers[1].slots, workers[1].kinds) == (nil, nil, []))
            #expect((workers[2].drift, workers[2].kinds) == (.milliseconds(250), [mail, "fax"]))
            clock.advance(by: .seconds(10))
            #expect(try await tracker.workers()[0].isAlive == false)
            try await tracker.beat(.offline, as: two, kinds: [mail])
            #expect(try await tracker.workers()[0].isAlive == false)
            #expect(try await tracker.workers()[0].since == start + .seconds(3))
            clock.advance(by: .seconds(86_400))
            _ = try await tracker.purge()
            #expect(try await tracker.workers().isEmpty)
        }
    }

    @Test("a worker that says twice that it begins or leaves is told once", arguments: TestedBackend.spread)
    func repeatedBeats(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let start = clock.now
            for event: BeatEvent in [.online, .online, .heartbeat, .offline, .offline, .online] {
                try await tracker.beat(event, kinds: [mail])
                clock.advance(by: .seconds(1))
            }
            let told = try await tracker.events(from: .oldest).events.dropFirst()
            #expect(told.map(\.name) == [.workerOnline, .workerOffline, .workerOnline])
            #expect(told.map(\.time) == [0, 3, 5].map { start + .seconds($0) })
            #expect(try await tracker.workers()[0].since == start + .seconds(5))
            let position = try #require(try await tracker.events(from: .newest).position)
            try await tracker.beat(.online, kinds: [mail, "fax"])
            let more = try await tracker.events(from: .after(position)).events
            #expect(more.map(\.name) == [.workerOnline], "one that takes other kinds began anew")
        }
    }

    @Test("a beat out of range is refused", arguments: TestedBackend.spread)
    func badBeats(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            #expect(await code { try await tracker.beat(kinds: []) } == .invalidArgument)
            #expect(await code { try await tracker.beat(kinds: [mail], slots: -1) } == .invalidArgument)
            #expect(await code { try await tracker.beat(kinds: [mail], interval: .zero) } == .invalidArgument)
            #expect(await code { try await tracker.beat(kinds: [mail], software: "a b") } == .invalidArgument)
            #expect(await code { _ = try await tracker.workers(limit: 0) } == .invalidArgument)
            let workers = try await tracker.workers()
            #expect(workers.isEmpty)
        }
    }
}
