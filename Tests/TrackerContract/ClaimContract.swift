import BelayTestKit
import Testing

@testable import Belay

/// Taking locks, on every backend.
@Suite("claim")
struct ClaimContract {
    @Test("tasks are claimed by priority, then due time, then id, whatever the kind", arguments: TestedBackend.allCases)
    func order(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            try await tracker.add("late", delay: .seconds(3))
            try await tracker.add("b", "fax")
            try await tracker.add("a")
            try await tracker.add("low", priority: 0)
            clock.advance(by: .seconds(1))
            try await tracker.add("urgent", "fax", priority: 9)
            clock.advance(by: .seconds(4))
            let expected: [TaskID] = ["urgent", "a", "b", "late", "low"]
            #expect(try await tracker.peek([mail, "fax"]).map(\.id) == expected)
            #expect(try await tracker.peek([mail, "fax"], limit: 2).map(\.id) == ["urgent", "a"])
            #expect(try await tracker.claim([mail, "fax"], limit: 3).map(\.id) == ["urgent", "a", "b"])
            #expect(try await tracker.claim(["fax", mail, "fax", "unknown"], limit: 10).map(\.id) == ["late", "low"])
            #expect(try await tracker.claim([mail, "fax"], limit: 10).isEmpty)
        }
    }

    @Test("a claim tells the whole lock", arguments: TestedBackend.spread)
    func claimedLock(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let created = clock.now
            clock.advance(by: .seconds(2))
            let claim = try #require(try await tracker.claim([mail]).first)
            #expect((claim.id, claim.kind, claim.attempt, claim.worker) == ("a", mail, 1, tracker.workerName))
            #expect((claim.created, claim.due, claim.claimed) == (created, created, clock.now))
            #expect((claim.expires, claim.lease) == (clock.now + .seconds(10), .seconds(10)))
            #expect(claim.fence == clock.now.microseconds)
            #expect(claim.token.utf8.count == 32)
            #expect((claim.failures, claim.crashes, claim.payload) == (0, 0, Body(text: "payload of a")))
            let task = try #require(try await tracker.get("a"))
            #expect((task.state, task.attempts, task.fence) == (.running, 1, claim.fence))
            #expect((task.leaseExpires, task.began) == (claim.expires, clock.now))
            #expect(task.worker == "\(tracker.workerName)")
        }
    }

    @Test("a lease of the caller's own holds instead of the kind's", arguments: TestedBackend.allCases)
    func ownLease(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.add("b")
            #expect(try await tracker.claim([mail], lease: .milliseconds(50))[0].lease == .milliseconds(50))
            guard case .claimed(let claim) = try await tracker.claim("b", lease: .seconds(86_400)) else {
                return #expect(Bool(false), "b is free")
            }
            #expect(claim.expires == clock.now + .seconds(86_400))
        }
    }

    @Test("the same claim twice gets the same locks", arguments: TestedBackend.spread)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(id) }
            let verb = ClaimMany(token: "t", worker: tracker.workerName, count: 2, kinds: [mail])
            let first = try await tracker.perform(verb).claims
            clock.advance(by: .seconds(1))
            #expect(try await tracker.perform(verb).claims == first)
            try await tracker.complete(first[0].handle)
            #expect(try await tracker.perform(verb).claims == [first[1]])
            let named = Acquire(id: "c", token: "u", worker: tracker.workerName, lease: nil, options: [])
            let lock = try await tracker.perform(named)
            #expect(try await tracker.perform(named) == lock)
            #expect(try await tracker.get("c")?.attempts == 1)
        }
    }

    @Test("an empty claim tells when the next task is due", arguments: TestedBackend.spread)
    func nextDue(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let verb = ClaimMany(token: "t", worker: tracker.workerName, count: 2, kinds: [mail])
            #expect(try await tracker.perform(verb).nextDue == nil)
            try await tracker.add("b", delay: .seconds(9), priority: 9)
            try await tracker.add("a", delay: .seconds(4))
            #expect(try await tracker.perform(verb).nextDue == clock.now + .seconds(4))
        }
    }

    @Test("a lock is free exactly at its end, and its crash is counted", arguments: TestedBackend.spread)
    func expiry(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let first = try await tracker.take("a")
            clock.set(Timestamp(microseconds: first.expires.microseconds - 1))
            let locked = ClaimRefusal.locked(until: first.expires, by: "\(tracker.workerName)")
            #expect(try await tracker.refusal(of: "a") == locked)
            clock.set(first.expires)
            let second = try await tracker.take("a")
            #expect((second.attempt, second.crashes, second.failures) == (2, 1, 0))
            #expect(second.fence > first.fence)
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.crashed, .running])
        }
    }

    @Test("a claim takes back ten expired leases on its way", arguments: TestedBackend.spread)
    func takesBack(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.enqueue((0..<25).map { _ in NewTask(mail) })
            #expect(try await tracker.claim([mail], limit: 25).count == 25)
            clock.advance(by: .seconds(10))
            for scheduled in [10, 20, 25] {
                #expect(try await tracker.claim([mail], limit: 25).isEmpty)
                #expect(try await tracker.stats().kinds[0].scheduled == scheduled)
            }
            clock.advance(by: .seconds(5))
            #expect(try await tracker.claim([mail], limit: 25).map(\.crashes) == Array(repeating: 1, count: 25))
        }
    }

    @Test("a task that cannot be locked says why", arguments: TestedBackend.spread)
    func refusals(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("later", delay: .seconds(60))
            try await tracker.add("done")
            try await tracker.complete(tracker.take("done").handle)
            #expect(try await tracker.refusal(of: "none") == .notFound)
            #expect(try await tracker.refusal(of: "later") == .notDue(at: clock.now + .seconds(60)))
            #expect(try await tracker.refusal(of: "later", options: .ignoreDue) == nil)
            #expect(try await tracker.refusal(of: "done", options: .force) == .ended(.succeeded))
            _ = try await tracker.cancel(["later"])
            clock.advance(by: .seconds(10))
            #expect(try await tracker.refusal(of: "later") == .ended(.cancelled))
            #expect(try await tracker.refusal(of: "later", options: .force) == nil)
        }
    }

    @Test("a lock that is taken over refuses its old holder", arguments: TestedBackend.spread)
    func superseded(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let old = try await tracker.take("a")
            let new = try await tracker.take("a", options: .ignoreLock)
            #expect(new.fence == old.fence + 1)
            #expect(try await tracker.renew([old, new]) == [.stale, .renewed])
            #expect(try await tracker.complete(old.handle) == .stale)
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.superseded, .running])
            #expect(try await tracker.attempts(of: "a")?[0].nextRun == clock.now)
        }
    }

    @Test("a task that has ended begins anew on request", arguments: TestedBackend.spread)
    func restart(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            try await tracker.fail(tracker.take("a").handle, TaskFailure(type: "e", message: "m"), .retry(after: .zero))
            let second = try await tracker.take("a")
            try await tracker.complete(second.handle, result: Body(text: "done"))
            let third = try await tracker.take("a", options: .restart)
            #expect((third.attempt, third.failures) == (1, 0))
            #expect(third.fence == second.fence + 1)
            #expect(try await tracker.get("a")?.result == nil)
            #expect(try await tracker.attempts(of: "a")?.first?.outcome == .failed)
        }
    }

    @Test("bad input is refused", arguments: TestedBackend.spread)
    func badInput(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let kinds = try (0...100).map { try KindName("k\($0)") }
            #expect(await code { _ = try await tracker.claim([mail], limit: 0) } == .invalidArgument)
            #expect(await code { _ = try await tracker.claim([mail], limit: 501) } == .invalidArgument)
            #expect(await code { _ = try await tracker.claim([]) } == .invalidArgument)
            #expect(await code { _ = try await tracker.claim(kinds) } == .invalidArgument)
            #expect(await code { _ = try await tracker.claim([mail], lease: .zero) } == .invalidArgument)
            #expect(await code { _ = try await tracker.claim("a", lease: .seconds(86_401)) } == .invalidArgument)
            #expect(await code { _ = try await tracker.peek([mail], limit: 0) } == .invalidArgument)
            #expect(await code { _ = try await tracker.peek([]) } == .invalidArgument)
            #expect(try await tracker.claim([mail]).count == 1)
        }
    }
}
