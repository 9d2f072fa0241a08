import Testing

@testable import Belay

@Suite("logs")
struct LogsTests {
    static func log(of id: TaskID, in f: TrackerFixture) async throws -> [LogLine] {
        try #require(try await f.twice(Logs(id: id)))
    }

    @Test("answers nothing for a task that is gone, and one line for a task that just waits")
    func none() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(9))
            #expect(try await f.twice(Logs(id: "nobody")) == nil)
            let line = LogLine(time: f.clock.now, event: "enqueued", state: .ready, actor: "-")
            f.clock.advance(by: .seconds(1))
            #expect(try await Self.log(of: "a", in: f) == [line])
        }
    }

    @Test("tells the whole life of a task in the order of time, by whom and into which state")
    func life() async throws {
        let policy = KindPolicy(attempts: 9, retry: .fixed(.zero))
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(id: "a"))], message: "born")
            var token = 0
            func claim(_ options: AcquireOptions = []) async throws -> ClaimHandle {
                f.clock.advance(by: .seconds(1))
                token += 1
                return try await f.claim("a", token: "\(token)", options: options).handle
            }
            try await f.tracker.fail(try await claim(), failure)
            try await f.tracker.release([try await claim()])
            try await f.tracker.snooze(try await claim(), for: .zero)
            _ = try await f.tracker.pause(["a"], message: "wait")
            _ = try await f.tracker.resume(["a"])
            var handle = try await claim()
            f.clock.advance(by: .seconds(60))
            _ = try await f.tracker.reap()
            handle = try await claim()
            handle = try await claim(.ignoreLock)
            _ = try await f.tracker.log(handle, "half way")
            _ = try await f.tracker.pause(handle)
            _ = try await f.tracker.note("a", "who paused this?")
            _ = try await f.tracker.cancel(["a"], reason: "no")
            _ = try await f.tracker.resume(handle)
            try await f.tracker.fail(handle, failure, .cancelled)
            _ = try await f.tracker.ignore(["a"], message: "aside")
            _ = try await f.tracker.retry(["a"], message: "after all")
            try await f.tracker.complete(try await claim())

            let lines = try await Self.log(of: "a", in: f)
            #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.time <= $1.time })
            let told = lines.map { "\($0.event) \($0.state?.rawValue ?? "-") \($0.actor) \($0.message)" }
            let worker = "host:1:a"
            let expected = [
                "enqueued ready op born",
                "claimed running \(worker) ", "failed ready \(worker) exit: code 1",
                "claimed running \(worker) ", "released ready \(worker) ",
                "claimed running \(worker) ", "snoozed ready \(worker) ", "paused paused op wait", "resumed - op ",
                "claimed running \(worker) ", "crashed ready \(worker) ",
                "claimed running \(worker) ", "superseded ready \(worker) ",
                "claimed running \(worker) ", "message - \(worker) half way", "paused paused \(worker) ",
                "message - op who paused this?", "cancel-requested - op no", "resumed - \(worker) ",
                "cancelled cancelled \(worker) exit: code 1", "ignored ignored op aside", "requeued ready op after all",
                "claimed running \(worker) ", "succeeded succeeded \(worker) ",
            ]
            #expect(Set(told) == Set(expected))
            #expect(told.count == expected.count)
            // Lines of one moment stand attempts first.
            #expect(told.first == expected.first)
            #expect(told.suffix(2) == expected.suffix(2))
        }
    }

    @Test("tells how a spent task ended, also where its kind sets such tasks aside", arguments: [false, true])
    func spent(isIgnored: Bool) async throws {
        let policy = KindPolicy(attempts: 1, whenExhausted: isIgnored ? .ignored : .exhausted)
        try await TrackerFixture.run(policy: policy) { f async throws in
            let (a, _) = (try await f.running("a"), try await f.running("b"))
            try await f.tracker.fail(a.handle, failure)
            f.clock.advance(by: .seconds(60))
            _ = try await f.tracker.reap()
            let state: TaskState = isIgnored ? .ignored : .exhausted
            #expect(try await Self.log(of: "a", in: f).last?.state == state)
            #expect(try await Self.log(of: "b", in: f).last?.state == state)
            #expect(try await Self.log(of: "a", in: f).map(\.event) == ["enqueued", "claimed", "failed"])
            #expect(try await Self.log(of: "b", in: f).map(\.event) == ["enqueued", "claimed", "crashed"])
        }
    }

    @Test("keeps what it tells of a success after the task began anew")
    func anew() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(1))
            try await f.tracker.complete(claim.handle)
            let ended = f.clock.now
            f.clock.advance(by: .seconds(1))
            _ = try await f.claim("a", token: "2", options: .restart)
            let lines = try await Self.log(of: "a", in: f)
            #expect(lines.map(\.event) == ["enqueued", "claimed", "succeeded", "claimed"])
            #expect(lines[2].time == ended)
            #expect(lines[2].state == .succeeded)
        }
    }

    @Test("tells no more than the last 100 lines and 20 attempts, and the first of all again from the record")
    func limits() async throws {
        let policy = KindPolicy(attempts: 100, retry: .fixed(.zero))
        try await TrackerFixture.run(policy: policy) { f async throws in
            try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(id: "a"))], message: "born")
            #expect(try await FailTests.delays(22, of: "a", in: f).count == 22)
            for line in 1...100 { try await f.send(LogTests.note("a", "\(line)", nonce: "\(line)")) }
            let lines = try await Self.log(of: "a", in: f)
            #expect(lines.count == 1 + 2 * 20 + 100)
            #expect(lines.first == LogLine(time: lines[0].time, event: "enqueued", state: .ready, actor: "-"))
            #expect(lines.filter { $0.event == "message" }.map(\.message) == (1...100).map { "\($0)" })
            #expect(lines.filter { $0.event == "failed" }.count == 20)
        }
    }
}
