import RedisWire
import Testing

@testable import Belay

@Suite("explain")
struct ExplainTests {
    private func explain(_ id: TaskID = "a", in f: TrackerFixture) async throws -> Explanation {
        try #require(try await f.unchanged(Explain(id: id)))
    }

    private func reasons(_ id: TaskID = "a", in f: TrackerFixture) async throws -> [Explanation.Reason] {
        try await explain(id, in: f).reasons
    }

    /// A tracker with one live worker of kind `k`, so that its absence is no reason.
    private func withWorker(
        kinds: [KindName] = ["k"],
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (TrackerFixture) async throws -> Void
    ) async throws {
        try await TrackerFixture.run(kinds: kinds, sourceLocation: sourceLocation) { f async throws in
            try await f.send(Beat(.online, interval: .seconds(3600)))
            try await body(f)
        }
    }

    @Test("has nothing to say of a task that is not there")
    func nobody() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.unchanged(Explain(id: "nobody")) == nil)
            #expect(try await f.tracker.explain("nobody") == nil)
            #expect(try await f.reply(Explain(id: "nobody"))[0].string == "GONE")
        }
    }

    @Test("tells of the task where it stands", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let explanation = try await explain(in: f)
            #expect([explanation.id] == ["a"] && explanation.kind == "k" && explanation.now == f.clock.now)
            #expect(explanation.state == place.state)
            #expect(!explanation.reasons.isEmpty)
            #expect(explanation.reasons.allSatisfy { !"\($0)".isEmpty })
        }
    }

    @Test("not due: when it is, and in how long")
    func notDue() async throws {
        try await withWorker { f async throws in
            try await f.enqueue("a", delay: .seconds(90))
            let due = f.moment(.seconds(90))
            f.clock.advance(by: .seconds(30))
            let reason = Explanation.Reason.notDue(at: due, in: .seconds(60))
            #expect(try await reasons(in: f) == [reason])
            #expect("\(reason)" == "not due before \(due), in 60.0 s")
            f.clock.advance(by: .microseconds(59_999_999))
            #expect(try await reasons(in: f) == [.notDue(at: due, in: .microseconds(1))])
            f.clock.advance(by: .microseconds(1))
            #expect(try await reasons(in: f) == [.imminent(workers: 1)])
        }
    }

    @Test("retrying: which attempt comes next, of how many, and after what")
    func retrying() async throws {
        try await withWorker { f async throws in
            let handle = try await f.running().handle
            try await f.tracker.fail(handle, failure)
            let reason = Explanation.Reason.retrying(attempt: 2, of: 3, after: failure)
            #expect(try await reasons(in: f) == [.notDue(at: f.moment(.seconds(1)), in: .seconds(1)), reason])
            #expect("\(reason)" == "waits for attempt 2 of 3, after exit: code 1")
            f.clock.advance(by: .seconds(1))
            #expect(try await reasons(in: f) == [reason])
            _ = try await f.claim("a", token: "2")
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            #expect(try await reasons(in: f).dropFirst() == [.retrying(attempt: 3, of: 3, after: nil)])
        }
    }

    @Test("retrying: the task's own number of attempts")
    func ownAttempts() async throws {
        try await withWorker { f async throws in
            try await f.enqueue("a", attempts: 7)
            try await f.tracker.fail(try await f.claim("a").handle, failure, .retry(after: .zero))
            #expect(try await reasons(in: f) == [.retrying(attempt: 2, of: 7, after: failure)])
        }
    }

    @Test("kind paused: since when, by whom and why; the whole tracker before the kind")
    func kindPaused() async throws {
        try await withWorker(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("a")
            let since = f.clock.now
            try await f.tracker.pauseKind("l")
            try await f.tracker.pauseKind("k", message: "disk is full")
            f.clock.advance(by: .seconds(5))
            let kind = Explanation.Reason.kindPaused(kind: "k", since: since, by: "op", message: "disk is full")
            #expect(try await reasons(in: f) == [kind])
            #expect("\(kind)" == "kind k is paused since \(since) by op: disk is full")
            try await f.tracker.pauseKind(nil)
            let all = Explanation.Reason.kindPaused(kind: nil, since: f.clock.now, by: "op", message: "")
            #expect(try await reasons(in: f) == [all, kind])
            #expect("\(all)" == "the tracker is paused since \(f.clock.now) by op")
            try await f.tracker.resumeKind("k")
            #expect(try await reasons(in: f) == [all])
        }
    }

    @Test("kind paused: whatever the message begins with", arguments: [" a", "\u{301}x", "", "a  b"])
    func messages(message: String) async throws {
        try await withWorker { f async throws in
            try await f.enqueue("a")
            try await f.tracker.pauseKind("k", message: message)
            let expected = Explanation.Reason.kindPaused(kind: "k", since: f.clock.now, by: "op", message: message)
            #expect(try await reasons(in: f) == [expected])
        }
    }

    @Test("behind: how many are claimed before it, and how fast they go")
    func behind() async throws {
        try await withWorker(kinds: ["k", "l"]) { f async throws in
            try await f.tracker.complete(try await f.running("done").handle)
            f.clock.advance(by: .microseconds(60_000_001))
            for id in ["b", "c"] as [TaskID] { try await f.tracker.complete(try await f.running(id).handle) }
            f.clock.advance(by: .microseconds(1))
            try await f.enqueue("first")
            f.clock.advance(by: .microseconds(1))
            try await f.enqueue("a")
            try await f.enqueue("high", priority: 9)
            try await f.enqueue("higher", delay: .seconds(1), priority: 9)
            try await f.enqueue("low", priority: 0)
            try await f.enqueue("other", "l", priority: 9)
            f.clock.advance(by: .microseconds(1))
            try await f.enqueue("last")
            let reason = Explanation.Reason.behind(tasks: 2, endedLastMinute: 2)
            #expect(try await reasons(in: f) == [reason])
            #expect("\(reason)" == "2 tasks of its kind are before it; 2 ended well in the last minute")
            #expect(try await reasons("high", in: f) == [.imminent(workers: 1)])
            #expect(try await reasons("low", in: f) == [.behind(tasks: 4, endedLastMinute: 2)])
        }
    }

    @Test("no worker: that there never was one, or when the last one left or fell silent")
    func noWorker() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("a")
            try await f.send(Beat(.online, of: "other", kinds: ["l"]))
            #expect(try await reasons(in: f) == [.noWorker(lastLeft: nil)])
            #expect("\(try await reasons(in: f)[0])" == "no live worker takes its kind; there never was one")
            try await f.send(Beat(.online, of: "one"))
            #expect(try await reasons(in: f) == [.imminent(workers: 1)])
            f.clock.advance(by: .seconds(1))
            try await f.send(Beat(.offline, of: "one"))
            let left = f.clock.now
            f.clock.advance(by: .seconds(1))
            #expect(try await reasons(in: f) == [.noWorker(lastLeft: left)])
            #expect("\(try await reasons(in: f)[0])".hasSuffix("; the last one left at \(left)"))
            try await f.send(Beat(.online, of: "two"))
            let silent = f.moment(.seconds(20))
            f.clock.advance(by: .microseconds(19_999_999))
            #expect(try await reasons(in: f) == [.imminent(workers: 1)])
            f.clock.advance(by: .microseconds(1))
            #expect(try await reasons(in: f) == [.noWorker(lastLeft: silent)])
        }
    }

    @Test("imminent: how many workers take it")
    func imminent() async throws {
        try await withWorker { f async throws in
            try await f.enqueue("a")
            try await f.send(Beat(.online, of: "two"))
            #expect(try await reasons(in: f) == [.imminent(workers: 2)])
            #expect("\(try await reasons(in: f)[0])" == "due, and 2 live workers take its kind")
        }
    }

    @Test("running: who holds it until when, and how often that was renewed")
    func running() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(try await reasons(in: f) == [.running(worker: "host:1:a", until: claim.expires, renewals: 0)])
            for _ in 1...2 {
                f.clock.advance(by: .seconds(1))
                #expect(try await f.tracker.renew([claim]) == [.renewed])
            }
            let until = f.moment(.seconds(10))
            #expect(try await reasons(in: f) == [.running(worker: "host:1:a", until: until, renewals: 2)])
            #expect("\(try await reasons(in: f)[0])" == "runs at host:1:a until \(until), renewed 2 times")
        }
    }

    @Test("lease over: exactly from its end on")
    func leaseOver() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .microseconds(9_999_999))
            #expect(try await reasons(in: f) == [.running(worker: "host:1:a", until: claim.expires, renewals: 0)])
            f.clock.advance(by: .microseconds(1))
            #expect(try await reasons(in: f) == [.leaseOver(worker: "host:1:a", since: claim.expires)])
            #expect("\(try await reasons(in: f)[0])".contains("its lock by host:1:a ran out at"))
        }
    }

    @Test("asked to stop: when and why, beside who runs it")
    func asked() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(1))
            _ = try await f.tracker.cancel(["a"], reason: "not needed")
            let reason = Explanation.Reason.asked(toStopAt: f.clock.now, reason: "not needed")
            let running = Explanation.Reason.running(worker: "host:1:a", until: claim.expires, renewals: 0)
            #expect(try await reasons(in: f) == [running, reason])
            #expect("\(reason)" == "was asked to stop at \(f.clock.now): not needed")
        }
    }
}

