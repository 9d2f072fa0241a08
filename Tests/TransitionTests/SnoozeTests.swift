import RedisWire
import Testing

@testable import Belay

@Suite("snooze")
struct SnoozeTests {
    static func verb(_ handles: [ClaimHandle], _ delay: Duration = .seconds(30)) -> SnoozeTasks {
        SnoozeTasks(items: handles.map { (handle: $0, delay: delay) })
    }

    @Test("puts a task off without spending the attempt, and counts how often")
    func putsOff() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            for time in 1...3 {
                let claim = try await f.claim("a", token: "\(time)")
                #expect(claim.attempt == 1)
                let due = f.moment(.seconds(30))
                let events = try await f.events {
                    _ = try await f.twice(Self.verb([claim.handle]))
                }
                #expect(events == ["snoozed k a | \(due.microseconds) by host:1:a"])
                let record = try await f.record("a")
                #expect([record.attempts, record.failures, record.crashes, record.snoozes] == [0, 0, 0, time])
                #expect(record.due == due)
                #expect(record.lastFailure?.outcome == .snoozed)
                f.clock.set(due)
            }
        }
    }

    @Test("takes no delay, and refuses one that is out of range")
    func delays() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            for bad in [Duration.microseconds(-1), .seconds(3650 * 86_400 + 1)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.snooze(claim.handle, for: bad) }
            }
            #expect(try await f.twice(Self.verb([claim.handle], .zero)) == [.ready(due: f.clock.now)])
        }
    }

    @Test("takes a delay for each task of a batch")
    func eachDelay() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            let verb = SnoozeTasks(items: [(a.handle, .seconds(1)), (b.handle, .seconds(2))])
            #expect(try await f.twice(verb) == [1, 2].map { .ready(due: f.moment(.seconds($0))) })
        }
    }

    @Test("answers each task in its order: ready, stale, gone; a twin in the batch is stale")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let bad = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            #expect(try await f.unchanged(Self.verb(bad)) == [.stale, .stale, .gone])
            let answer = try await f.twice(Self.verb([bad[0], claim.handle, claim.handle, bad[2]]))
            #expect(answer == [.stale, .ready(due: f.moment(.seconds(30))), .stale, .gone])
            #expect(try await f.record("a").snoozes == 1)
        }
    }

    @Test("is refused after the task was taken back")
    func afterReap() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            #expect(try await f.unchanged(Self.verb([claim.handle])) == [.stale])
        }
    }

    @Test("ends a task as cancelled that was asked to stop")
    func cancelRequested() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            _ = try await f.tracker.cancel(["a"])
            #expect(try await f.twice(Self.verb([claim.handle])) == [.cancelled])
            #expect(try await f.record("a").snoozes == 0)
        }
    }

    @Test("puts 500 tasks off in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 500)
            let handles = try await f.tracker.claim(["k"], limit: 500).map(\.handle)
            #expect(try await f.twice(Self.verb(handles)).count == 500)
            #expect(try await f.tracker.stats().kinds[0].scheduled == 500)
            #expect(throws: TrackerError.self) { try Self.verb(handles + [handles[0]]).validate() }
        }
    }
}
