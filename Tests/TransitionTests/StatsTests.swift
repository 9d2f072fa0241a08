import RedisWire
import Testing

@testable import Belay

@Suite("stats")
struct StatsTests {
    @Test("counts the tasks of each kind by state")
    func counts() async throws {
        try await TrackerFixture.run(kinds: ["a", "b", "empty"]) { f async throws in
            let claims = [
                try await f.running("a1", "a"), try await f.running("a2", "a"), try await f.running("a3", "a"),
            ]
            try await f.tracker.complete(claims[0].handle)
            try await f.tracker.fail(claims[1].handle, failure, .exhaust)
            try await f.enqueue("b1", "b", priority: 9)
            f.clock.advance(by: .seconds(3))
            try await f.enqueue("b2", "b")
            try await f.enqueue("b3", "b", delay: .seconds(60))
            try await f.enqueue("b4", "b", delay: .seconds(50), priority: 0)
            try await f.enqueue("b5", "b")
            _ = try await f.tracker.cancel(["b5"])
            for (id, place) in [("b6", Place.parked), ("b7", .ignored)] as [(TaskID, Place)] {
                try await f.enqueue(id, "b")
                if place == .parked {
                    _ = try await f.tracker.pause([id])
                } else {
                    _ = try await f.tracker.ignore([id])
                }
            }
            _ = try await f.tracker.pause(claims[2].handle)
            try await f.enqueue("a4", "a")
            _ = try await f.claim("a4")
            let stats = try await f.twice(Stats())
            var (a, b) = (TrackerStats.Kind(kind: "a"), TrackerStats.Kind(kind: "b"))
            (a.running, a.succeeded, a.exhausted, a.paused) = (1, 1, 1, 1)
            (b.ready, b.scheduled, b.cancelled, b.paused, b.ignored) = (2, 2, 1, 1, 1)
            b.oldestReadyAge = .seconds(3)
            b.nextDue = f.moment(.seconds(50))
            #expect(
                stats == TrackerStats(now: f.clock.now, kinds: [a, b, TrackerStats.Kind(kind: "empty")], workers: 1)
            )
            #expect(stats.kinds.map(\.total) == [4, 7, 0])
        }
    }

    @Test("counts a task as ready exactly from its due time on")
    func boundary() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(1))
            f.clock.advance(by: .microseconds(999_999))
            #expect(try await f.tracker.stats().kinds[0].scheduled == 1)
            f.clock.advance(by: .microseconds(1))
            let kind = try await f.tracker.stats().kinds[0]
            #expect([kind.ready, kind.scheduled] == [1, 0])
            #expect(kind.oldestReadyAge == .zero)
            #expect(kind.nextDue == nil)
        }
    }

    @Test("counts what waits for parents, and tells which kinds are paused, and whether the tracker is")
    func blockedAndPaused() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("p")
            try await f.create("c", after: .after("p"))
            try await f.create("d", "l", after: .after("p"))
            try await f.tracker.pauseKind("l")
            var stats = try await f.unchanged(Stats())
            #expect(stats.kinds.map(\.blocked) == [1, 1])
            #expect(stats.kinds.map(\.ready) == [1, 0])
            #expect(stats.kinds.map(\.total) == [2, 1])
            #expect(stats.kinds.map(\.isPaused) == [false, true])
            #expect(!stats.isPaused)
            try await f.tracker.pauseKind(nil)
            try await f.tracker.resumeKind("l")
            stats = try await f.unchanged(Stats())
            #expect(
                stats.kinds.map(\.isPaused) == [false, false],
                "the tracker's pause is apart from those of its kinds"
            )
            #expect(stats.isPaused)
        }
    }
}
