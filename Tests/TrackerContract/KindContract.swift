import BelayTestKit
import Testing

@testable import Belay

/// What a kind's policy does to its tasks, and the end of kinds, on every backend.
@Suite("kinds")
struct KindContract {
    private static let failure = TaskFailure(type: "e", message: "m")

    @Test("an attempt's time is over at its time-out, however often it is renewed", arguments: TestedBackend.spread)
    func timeout(backend: TestedBackend) async throws {
        let policy = KindPolicy(lease: .seconds(10), retry: .fixed(.zero), timeout: .seconds(25))
        try await backend.run(policy) { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            let deadline = clock.now + .seconds(25)
            #expect(try await tracker.get("a")?.deadline == deadline)
            for expected in [RenewOutcome.renewed, .ending(at: deadline), .ending(at: deadline)] {
                clock.advance(by: .seconds(8))
                #expect(try await tracker.renew([claim]) == [expected])
            }
            clock.set(deadline)
            #expect(try await tracker.renew([claim]) == [.stale])
            #expect(try await tracker.reap().items.map(\.id) == ["a"])
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.timedOut])
            let second = try await tracker.claim([mail], lease: .seconds(60))[0]
            #expect((second.lease, second.crashes) == (.seconds(25), 1))
            #expect(try await tracker.complete(second.handle) == .accepted)
            #expect(try await tracker.get("a")?.deadline == nil)
        }
    }

    @Test("the time-out stands still in a pause and begins anew after it", arguments: TestedBackend.spread)
    func timeoutInPause(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(lease: .seconds(10), timeout: .seconds(15))) { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            _ = try await tracker.pause(claim.handle)
            #expect(try await tracker.get("a")?.deadline == nil)
            for _ in 1...3 {
                clock.advance(by: .seconds(9))
                #expect(try await tracker.renew([claim]) == [.renewed])
            }
            #expect(try await tracker.renew(claim.handle, for: .seconds(60)) == .renewed)
            #expect(try await tracker.resume(claim.handle) == .done(.running))
            let task = try #require(try await tracker.get("a"))
            #expect((task.deadline, task.leaseExpires) == (clock.now + .seconds(15), clock.now + .seconds(15)))
        }
    }

    @Test("as many tasks wait as the policy allows", arguments: TestedBackend.allCases)
    func queueLimit(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(queueLimit: 2)) { tracker, _ in
            try await tracker.add("a", delay: .seconds(60))
            let new = ["a", "b", "c", "c"].map { NewTask(mail, options: EnqueueOptions(id: $0)) }
            let outcomes = try await tracker.enqueue(new)
            #expect(outcomes == [.duplicate("a"), .created("b"), .full("c", limit: 2), .full("c", limit: 2)])
            _ = try await tracker.take("b")
            try await tracker.add("c", priority: 9)
            #expect(try await tracker.pause(["c"]) == [.done(.paused)])
            try await tracker.add("d")
            #expect(try await tracker.resume(["c"]) == [.done(.ready)], "an operator is not held up")
            #expect(try await tracker.stats().kinds[0].total == 4)
        }
    }

    @Test("a kind whose failures are to be expected sets its tasks aside", arguments: TestedBackend.spread)
    func whenExhausted(backend: TestedBackend) async throws {
        let policy = KindPolicy(lease: .seconds(1), attempts: 1, retry: .fixed(.zero), whenExhausted: .ignored)
        try await backend.run(policy) { tracker, clock in
            for id: TaskID in ["fails", "ends", "crashes", "looked at"] { try await tracker.add(id) }
            let (fails, ends) = (try await tracker.take("fails"), try await tracker.take("ends"))
            for _ in 1...2 {
                #expect(try await tracker.fail(fails.handle, Self.failure) == .ignored)
                #expect(try await tracker.fail(ends.handle, Self.failure, .exhaust) == .ignored)
            }
            _ = try await tracker.take("crashes")
            _ = try await tracker.take("looked at")
            clock.advance(by: .seconds(1))
            #expect(try await tracker.refusal(of: "looked at") == .ended(.ignored))
            #expect(try await tracker.reap().items.map(\.state) == [.ignored])
            #expect(try await tracker.stats().kinds[0].ignored == 4)
            #expect(try await tracker.log(of: "crashes")?.last?.state == .ignored)
        }
    }

    @Test("ignored tasks are kept as long as other ended ones", arguments: TestedBackend.spread)
    func purge(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(keepOther: .seconds(100))) { tracker, clock in
            try await tracker.add("a")
            _ = try await tracker.ignore(["a"])
            clock.advance(by: .seconds(99))
            #expect(try await tracker.purge().items.isEmpty)
            clock.advance(by: .seconds(1))
            #expect(try await tracker.purge().items.map(\.state) == [.ignored])
        }
    }

    @Test("a success ends a row of failures", arguments: TestedBackend.spread)
    func failuresInARow(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(retry: .fixed(.zero))) { tracker, _ in
            try await tracker.add("a")
            try await tracker.fail(tracker.take("a").handle, Self.failure)
            try await tracker.complete(tracker.take("a").handle)
            #expect(try await tracker.get("a")?.failures == 0)
            #expect(try await tracker.get("a")?.attempts == 2)
        }
    }

    @Test("deleted tasks are gone, running ones only by force", arguments: TestedBackend.spread)
    func delete(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["waits", "runs", "paused"] { try await tracker.add(id) }
            let claim = try await tracker.take("runs")
            _ = try await tracker.pause(["paused"])
            let ids: [TaskID] = ["waits", "runs", "paused", "none", "waits"]
            #expect(try await tracker.delete(ids) == [.deleted, .running, .deleted, .notFound, .deleted])
            #expect(try await tracker.delete(ids) == [.notFound, .running, .notFound, .notFound, .notFound])
            #expect(try await tracker.delete(["runs"], force: true) == [.deleted])
            #expect(try await tracker.complete(claim.handle) == .gone)
            #expect(try await tracker.stats().kinds[0].total == 0)
            clock.advance(by: .seconds(-9))
            try await tracker.add("runs")
            #expect(try await tracker.log(of: "runs")?.count == 1, "nothing of the task before it is left")
            #expect(try await tracker.take("runs").fence > claim.fence)
            #expect(await code { _ = try await tracker.delete([]) } == .invalidArgument)
        }
    }

    @Test("a kind is removed when it has no tasks, or with them by force", arguments: TestedBackend.spread)
    func undefine(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.define("fax")
            #expect(try await tracker.undefine("fax") == .removed(tasks: 0))
            #expect(try await tracker.undefine("fax") == .notFound)
            try await tracker.enqueue((0..<499).map { _ in NewTask(mail) })
            for id: TaskID in ["runs", "paused"] { try await tracker.add(id, priority: 9) }
            let claim = try await tracker.take("runs")
            _ = try await tracker.pause(["paused"])
            #expect(try await tracker.undefine(mail) == .inUse(tasks: 501))
            #expect(try await tracker.undefine(mail, force: true) == .removed(tasks: 501))
            #expect(try await tracker.kinds().isEmpty)
            #expect(try await tracker.renew([claim]) == [.gone])
            try await tracker.define(mail)
            try await tracker.add("runs")
            #expect(try await tracker.take("runs").fence > claim.fence)
        }
    }
}
