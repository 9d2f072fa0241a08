import BelayTestKit
import Testing

@testable import Belay

/// Each reason why a task does not run, on every backend.
@Suite("explain")
struct ExplainContract {
    private static let failure = TaskFailure(type: "e", message: "m", backtrace: ["main"], host: "h", pid: 1)
    /// As an explanation tells it: an attempt shows the backtrace.
    private static let told = TaskFailure(type: "e", message: "m", host: "h", pid: 1)

    @Test("no task, no explanation", arguments: TestedBackend.spread)
    func none(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let why = try await tracker.explain("a")
            #expect(why == nil)
        }
    }

    @Test("not due yet, and no worker", arguments: TestedBackend.spread)
    func notDue(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a", delay: .seconds(60))
            let due = clock.now + .seconds(60)
            clock.advance(by: .seconds(1))
            let why = try #require(try await tracker.explain("a"))
            #expect((why.id, why.kind, why.state, why.now) == ("a", mail, .ready, clock.now))
            #expect(why.reasons == [.notDue(at: due, in: .seconds(59)), .noWorker(lastLeft: nil)])
        }
    }

    @Test("waits for its next attempt", arguments: TestedBackend.spread)
    func retrying(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.fail(tracker.take("a").handle, Self.failure)
            let next = Explanation.Reason.retrying(attempt: 2, of: 3, after: Self.told)
            let left = Explanation.Reason.noWorker(lastLeft: nil)
            let due = clock.now + .seconds(5)
            #expect(try await tracker.reasons("a") == [.notDue(at: due, in: .seconds(5)), next, left])
            clock.advance(by: .seconds(5))
            #expect(try await tracker.reasons("a") == [next, left])
        }
    }

    @Test("its kind, or the tracker, is paused", arguments: TestedBackend.spread)
    func paused(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.beat(kinds: [mail])
            let start = clock.now
            try await tracker.pauseKind(mail, message: "\u{301}two  words")
            clock.advance(by: .seconds(1))
            try await tracker.pauseKind(nil)
            let actor = tracker.actor
            let kind = Explanation.Reason.kindPaused(kind: mail, since: start, by: actor, message: "\u{301}two  words")
            let all = Explanation.Reason.kindPaused(kind: nil, since: clock.now, by: actor, message: "")
            #expect(try await tracker.reasons("a") == [all, kind])
            try await tracker.resumeKind(nil)
            #expect(try await tracker.reasons("a") == [kind])
        }
    }

    @Test("others are before it", arguments: TestedBackend.allCases)
    func behind(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.beat(kinds: [mail])
            for id: TaskID in ["old", "done"] {
                try await tracker.add(id)
                try await tracker.complete(tracker.take(id).handle)
                clock.advance(by: .seconds(60) + .microseconds(1))
            }
            try await tracker.beat(kinds: [mail])
            try await tracker.add("recent")
            try await tracker.complete(tracker.take("recent").handle)
            try await tracker.add("before")
            clock.advance(by: .seconds(1))
            try await tracker.add("a")
            try await tracker.add("urgent", priority: 9)
            try await tracker.add("low", priority: 1)
            try await tracker.add("scheduled", delay: .seconds(1), priority: 9)
            #expect(try await tracker.reasons("a") == [.behind(tasks: 2, endedLastMinute: 1)])
            #expect(try await tracker.reasons("urgent") == [.imminent(workers: 1)])
        }
    }

    @Test("nobody takes its kind", arguments: TestedBackend.spread)
    func noWorker(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            try await tracker.add("a")
            try await tracker.beat(.online, kinds: ["fax"])
            #expect(try await tracker.reasons("a") == [.noWorker(lastLeft: nil)])
            try await tracker.beat(kinds: [mail], interval: .seconds(2))
            #expect(try await tracker.reasons("a") == [.imminent(workers: 1)])
            let silent = clock.now + .seconds(4)
            clock.set(Timestamp(microseconds: silent.microseconds - 1))
            #expect(try await tracker.reasons("a") == [.imminent(workers: 1)])
            clock.set(silent)
            #expect(try await tracker.reasons("a") == [.noWorker(lastLeft: silent)])
            clock.advance(by: .seconds(1))
            try await tracker.beat(.offline, kinds: [mail])
            #expect(try await tracker.reasons("a") == [.noWorker(lastLeft: clock.now)])
            let left = clock.now
            clock.advance(by: .seconds(2 * 86_400))
            _ = try await tracker.purge()
            #expect(try await tracker.reasons("a") == [.noWorker(lastLeft: left)], "the last one stays known")
        }
    }

    @Test("it runs, is asked to stop, and its lease ends", arguments: TestedBackend.spread)
    func running(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            clock.advance(by: .seconds(1))
            #expect(try await tracker.renew([claim]) == [.renewed])
            let (worker, until) = ("\(tracker.workerName)", clock.now + .seconds(10))
            let lock = Explanation.Reason.running(worker: worker, until: until, renewals: 1)
            #expect(try await tracker.reasons("a") == [lock])
            let asked = Explanation.Reason.asked(toStopAt: clock.now, reason: "why")
            _ = try await tracker.cancel(["a"], reason: "why")
            #expect(try await tracker.reasons("a") == [lock, asked])
            clock.set(until)
            #expect(try await tracker.reasons("a") == [.leaseOver(worker: worker, since: until), asked])
        }
    }

    @Test("it is paused, by its holder or an operator", arguments: TestedBackend.spread)
    func pausedTask(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("held")
            try await tracker.add("a")
            let claim = try await tracker.take("held")
            clock.advance(by: .seconds(1))
            _ = try await tracker.pause(claim.handle)
            _ = try await tracker.pause(["a"])
            let (since, worker) = (clock.now, "\(tracker.workerName)")
            clock.advance(by: .seconds(1))
            let lock = Explanation.Reason.running(worker: worker, until: claim.expires, renewals: 0)
            #expect(try await tracker.reasons("held") == [.paused(since: since, worker: worker), lock])
            #expect(try await tracker.reasons("a") == [.paused(since: since, worker: nil)])
        }
    }

    @Test("it ended well, or was ended", arguments: TestedBackend.spread)
    func ended(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["s", "c", "n"] { try await tracker.add(id) }
            let claim = try await tracker.take("s")
            clock.advance(by: .seconds(1))
            try await tracker.complete(claim.handle)
            _ = try await tracker.cancel(["c"], reason: "why")
            _ = try await tracker.ignore(["n"])
            let now = clock.now
            clock.advance(by: .seconds(1))
            #expect(try await tracker.reasons("s") == [.succeeded(at: now)])
            #expect(try await tracker.reasons("c") == [.cancelled(at: now, reason: "why")])
            #expect(try await tracker.reasons("n") == [.ignored(at: now)])
        }
    }

    @Test("its attempts are used up, by errors or crashes", arguments: TestedBackend.spread)
    func exhausted(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(lease: .seconds(10), attempts: 1)) { tracker, clock in
            for id: TaskID in ["failed", "crashed"] { try await tracker.add(id) }
            try await tracker.fail(tracker.take("failed").handle, Self.failure)
            let failed = clock.now
            _ = try await tracker.take("crashed")
            clock.advance(by: .seconds(10))
            _ = try await tracker.reap()
            #expect(try await tracker.reasons("failed") == [.exhausted(at: failed, attempts: 1, error: Self.told)])
            #expect(try await tracker.reasons("crashed") == [.exhausted(at: clock.now, attempts: 1, error: nil)])
        }
    }
}

extension Tracker {
    fileprivate func reasons(_ id: TaskID) async throws -> [Explanation.Reason]? { try await explain(id)?.reasons }
}
