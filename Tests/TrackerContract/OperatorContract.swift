import BelayTestKit
import Testing

@testable import Belay

/// What operators and sweeps do, on every backend.
@Suite("operators and sweeps")
struct OperatorContract {
    @Test(
        "a waiting task is cancelled at once, a running one when its holder answers",
        arguments: TestedBackend.spread
    )
    func cancel(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["waits", "runs", "done"] { try await tracker.add(id) }
            let claim = try await tracker.take("runs")
            try await tracker.complete(tracker.take("done").handle)
            let ids: [TaskID] = ["waits", "runs", "done", "none", "waits"]
            let expected: [CancelOutcome] = [.cancelled, .requested, .ended(.succeeded), .notFound, .cancelled]
            for _ in 1...2 { #expect(try await tracker.cancel(ids, reason: "no more") == expected) }
            #expect(try await tracker.get("waits")?.cancelReason == "no more")
            #expect(try await tracker.get("runs")?.cancelRequested == clock.now)
            #expect(try await tracker.state(of: "runs") == .running)
            #expect(try await tracker.complete(claim.handle) == .accepted, "success wins")
            let long = String(repeating: "x", count: 65)
            #expect(await code { _ = try await tracker.cancel(ids, reason: long) } == .invalidArgument)
            #expect(await code { _ = try await tracker.cancel([]) } == .invalidArgument)
        }
    }

