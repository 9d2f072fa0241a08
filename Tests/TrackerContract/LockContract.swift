import BelayTestKit
import Testing

@testable import Belay

/// Locks that are taken again or taken away, and the orders of claiming, on every backend.
@Suite("locks")
struct LockContract {
    @Test("a holder that enters again gets a new lock", arguments: TestedBackend.spread)
    func reentry(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(lease: .seconds(10), attempts: 1)) { tracker, clock in
            try await tracker.add("a")
            let first = try await tracker.take("a")
            #expect(try await tracker.save(first.handle, data: Body(text: "so far")) == .accepted)
            _ = try await tracker.cancel(["a"])
            clock.advance(by: .seconds(1))
            let wrong = try await tracker.claim("a", reentering: "other")
            #expect(wrong == .refused(.locked(until: first.expires, by: "\(tracker.workerName)")))
            guard case .claimed(let second) = try await tracker.claim("a", reentering: first.token) else {
                return #expect(Bool(false), "the token is the lock's")
            }
            #expect((second.attempt, second.data.text) == (2, "so far"), "also beyond the limit")
            #expect(second.token != first.token && second.fence > first.fence)
            #expect(second.expires == clock.now + .seconds(10))
            #expect(try await tracker.renew([first, second]) == [.stale, .cancelRequested])
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.superseded, .running])
        }
    }

    @Test("a token of the caller's own gives the same lock again", arguments: TestedBackend.spread)
    func ownToken(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(id) }
            let worker = try WorkerName("anna")
            let first = try await tracker.claim([mail], limit: 2, as: worker, token: "t-1")
            #expect(first.map(\.token) == ["t-1", "t-1"] && first.map(\.worker) == [worker, worker])
            #expect(try await tracker.claim([mail], limit: 2, as: worker, token: "t-1") == first)
            #expect(try await tracker.claim([mail], limit: 2, as: worker, token: "t-2").map(\.id) == ["c"])
            let named = try await tracker.claim("c", options: .ignoreLock, as: worker, token: "t-3")
            #expect(try await tracker.claim("c", as: worker, token: "t-3") == named)
            for bad in ["", "a b", String(repeating: "x", count: 65)] {
                #expect(await code { _ = try await tracker.claim([mail], token: bad) } == .invalidArgument)
                #expect(await code { _ = try await tracker.claim("c", token: bad) } == .invalidArgument)
            }
        }
    }

    @Test("by due time, tasks of all kinds and priorities stand in one line", arguments: TestedBackend.allCases)
    func dueOrder(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            for (id, kind, priority) in [("a", mail, 0), ("b", "fax", 9), ("c", mail, 9)] as [(TaskID, KindName, Int)] {
                try await tracker.add(id, kind, priority: priority)
                clock.advance(by: .seconds(1))
            }
            try await tracker.add("later", delay: .seconds(60), priority: 5)
            let kinds: [KindName] = [mail, "fax"]
            #expect(try await tracker.peek(kinds, order: .due).map(\.id) == ["a", "b", "c"])
            #expect(try await tracker.peek(kinds, order: .due, scheduled: true).map(\.id) == ["a", "b", "c", "later"])
            #expect(try await tracker.peek(kinds, scheduled: true).map(\.id) == ["b", "c", "later", "a"])
            #expect(try await tracker.claim(kinds, limit: 2, order: .due).map(\.id) == ["a", "b"])
            #expect(try await tracker.claim(kinds, limit: 2, order: .due).map(\.id) == ["c"])
        }
    }

    @Test("a forced retry takes the task from its holder", arguments: TestedBackend.spread)
    func forcedRetry(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(attempts: 1)) { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            #expect(try await tracker.respond(claim.handle, Body(text: "half")) == .accepted)
            clock.advance(by: .seconds(1))
            #expect(try await tracker.retry(["a"], budget: .kept, force: true) == [.ready])
            #expect(try await tracker.renew([claim]) == [.stale])
            let task = try #require(try await tracker.get("a"))
            #expect((task.attempts, task.attemptLimit, task.due, task.result) == (1, 2, clock.now, nil))
            #expect(task.lastFailure?.outcome == .superseded)
            #expect(try await tracker.take("a").attempt == 2)
        }
    }

    @Test("a success that is begun anew stays in the history", arguments: TestedBackend.spread)
    func successes(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.complete(tracker.take("a").handle)
            #expect(try await tracker.retry(["a"]) == [.ready])
            clock.advance(by: .seconds(1))
            try await tracker.complete(tracker.take("a").handle)
            _ = try await tracker.take("a", options: .restart)
            let attempts = try #require(try await tracker.attempts(of: "a"))
            #expect(attempts.map(\.outcome) == [.succeeded, .succeeded, .running])
            #expect(attempts.map(\.number) == [1, 1, 1])
            #expect(attempts[1].ended == clock.now)
            #expect(try await tracker.get("a")?.lastFailure == nil)
        }
    }

    @Test("every attempt shows its own backtrace", arguments: TestedBackend.spread)
    func backtraces(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            for number in 1...25 {
                let backtrace = number.isMultiple(of: 5) ? [] : ["frame \(number % 3)", "main"]
                let failure = TaskFailure(type: "e", message: "\(number)", backtrace: backtrace)
                try await tracker.fail(tracker.take("a", options: .restart).handle, failure, .exhaust)
            }
            let failures = try #require(try await tracker.attempts(of: "a")).compactMap(\.failure)
            #expect(failures.map(\.message) == (6...25).map { "\($0)" })
            for failure in failures {
                let number = try #require(Int(failure.message))
                #expect(failure.backtrace == (number.isMultiple(of: 5) ? [] : ["frame \(number % 3)", "main"]))
            }
            #expect(try await tracker.get("a")?.lastFailure?.failure?.backtrace == [])
        }
    }
}
