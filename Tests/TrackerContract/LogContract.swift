import BelayTestKit
import Testing

@testable import Belay

/// The logs of tasks, on every backend.
@Suite("logs")
struct LogContract {
    @Test("a log tells a task's whole life", arguments: TestedBackend.spread)
    func life(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let options = EnqueueOptions(id: "a")
            try await tracker.enqueue([NewTask(mail, options: options)], message: "by the importer")
            func next() { clock.advance(by: .milliseconds(1)) }
            next()
            _ = try await tracker.pause(["a"], message: "not today")
            next()
            _ = try await tracker.resume(["a"])
            next()
            var claim = try await tracker.take("a")
            next()
            #expect(try await tracker.log(claim.handle, "page 1\npage 2") == .accepted)
            next()
            try await tracker.fail(claim.handle, TaskFailure(type: "io", message: "disk full"), .exhaust)
            next()
            _ = try await tracker.retry(["a"], message: "disk is free")
            next()
            claim = try await tracker.take("a")
            next()
            _ = try await tracker.pause(claim.handle)
            next()
            _ = try await tracker.cancel(["a"], reason: "enough")
            next()
            try await tracker.complete(claim.handle)
            next()
            #expect(try await tracker.note("a", "checked") == .accepted)
            let log = try #require(try await tracker.log(of: "a"))
            #expect(
                log.map(\.event) == [
                    "enqueued", "paused", "resumed", "claimed", "message", "failed", "requeued", "claimed", "paused",
                    "cancel-requested", "succeeded", "message",
                ]
            )
            #expect(
                log.map(\.state) == [
                    .ready, .paused, nil, .running, nil, .exhausted, .ready, .running, .paused, nil, .succeeded, nil,
                ]
            )
            #expect(
                log.map(\.message) == [
                    "by the importer", "not today", "", "", "page 1\npage 2", "io: disk full", "disk is free", "", "",
                    "enough", "", "checked",
                ]
            )
            #expect(log.map(\.time) == log.map(\.time).sorted())
            #expect(Set(log.map(\.actor)) == [tracker.actor])
        }
    }

    @Test("a task that nobody spoke of has a log, too", arguments: TestedBackend.spread)
    func quiet(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            _ = try await tracker.take("a")
            clock.advance(by: .seconds(10))
            _ = try await tracker.reap()
            let log = try #require(try await tracker.log(of: "a"))
            #expect(log.map(\.event) == ["enqueued", "claimed", "crashed"])
            #expect(log.map(\.state) == [.ready, .running, .ready])
            #expect(log[0].actor == "-")
            #expect(try await tracker.log(of: "none") == nil)
        }
    }

    @Test("what changed nothing is not told", arguments: TestedBackend.spread)
    func unchanged(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            _ = try await tracker.resume(["a"])
            _ = try await tracker.retry(["a"])
            _ = try await tracker.pause(["a"])
            for _ in 1...2 { _ = try await tracker.pause(["a"]) }
            for _ in 1...2 { _ = try await tracker.cancel(["a"]) }
            #expect(try await tracker.log(of: "a")?.map(\.event) == ["enqueued", "paused", "cancelled"])
        }
    }

    @Test("a repeated request adds its line once", arguments: TestedBackend.spread)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let line = Log(id: "a", actor: "anna", nonce: "n", message: "once")
            for _ in 1...2 {
                #expect(try await tracker.perform(line) == .accepted)
                clock.advance(by: .seconds(1))
                #expect(try await tracker.note("a", "between") == .accepted)
            }
            #expect(try await tracker.log(of: "a")?.map(\.message) == ["", "once", "between", "between"])
        }
    }

    @Test("the last hundred lines are kept", arguments: TestedBackend.spread)
    func limit(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            for number in 1...103 {
                clock.advance(by: .microseconds(1))
                #expect(try await tracker.note("a", "line \(number)") == .accepted)
            }
            let log = try #require(try await tracker.log(of: "a"))
            #expect(log.count == 101)
            #expect((log[0].event, log[1].message, log[100].message) == ("enqueued", "line 4", "line 103"))
        }
    }

    @Test("only the holder writes as the holder, and messages are clean", arguments: TestedBackend.spread)
    func refused(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            try await tracker.release([claim.handle])
            #expect(try await tracker.log(claim.handle, "late") == .stale)
            #expect(try await tracker.note("none", "lost") == .gone)
            let long = String(repeating: "x", count: Limits.messageBytes)
            #expect(try await tracker.note("a", long) == .accepted)
            #expect(await code { _ = try await tracker.note("a", long + "x") } == .invalidArgument)
            #expect(await code { _ = try await tracker.log(claim.handle, "\u{1b}[31m") } == .invalidArgument)
            #expect(await code { _ = try await tracker.retry(["a"], message: "\r") } == .invalidArgument)
        }
    }
}