    @Test("a cancelled task whose holder died is over", arguments: TestedBackend.spread)
    func cancelCrashed(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] {
                try await tracker.add(id)
                _ = try await tracker.take(id)
                #expect(try await tracker.cancel([id]) == [.requested])
            }
            clock.advance(by: .seconds(10))
            #expect(try await tracker.refusal(of: "a") == .ended(.cancelled))
            #expect(try await tracker.reap(limit: 1).items.map(\.state) == [.cancelled])
            #expect(try await tracker.claim([mail]).isEmpty)
            #expect(try await tracker.stats().kinds[0].cancelled == 3)
        }
    }

    @Test("a retry runs an ended task anew and a waiting one now", arguments: TestedBackend.spread)
    func retry(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("ended")
            try await tracker.add("runs")
            try await tracker.add("waits", delay: .seconds(60))
            let claim = try await tracker.take("ended")
            try await tracker.fail(claim.handle, TaskFailure(type: "e", message: "m"), .exhaust)
            _ = try await tracker.take("runs")
            clock.advance(by: .seconds(1))
            #expect(
                try await tracker.retry(["ended", "runs", "waits", "none"]) == [.ready, .running, .ready, .notFound]
            )
            let (ended, waits) = (try await tracker.get("ended"), try await tracker.get("waits"))
            #expect((ended?.attempts, ended?.failures, ended?.due) == (0, 0, clock.now))
            #expect(waits?.due == clock.now)
            #expect(try await tracker.attempts(of: "ended")?.count == 1, "the history goes on")
            #expect(try await tracker.take("ended").fence > claim.fence)
            #expect(await code { _ = try await tracker.retry([]) } == .invalidArgument)
        }
    }

    @Test("fences grow although a task is run again in the same moment", arguments: TestedBackend.spread)
    func fenceOfRetry(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            var fence = 0
            for _ in 1...3 {
                let claim = try #require(try await tracker.claim([mail]).first)
                #expect(claim.fence > fence)
                fence = claim.fence
                #expect(try await tracker.complete(claim.handle) == .accepted)
                #expect(try await tracker.retry(["a"]) == [.ready])
            }
        }
    }

    @Test("a retry that keeps the count gives one more attempt", arguments: TestedBackend.spread)
    func retryKept(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(attempts: 1, retry: .fixed(.zero))) { tracker, _ in
            try await tracker.add("a")
            for attempt in 1...3 {
                let claim = try await tracker.take("a")
                #expect(claim.attempt == attempt)
                #expect(try await tracker.fail(claim.handle, TaskFailure(type: "e", message: "m")) == .exhausted)
                #expect(try await tracker.retry(["a"], budget: .kept) == [.ready])
            }
            #expect(try await tracker.get("a")?.failures == 3)
            #expect(try await tracker.get("a")?.attemptLimit == 4)
        }
    }

    @Test("expired leases are taken back, step by step", arguments: TestedBackend.spread)
    func reap(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] {
                try await tracker.add(id)
                _ = try await tracker.take(id)
                clock.advance(by: .seconds(1))
            }
            #expect(try await tracker.reap().items.isEmpty)
            clock.advance(by: .seconds(8))
            let first = try await tracker.reap(limit: 1)
            let due = clock.now + .seconds(5)
            #expect(first.items.map(\.id) == ["a"] && first.more)
            #expect(first.items[0].due == due && first.items[0].worker == "\(tracker.workerName)")
            let second = try await tracker.reap()
            #expect(second.items.map(\.id) == ["b"] && !second.more)
            #expect(try await tracker.get("a")?.crashes == 1)
            #expect(try await tracker.get("a")?.lastFailure?.outcome == .crashed)
            #expect(await code { _ = try await tracker.reap(limit: 501) } == .invalidArgument)
        }
    }

    @Test("a task that crashes its workers is exhausted", arguments: TestedBackend.spread)
    func crashLoop(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(lease: .seconds(1), attempts: 2, retry: .fixed(.zero))) { tracker, clock in
            try await tracker.add("a")
            for state in [TaskState.ready, .exhausted] {
                _ = try await tracker.take("a")
                clock.advance(by: .seconds(1))
                #expect(try await tracker.reap().items.map(\.state) == [state])
            }
            #expect(try await tracker.get("a")?.crashes == 2)
        }
    }

    @Test("ended tasks are deleted when they were kept long enough", arguments: TestedBackend.allCases)
    func purge(backend: TestedBackend) async throws {
        let policy = KindPolicy(keepSucceeded: .seconds(10), keepOther: .seconds(100))
        try await backend.run(policy) { tracker, clock in
            for id: TaskID in ["s1", "s2", "x", "c"] { try await tracker.add(id) }
            let fence = try await tracker.take("s1").fence
            try await tracker.complete(tracker.take("s1", options: .ignoreLock).handle, result: Body(text: "r"))
            try await tracker.complete(tracker.take("s2").handle)
            try await tracker.fail(tracker.take("x").handle, TaskFailure(type: "e", message: "m"), .exhaust)
            _ = try await tracker.cancel(["c"])
            clock.advance(by: .seconds(9))
            #expect(try await tracker.purge().items.isEmpty)
            clock.advance(by: .seconds(1))
            let step = try await tracker.purge(limit: 1)
            #expect(step.items.map(\.id) == ["s1"] && step.more)
            #expect(try await tracker.purge().items.map(\.state) == [.succeeded])
            #expect(
                try await tracker.get(["s1", "s2", "x", "c"]).map { $0?.state } == [nil, nil, .exhausted, .cancelled]
            )
            clock.advance(by: .seconds(90))
            #expect(try await tracker.purge().items.map(\.id) == ["x", "c"])
            #expect(try await tracker.stats().kinds[0].total == 0)
            try await tracker.add("s1")
            #expect(try await tracker.take("s1").fence > fence)
            #expect(try await tracker.attempts(of: "s1")?.count == 1)
            #expect(await code { _ = try await tracker.purge(limit: 0) } == .invalidArgument)
        }
    }

    @Test("fences grow although the clock goes back", arguments: TestedBackend.spread)
    func clockGoesBack(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            var fences: [Int] = []
            for _ in 1...5 {
                let claim = try await tracker.take("a")
                fences.append(claim.fence)
                try await tracker.release([claim.handle])
                clock.advance(by: .seconds(-2))
            }
            #expect(fences == fences.sorted() && Set(fences).count == 5)
            #expect(try await tracker.stats().now >= ManualClock().now, "time does not go back")
        }
    }

    @Test("a tracker that is destroyed begins anew", arguments: TestedBackend.spread)
    func destroy(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            try await tracker.destroy()
            #expect(try await tracker.get("a") == nil)
            #expect(try await tracker.kinds().isEmpty)
        }
    }

    @Test("a closed tracker refuses", arguments: TestedBackend.spread)
    func closed(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            await tracker.close()
            let error = await code { _ = try await tracker.stats() }
            #expect(error == .closed)
        }
    }
}
