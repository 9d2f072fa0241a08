import RedisWire
import Testing

@testable import Belay

@Suite("release")
struct ReleaseTests {
    @Test("hands a task back in its place in the line, and the attempt is not spent")
    func keepsPlace() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("first")
            f.clock.advance(by: .seconds(1))
            try await f.enqueue("second")
            let claim = try await f.claim("first")
            f.clock.advance(by: .seconds(1))
            let created = claim.created
            let events = try await f.events {
                _ = try await f.twice(Release(handles: [claim.handle]))
            }
            #expect(events == ["released k first | \(created.microseconds) by host:1:a"])
            let record = try await f.record("first")
            #expect([record.attempts, record.failures, record.crashes, record.snoozes] == [0, 0, 0, 0])
            #expect(record.due == created)
            #expect(record.lastFailure?.outcome == .released)
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["first"])
        }
    }

    @Test("keeps the due time of a retried task")
    func keepsDue() async throws {
        try await TrackerFixture.run { f async throws in
            let first = try await f.running()
            try await f.tracker.fail(first.handle, failure)
            let due = f.moment(.seconds(1))
            f.clock.advance(by: .seconds(5))
            let second = try await f.claim("a", token: "2")
            #expect(second.attempt == 2)
            #expect(try await f.twice(Release(handles: [second.handle])) == [.ready(due: due)])
            #expect(try await f.claim("a", token: "3").attempt == 2, "its number comes again")
        }
    }

    @Test("takes a delay, also none, within its bounds")
    func delay() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            f.clock.advance(by: .seconds(1))
            #expect(try await f.twice(Release(handles: [a.handle], delay: .zero)) == [.ready(due: f.clock.now)])
            let later = f.moment(.seconds(30))
            #expect(try await f.twice(Release(handles: [b.handle], delay: .seconds(30))) == [.ready(due: later)])
            for bad in [Duration.microseconds(-1), .seconds(3650 * 86_400 + 1)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.release([a.handle], delay: bad) }
            }
        }
    }

    @Test("answers each task in its order: ready, stale, gone; a twin in the batch is stale")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let bad = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            #expect(try await f.unchanged(Release(handles: bad)) == [.stale, .stale, .gone])
            let answer = try await f.twice(Release(handles: [bad[0], claim.handle, claim.handle, bad[2]]))
            #expect(answer == [.stale, .ready(due: claim.due), .stale, .gone])
        }
    }

    @Test("answers a repeat as the first request, whatever an operator did meanwhile")
    func repeatAfterOperator() async throws {
        try await TrackerFixture.run { f in
            let claim = try await f.running()
            let request = f.request(Release(handles: [claim.handle], delay: .seconds(3)))
            let answer = try await f.send(request)
            _ = try await f.tracker.cancel(["a"])
            let before = try await f.dump()
            #expect(try await f.send(request) == answer)
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("is refused after the task was taken back, finished or failed")
    func afterEnd() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b"), try await f.running("c")]
            try await f.tracker.complete(claims[0].handle)
            try await f.tracker.fail(claims[1].handle, failure)
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            #expect(try await f.unchanged(Release(handles: claims.map(\.handle))) == [.stale, .stale, .stale])
        }
    }

    @Test("is accepted after the lease ran out as long as nobody took the task")
    func afterExpiry() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(60))
            #expect(try await f.twice(Release(handles: [claim.handle])) == [.ready(due: claim.due)])
        }
    }

    @Test("ends a task as cancelled that was asked to stop")
    func cancelRequested() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            _ = try await f.tracker.cancel(["a"], reason: "no")
            let events = try await f.events {
                _ = try await f.twice(Release(handles: [claim.handle], delay: .seconds(5)))
            }
            #expect(events == ["cancelled k a by host:1:a"])
            let record = try await f.record("a")
            #expect(record.state == .cancelled)
            #expect(record.cancelReason == "no")
            #expect(record.attempts == 1)
            #expect(try await f.send(Release(handles: [claim.handle])) == [.cancelled])
        }
    }

    @Test("wakes an idle worker for what is due at once")
    func wakes() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.send(f.claimMany(token: "2", worker: WorkerName(trusted: "idle"), wait: .seconds(1)))
            #expect(try await f.dump().index("i:k").count == 1)
            try await f.tracker.release([claim.handle])
            #expect(try await f.dump().index("i:k").count == 0)
        }
    }

    @Test("hands 500 tasks back in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 500)
            let claims = try await f.tracker.claim(["k"], limit: 500)
            let outcomes = try await f.twice(Release(handles: claims.map(\.handle)))
            #expect(outcomes == claims.map { .ready(due: $0.due) })
            let many = Array(repeating: claims[0].handle, count: 501)
            await #expect(throws: TrackerError.self) { try await f.tracker.release(many) }
            await #expect(throws: TrackerError.self) { try await f.tracker.release([]) }
        }
    }
}
