import BelayTestKit
import Testing

@testable import Belay

/// What holders write, on every backend.
@Suite("holders")
struct HolderContract {
    private static let failure = TaskFailure(
        type: "io",
        message: "no such file",
        backtrace: ["main"],
        host: "h",
        pid: 7
    )

    @Test("a renewed lock holds for another lease from now", arguments: TestedBackend.spread)
    func renew(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(id) }
            let (a, b, c) = (try await tracker.take("a"), try await tracker.take("b"), try await tracker.take("c"))
            clock.advance(by: .seconds(9))
            _ = try await tracker.cancel(["b"])
            try await tracker.complete(c.handle)
            #expect(try await tracker.renew([a, b, c]) == [.renewed, .cancelRequested, .stale])
            #expect(try await tracker.get("a")?.leaseExpires == clock.now + .seconds(10))
            let gone = ClaimHandle(id: "none", token: a.token, fence: a.fence)
            #expect(try await tracker.renew(gone, for: .seconds(10)) == .gone)
            #expect(try await tracker.renew(a.handle, for: .seconds(1)) == .renewed)
            #expect(try await tracker.get("a")?.leaseExpires == clock.now + .seconds(10), "a lease never gets shorter")
            clock.advance(by: .seconds(10))
            #expect(try await tracker.renew([a]) == [.stale], "it ran out, although nobody took it yet")
        }
    }

    @Test("progress is kept, and refused from anyone else", arguments: TestedBackend.spread)
    func progress(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            #expect(try await tracker.progress(claim.handle, 0.4567, message: "page 3") == .accepted)
            #expect(try await tracker.get("a")?.progress == 0.457)
            #expect(try await tracker.find().tasks[0].progressMessage == "page 3")
            #expect(try await tracker.progress(claim.handle, nil) == .accepted)
            #expect(try await tracker.get("a")?.progress == nil)
            for (token, fence) in [("other", claim.fence), (claim.token, claim.fence + 1)] {
                let wrong = ClaimHandle(id: "a", token: token, fence: fence)
                #expect(try await tracker.progress(wrong, 1) == .stale)
            }
            let gone = ClaimHandle(id: "none", token: claim.token, fence: 1)
            #expect(try await tracker.progress(gone, 1) == .gone)
            #expect(await code { _ = try await tracker.progress(claim.handle, 1.1) } == .invalidArgument)
            let long = String(repeating: "x", count: 65)
            #expect(await code { _ = try await tracker.progress(claim.handle, 1, message: long) } == .invalidArgument)
        }
    }

    @Test("success ends a task, also after its lease, until another holds it", arguments: TestedBackend.spread)
    func complete(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c"] { try await tracker.add(id) }
            let (a, b, c) = (try await tracker.take("a"), try await tracker.take("b"), try await tracker.take("c"))
            clock.advance(by: .seconds(20))
            _ = try await tracker.take("b")
            let result = Body(text: "42")
            let gone = ClaimHandle(id: "none", token: a.token, fence: 1)
            let items = [a.handle, b.handle, gone, c.handle].map { ($0, result) }
            for _ in 1...2 {
                #expect(try await tracker.complete(items) == [.accepted, .stale, .gone, .accepted])
            }
            let task = try #require(try await tracker.get("a"))
            #expect((task.state, task.result, task.updated) == (.succeeded, result, clock.now))
            #expect(try await tracker.attempts(of: "a")?.map(\.outcome) == [.succeeded])
            #expect(try await tracker.fail(a.handle, Self.failure) == .stale)
            #expect(try await tracker.release([a.handle]) == [.stale])
            let large = Body(bytes: Array(repeating: 0, count: Limits.defaultPayloadBytes + 1))
            #expect(await code { try await tracker.complete(b.handle, result: large) } == .tooLarge)
        }
    }

    @Test("a failure waits as the policy says, and the last one exhausts", arguments: TestedBackend.spread)
    func failToTheEnd(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            for attempt in 1...3 {
                let claim = try #require(try await tracker.claim([mail]).first)
                #expect((claim.attempt, claim.failures) == (attempt, attempt - 1))
                let expected: HandBackOutcome = attempt < 3 ? .ready(due: clock.now + .seconds(5)) : .exhausted
                #expect(try await tracker.fail(claim.handle, Self.failure) == expected)
                #expect(try await tracker.fail(claim.handle, Self.failure) == expected, "a repeat")
                clock.advance(by: .seconds(5))
            }
            let task = try #require(try await tracker.get("a"))
            #expect((task.state, task.attempts, task.failures, task.crashes) == (.exhausted, 3, 3, 0))
            #expect(task.lastFailure?.failure == Self.failure)
            #expect(task.lastFailure?.nextRun == nil)
            #expect(try await tracker.attempts(of: "a")?.map(\.number) == [1, 2, 3])
            #expect(try await tracker.refusal(of: "a") == .ended(.exhausted))
        }
    }

    @Test("the repeat of a failure is answered alike whatever became of the task", arguments: TestedBackend.spread)
    func repeatedFailure(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            try await tracker.add("b")
            let (a, b) = (try await tracker.take("a"), try await tracker.take("b"))
            #expect(try await tracker.fail(a.handle, Self.failure, .exhaust) == .exhausted)
            #expect(try await tracker.retry(["a"]) == [.ready])
            #expect(try await tracker.fail(a.handle, Self.failure, .exhaust) == .exhausted)
            let due = clock.now + .seconds(5)
            #expect(try await tracker.release([b.handle], delay: .seconds(5)) == [.ready(due: due)])
            #expect(try await tracker.cancel(["b"]) == [.cancelled])
            #expect(try await tracker.release([b.handle], delay: .seconds(5)) == [.ready(due: due)])
            #expect(try await tracker.state(of: "b") == .cancelled)
        }
    }

    @Test("a holder may choose the delay, the end, or that it was cancelled", arguments: TestedBackend.spread)
    func dispositions(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b", "c", "d"] { try await tracker.add(id) }
            var handles: [ClaimHandle] = []
            for id: TaskID in ["a", "b", "c", "d"] { handles.append(try await tracker.take(id).handle) }
            _ = try await tracker.cancel(["d"], reason: "enough")
            let dispositions: [FailureDisposition] = [.retry(after: .seconds(77)), .exhaust, .cancelled, .retry()]
            let items = zip(handles, dispositions).map { ($0, Self.failure, $1) }
            let expected: [HandBackOutcome] = [
                .ready(due: clock.now + .seconds(77)), .exhausted, .cancelled, .cancelled,
            ]
            #expect(try await tracker.fail(items) == expected)
            #expect(try await tracker.get(["a", "b", "c", "d"]).map { $0?.failures } == [1, 1, 0, 0])
            #expect(try await tracker.get("d")?.cancelReason == "enough")
            let far = FailureDisposition.retry(after: .seconds(3651 * 86_400))
            #expect(await code { try await tracker.fail(handles[0], Self.failure, far) } == .invalidArgument)
        }
    }

    @Test("a long error is shortened alike", arguments: TestedBackend.spread)
    func longFailure(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            var failure = TaskFailure(type: "e", message: String(repeating: "ä\"", count: 9000))
            failure.backtrace = (1...5000).map { "frame \($0)" }
            try await tracker.fail(tracker.take("a").handle, failure)
            let kept = try #require(try await tracker.get("a")?.lastFailure?.failure)
            #expect(kept.message.utf8.count <= 4096 && kept.message.hasSuffix("…"))
            #expect(kept.backtrace.count < 5000)
            #expect((kept.host, kept.pid) == (Host.name, Host.pid))
        }
    }

    @Test("a released task keeps its place and its attempt", arguments: TestedBackend.allCases)
    func release(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let due = clock.now
            clock.advance(by: .seconds(1))
            try await tracker.add("b")
            let first = try await tracker.take("a")
            #expect(try await tracker.release([first.handle]) == [.ready(due: due)])
            #expect(try await tracker.release([first.handle]) == [.ready(due: due)], "a repeat")
            #expect(try await tracker.get("a")?.attempts == 0)
            let second = try #require(try await tracker.claim([mail]).first)
            #expect((second.id, second.attempt) == ("a", 1))
            #expect(second.fence > first.fence)
            #expect(try await tracker.release([first.handle]) == [.stale])
            let later = clock.now + .seconds(3)
            #expect(try await tracker.release([second.handle], delay: .seconds(3)) == [.ready(due: later)])
            #expect(await code { try await tracker.release([]) } == .invalidArgument)
            #expect(await code { try await tracker.release([first.handle], delay: .seconds(-1)) } == .invalidArgument)
        }
    }

    @Test("a snoozed task comes later and keeps its attempt", arguments: TestedBackend.spread)
    func snooze(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            for snoozes in 1...4 {
                let claim = try await tracker.take("a")
                #expect(claim.attempt == 1)
                #expect(
                    try await tracker.snooze(claim.handle, for: .seconds(8)) == .ready(due: clock.now + .seconds(8))
                )
                #expect(try await tracker.get("a")?.snoozes == snoozes)
                clock.advance(by: .seconds(8))
            }
            let claim = try await tracker.take("a")
            _ = try await tracker.cancel(["a"])
            #expect(try await tracker.snooze(claim.handle, for: .zero) == .cancelled)
            #expect(await code { try await tracker.snooze(claim.handle, for: .seconds(-1)) } == .invalidArgument)
            #expect(try await tracker.attempts(of: "a")?.last?.outcome == .cancelled)
        }
    }

    @Test("the last twenty attempts are remembered", arguments: TestedBackend.spread)
    func history(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            for _ in 1...22 { try await tracker.snooze(tracker.take("a").handle, for: .zero) }
            _ = try await tracker.take("a")
            let attempts = try #require(try await tracker.attempts(of: "a"))
            #expect(attempts.count == 21)
            #expect(attempts.map(\.fence) == attempts.map(\.fence).sorted())
            #expect(attempts.last?.outcome == .running)
            #expect(try await tracker.attempts(of: "none") == nil)
        }
    }
}