/// The reasons of tasks that are paused or ended.
extension ExplainTests {
    @Test("paused: since when, by an operator or by its holder, whose lock may be over")
    func paused() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .parked)
            let since = f.clock.now
            f.clock.advance(by: .seconds(1))
            #expect(try await reasons(in: f) == [.paused(since: since, worker: nil)])
            #expect("\(try await reasons(in: f)[0])" == "paused since \(since) by an operator")
            try await f.bring("b", to: .held)
            let (now, until) = (f.clock.now, f.moment(.seconds(10)))
            let paused = Explanation.Reason.paused(since: now, worker: "host:1:a")
            let running = Explanation.Reason.running(worker: "host:1:a", until: until, renewals: 0)
            #expect(try await reasons("b", in: f) == [paused, running])
            #expect("\(paused)" == "paused since \(now) by its holder host:1:a")
            f.clock.advance(by: .seconds(10))
            #expect(try await reasons("b", in: f) == [paused, .leaseOver(worker: "host:1:a", since: until)])
        }
    }

    @Test("succeeded, and ignored: when")
    func succeededAndIgnored() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .succeeded)
            try await f.bring("b", to: .ignored)
            let ended = f.clock.now
            f.clock.advance(by: .seconds(1))
            #expect(try await reasons(in: f) == [.succeeded(at: ended)])
            #expect("\(try await reasons(in: f)[0])" == "succeeded at \(ended)")
            #expect(try await reasons("b", in: f) == [.ignored(at: ended)])
            #expect("\(try await reasons("b", in: f)[0])" == "set aside at \(ended)")
        }
    }

    @Test("exhausted: when, after how many attempts, and the last error")
    func exhausted() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .exhausted)
            let reason = Explanation.Reason.exhausted(at: f.clock.now, attempts: 1, error: failure)
            #expect(try await reasons(in: f) == [reason])
            #expect("\(reason)" == "exhausted at \(f.clock.now) after 1 attempts: exit: code 1")
        }
    }

    @Test("cancelled: when and why")
    func cancelled() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            _ = try await f.tracker.cancel(["a"], reason: "not needed")
            #expect(try await reasons(in: f) == [.cancelled(at: f.clock.now, reason: "not needed")])
            #expect("\(try await reasons(in: f)[0])" == "cancelled at \(f.clock.now): not needed")
            try await f.bring("b", to: .cancelled)
            #expect(try await reasons("b", in: f) == [.cancelled(at: f.clock.now, reason: "")])
        }
    }
}
