import BelayTestKit
import Testing

@testable import Belay

/// Pauses and tasks that are set aside, on every backend.
@Suite("pause, resume and ignore")
struct PauseContract {
    @Test("a paused task is not claimed, and keeps its place when it is resumed", arguments: TestedBackend.allCases)
    func waiting(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b"] { try await tracker.add(id) }
            let due = clock.now
            clock.advance(by: .seconds(1))
            for _ in 1...2 { #expect(try await tracker.pause(["a"]) == [.done(.paused)]) }
            #expect(try await tracker.peek([mail], scheduled: true).map(\.id) == ["b"])
            #expect(try await tracker.refusal(of: "a", options: [.force, .ignoreLock, .ignoreDue]) == .paused)
            let task = try #require(try await tracker.get("a"))
            #expect((task.state, task.leaseExpires, task.updated, task.due) == (.paused, nil, clock.now, due))
            #expect(try await tracker.stats().kinds[0].paused == 1)
            for _ in 1...2 { #expect(try await tracker.resume(["a"]) == [.done(.ready)]) }
            #expect(try await tracker.claim([mail], limit: 2).map(\.id) == ["a", "b"])
        }
    }

    @Test("a holder pauses its task and keeps the lock", arguments: TestedBackend.allCases)
    func held(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b"] { try await tracker.add(id) }
            let (a, b) = (try await tracker.take("a"), try await tracker.take("b"))
            for claim in [a, b] {
                for _ in 1...2 { #expect(try await tracker.pause(claim.handle) == .done(.paused)) }
            }
            #expect(try await tracker.get("a")?.leaseExpires == a.expires)
            #expect(try await tracker.refusal(of: "a") == .locked(until: a.expires, by: "\(tracker.workerName)"))
            clock.advance(by: .seconds(5))
            #expect(try await tracker.renew([a]) == [.renewed])
            #expect(try await tracker.progress(a.handle, 0.5) == .accepted)
            #expect(try await tracker.find(states: [.paused]).tasks.map(\.id) == ["b", "a"], "by the end of the lease")
            #expect(try await tracker.resume(["b"]) == [.done(.running)], "an operator may, too")
            #expect(try await tracker.resume(b.handle) == .done(.running))
            #expect(try await tracker.complete(a.handle) == .accepted, "straight from the pause")
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.succeeded])
        }
    }

    @Test("a holder that dies in its pause is noticed", arguments: TestedBackend.allCases)
    func heldAndDead(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] {
                try await tracker.add(id)
                #expect(try await tracker.pause(tracker.take(id).handle) == .done(.paused))
            }
            clock.advance(by: .seconds(10))
            #expect(try await tracker.take("a").crashes == 1)
            #expect(try await tracker.reap(limit: 1).items.map(\.id) == ["b"])
            #expect(try await tracker.claim([mail]).isEmpty)
            #expect(try await tracker.get("c")?.crashes == 1, "the claim took it back on its way")
            #expect(try await tracker.stats().kinds[0].scheduled == 2)
        }
    }

    @Test("what is not legal is refused with the state that was found", arguments: TestedBackend.spread)
    func refused(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for id: TaskID in ["runs", "held", "done"] { try await tracker.add(id) }
            let runs = try await tracker.take("runs")
            _ = try await tracker.pause(tracker.take("held").handle)
            let done = try await tracker.take("done")
            try await tracker.complete(done.handle)
            func refusal(_ found: TaskState, _ allowed: [TaskState]) -> TransitionOutcome {
                .refused(IllegalTransition(found: found, allowed: allowed))
            }
            let ids: [TaskID] = ["runs", "held", "done", "none"]
            let waiting: [TaskState] = [.ready, .paused]
            #expect(
                try await tracker.pause(ids)
                    == [refusal(.running, waiting), .done(.paused), refusal(.succeeded, waiting), .notFound]
            )
            let all = Ignore.allowed
            #expect(
                try await tracker.ignore(ids)
                    == [refusal(.running, all), refusal(.paused, all), refusal(.succeeded, all), .notFound]
            )
            #expect(try await tracker.resume(["done"]) == [refusal(.succeeded, [.paused, .ready, .running])])
            #expect(try await tracker.pause(done.handle) == refusal(.succeeded, [.running, .paused]))
            let wrong = ClaimHandle(id: "runs", token: done.token, fence: runs.fence)
            #expect(try await tracker.pause(wrong) == .stale)
            #expect(try await tracker.resume(ClaimHandle(id: "none", token: "t", fence: 1)) == .notFound)
            #expect(await code { _ = try await tracker.pause([]) } == .invalidArgument)
            #expect(await code { _ = try await tracker.resume(["runs"], message: "\u{7}") } == .invalidArgument)
        }
    }

    @Test("ignored tasks are set aside until they are brought back", arguments: TestedBackend.spread)
    func ignore(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let ids: [TaskID] = ["ready", "paused", "exhausted", "cancelled"]
            for id in ids { try await tracker.add(id) }
            _ = try await tracker.pause(["paused"])
            let failure = TaskFailure(type: "e", message: "m")
            try await tracker.fail(tracker.take("exhausted").handle, failure, .exhaust)
            _ = try await tracker.cancel(["cancelled"])
            for _ in 1...2 {
                #expect(try await tracker.ignore(ids) == Array(repeating: .done(.ignored), count: 4))
            }
            #expect(try await tracker.stats().kinds[0].ignored == 4)
            #expect(try await tracker.claim([mail]).isEmpty)
            #expect(try await tracker.cancel(["ready"]) == [.ended(.ignored)])
            #expect(try await tracker.refusal(of: "ready") == .ended(.ignored))
            #expect(try await tracker.refusal(of: "ready", options: .force) == nil)
            #expect(try await tracker.retry(["exhausted"]) == [.ready])
            #expect(try await tracker.get("exhausted")?.status == .pending)
            #expect(try await tracker.get("paused")?.status == .ignored)
        }
    }

    @Test("a paused task is cancelled at once, and a retry runs it anew", arguments: TestedBackend.spread)
    func out(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(id, delay: .seconds(60)) }
            let claim = try await tracker.take("c", options: .ignoreDue)
            _ = try await tracker.pause(claim.handle)
            _ = try await tracker.pause(["a", "b"])
            #expect(try await tracker.cancel(["a", "c"]) == [.cancelled, .requested])
            #expect(try await tracker.renew([claim]) == [.cancelRequested])
            #expect(try await tracker.retry(["b", "c"]) == [.ready, .running])
            #expect(try await tracker.get("b")?.due == clock.now)
            #expect(try await tracker.retry(["c"], force: true) == [.ready])
            #expect(try await tracker.complete(claim.handle) == .stale)
        }
    }
}
