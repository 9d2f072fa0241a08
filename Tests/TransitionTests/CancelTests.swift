import RedisWire
import Testing

@testable import Belay

@Suite("cancel")
struct CancelTests {
    @Test("ends a waiting task, and keeps the reason")
    func waiting() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 7)
            try await f.enqueue("b", delay: .seconds(60))
            f.clock.advance(by: .seconds(1))
            let events = try await f.events {
                _ = try await f.twice(Cancel(ids: ["a", "b"], reason: "no more"))
            }
            #expect(events == ["cancelled k a,b | no more,no more"])
            let dump = try await f.dump()
            #expect(dump.index("c:k") == ["a": f.now, "b": f.now])
            #expect(dump.index("q:7:k") == [:])
            let record = try await f.record("a")
            #expect(record.state == .cancelled)
            #expect(record.cancelReason == "no more")
            #expect(record.updated == f.clock.now)
            #expect(try await f.tracker.claim(["k"]) == [])
        }
    }

    @Test("asks the holder of a running task to stop, once")
    func running() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            var answers: [CancelOutcome] = []
            let events = try await f.events { answers = try await f.twice(Cancel(ids: ["a"], reason: "no")) }
            #expect(answers == [.requested])
            #expect(events == ["cancel-requested k a | no by host:1:a"])
            let record = try await f.record("a")
            #expect(record.state == .running)
            #expect(record.cancelRequested == f.clock.now)
            #expect(record.cancelReason == "no")
            #expect(try await f.tracker.renew([claim]) == [.cancelRequested])
            #expect(try await f.tracker.complete(claim.handle) == .accepted, "a holder who is done may say so")
        }
    }

    @Test("tells of each task what became of it, in their order")
    func answers() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("done"), try await f.running("spent"), try await f.running("busy")]
            try await f.tracker.complete(claims[0].handle)
            try await f.tracker.fail(claims[1].handle, failure, .exhaust)
            try await f.enqueue("idle")
            let ids: [TaskID] = ["done", "nobody", "idle", "spent", "busy", "idle", "busy"]
            let answers = try await f.twice(Cancel(ids: ids, reason: ""))
            let expected: [CancelOutcome] = [
                .ended(.succeeded), .notFound, .cancelled, .ended(.exhausted), .requested, .cancelled, .requested,
            ]
            #expect(answers == expected)
            #expect(try await f.unchanged(Cancel(ids: ids, reason: "again")) == expected)
        }
    }

    @Test("ends, asks or tells, as the task stands", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let verb = Cancel(ids: ["a"], reason: "no")
            switch place {
            case .ready, .parked:
                let events = try await f.events { () async throws in
                    #expect(try await f.twice(verb) == [.cancelled])
                }
                #expect(events == ["cancelled k a | no"])
                #expect(try await f.whereabouts("a") == ["c", "c:k"])
                #expect(try await f.dump().list("l:a").last == "\(f.now) cancelled op -\nno")
            case .running, .held:
                #expect(try await f.twice(verb) == [.requested])
                #expect(try await f.whereabouts("a") == [place.rawValue, place.index])
                #expect(try await f.dump().list("l:a").last == "\(f.now) cancel-requested op -\nno")
            case .cancelled: #expect(try await f.unchanged(verb) == [.cancelled])
            default: #expect(try await f.unchanged(verb) == [.ended(place.state)])
            }
        }
    }

    @Test("refuses a reason that is too long or has control characters, no tasks, and 501")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            for reason in [String(repeating: "x", count: 65), "a\nb"] {
                await #expect(throws: TrackerError.self) { try await f.tracker.cancel(["t1"], reason: reason) }
            }
            await #expect(throws: TrackerError.self) { try await f.tracker.cancel(ids + ["t1"]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.cancel([]) }
            let longest = String(repeating: "x", count: 64)
            let answers = try await f.twice(Cancel(ids: ids, reason: longest))
            #expect(answers == Array(repeating: .cancelled, count: 500))
        }
    }
}
