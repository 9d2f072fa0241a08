import RedisWire
import Testing

@testable import Belay

/// A cancellation that names a signal, over all verbs.
@Suite("A signal")
struct SignalTests {
    @Test("is told by the next renewal, running or paused", arguments: [Place.running, .held], [1, 9, 15, 64])
    func told(place: Place, signal: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: place)
            #expect(try await f.twice(Cancel(ids: ["a"], reason: "no", signal: signal)) == [.requested])
            f.clock.advance(by: .seconds(1))
            #expect(try await f.twice(RenewTests.verb([handle])) == [.terminateRequested(signal: signal)])
        }
    }

    @Test("of a later call stands in for that of an earlier one, and none takes it away")
    func changes() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            func renewal() async throws -> RenewOutcome { try await f.send(RenewTests.verb([handle]))[0] }
            let told = ["cancel-requested k a | no by host:1:a"]
            func cancel(_ signal: Int?) async throws -> [String] {
                try await f.events { _ = try await f.twice(Cancel(ids: ["a"], reason: "no", signal: signal)) }
            }
            #expect(try await cancel(nil) == told)
            #expect(try await renewal() == .cancelRequested)
            #expect(try await cancel(15) == told)
            #expect(try await renewal() == .terminateRequested(signal: 15))
            #expect(try await cancel(9) == told)
            #expect(try await cancel(nil) == [])
            #expect(try await renewal() == .terminateRequested(signal: 9))
        }
    }

    @Test("is forgotten when the task runs again", arguments: [RetryBudget.fresh, .kept])
    func forgotten(budget: RetryBudget) async throws {
        try await TrackerFixture.run { f async throws in
            let first = try await f.running().handle
            _ = try await f.tracker.cancel(["a"], signal: 9)
            #expect(try await f.tracker.fail(first, failure) == .cancelled)
            #expect(try await f.tracker.retry(["a"], budget: budget) == [.ready])
            let again = try await f.claim("a", token: "2").handle
            f.clock.advance(by: .seconds(1))
            #expect(try await f.send(RenewTests.verb([again])) == [.renewed])
            _ = try await f.tracker.cancel(["a"], signal: 9)
            try await f.tracker.fail(again, failure)
            let forced = try await f.claim("a", token: "3", options: budget == .fresh ? .restart : .force).handle
            f.clock.advance(by: .seconds(1))
            #expect(try await f.send(RenewTests.verb([forced])) == [.renewed])
        }
    }

    @Test("does not matter to a task that waits or has ended")
    func waiting() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.bring("b", to: .succeeded)
            #expect(
                try await f.twice(Cancel(ids: ["a", "b"], reason: "", signal: 9)) == [.cancelled, .ended(.succeeded)]
            )
            #expect(try await f.dump().record("a")?["sg"] == nil)
        }
    }

    @Test("is 1 to 64")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            for signal in [0, -1, 65] {
                await #expect(throws: TrackerError.self) { try await f.tracker.cancel(["a"], signal: signal) }
                await #expect(throws: TrackerError.self) { try await f.tracker.cancel(tag: "g", signal: signal) }
            }
            #expect(try await f.state("a") == .ready)
        }
    }
}
