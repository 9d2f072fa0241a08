import Testing

@testable import Belay

/// A holder that takes the lock it holds once more, under a new token and fence.
@Suite("Re-entry")
struct ReentryTests {
    @Test("with the token of the held lock gives a new one; the old one is superseded", arguments: [false, true])
    func reenters(isPaused: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: isPaused ? .held : .running)
            f.clock.advance(by: .seconds(1))
            var outcome: AcquireOutcome?
            let events = try await f.events {
                outcome = try await f.twice(f.acquire("a", token: "new", lease: .seconds(30), held: "token"))
            }
            guard case .claimed(let claim) = outcome else { throw TrackerError.bug("\(String(describing: outcome))") }
            #expect(claim.token == "new")
            #expect(claim.fence > handle.fence)
            #expect(claim.attempt == 2)
            #expect(claim.expires == f.moment(.seconds(30)))
            #expect(events == ["superseded k a | q by host:1:a", "claimed k a | \(f.now) by host:1:a"])
            #expect(try await f.whereabouts("a") == ["r", "r:k"])
            #expect(try await f.record("a").crashes == 0)
            #expect(try await f.tracker.attempts(of: "a")?.map(\.outcome) == [.superseded, .running])
            #expect(try await f.tracker.renew(handle, for: .seconds(1)) == .stale)
            #expect(try await f.tracker.complete(handle) == .stale)
            #expect(try await f.tracker.complete(claim.handle) == .accepted)
        }
    }

    @Test("is refused with another token, and with one that was held before")
    func refused() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let locked = AcquireOutcome.refused(.locked(until: claim.expires, by: "host:1:a"))
            #expect(try await f.unchanged(f.acquire("a", token: "2", held: "other")) == locked)
            _ = try await f.claim("a", token: "2", options: .ignoreLock)
            #expect(try await f.unchanged(f.acquire("a", token: "3", held: "token")) == locked)
        }
    }

    @Test("may happen again and again, also by another process that knows the token")
    func chain() async throws {
        try await TrackerFixture.run { f async throws in
            var claim = try await f.running()
            var fences = [claim.fence]
            for step in 1...5 {
                let worker = WorkerName(trusted: "host:\(step):b")
                let verb = f.acquire("a", token: "t\(step)", worker: worker, held: claim.token)
                guard case .claimed(let next) = try await f.twice(verb) else { throw TrackerError.bug("no claim") }
                claim = next
                fences.append(claim.fence)
            }
            #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
            #expect(try await f.record("a").worker == "host:5:b")
        }
    }

    @Test("gives a lock of the same token as a repeat of the claim, and no new one")
    func sameToken() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(try await f.unchanged(f.acquire("a", token: "token", held: "token")) == .claimed(claim))
        }
    }

    @Test("passes over no limit of attempts, because its holder lives; the attempt counts")
    func lastAttempt() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", attempts: 1)
            _ = try await f.claim("a")
            guard case .claimed(let claim) = try await f.twice(f.acquire("a", token: "2", held: "token")) else {
                throw TrackerError.bug("no claim")
            }
            #expect(claim.attempt == 2)
            #expect(try await f.tracker.fail(claim.handle, failure) == .exhausted)
        }
    }

    @Test("after the lease ran out is a crash, as if another had come")
    func late() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            f.clock.advance(by: .seconds(10))
            guard case .claimed(let claim) = try await f.twice(f.acquire("a", token: "2", held: "token")) else {
                throw TrackerError.bug("no claim")
            }
            #expect([claim.attempt, claim.crashes] == [2, 1])
            #expect(try await f.tracker.attempts(of: "a")?.first?.outcome == .crashed)
        }
    }

    @Test("is of no use without a lock: what waits is claimed, what ended is refused", arguments: Place.free)
    func free(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let outcome = try await f.send(f.acquire("a", token: "2", held: "token"))
            switch place {
            case .ready: #expect(outcome != .refused(.notFound) && outcome != .refused(.paused))
            case .parked: #expect(outcome == .refused(.paused))
            default: #expect(outcome == .refused(.ended(place.state)))
            }
        }
    }

    @Test("and a steal leave a request to cancel standing", arguments: [false, true])
    func cancelStays(isSteal: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            _ = try await f.tracker.cancel(["a"], reason: "no")
            let verb = f.acquire("a", token: "2", options: isSteal ? .ignoreLock : [], held: isSteal ? nil : "token")
            guard case .claimed(let claim) = try await f.twice(verb) else { throw TrackerError.bug("no claim") }
            #expect(try await f.record("a").cancelReason == "no")
            #expect(try await f.tracker.renew([claim]) == [.cancelRequested])
            #expect(try await f.tracker.fail(claim.handle, failure) == .cancelled)
        }
    }
}
