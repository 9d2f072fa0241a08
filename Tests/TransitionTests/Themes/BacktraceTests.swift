import RedisWire
import Testing

@testable import Belay

/// Backtraces of failed attempts: equal ones of a task are stored once.
@Suite("A backtrace")
struct BacktraceTests {
    /// Claims the task and fails it with a backtrace.
    static func fail(_ id: TaskID, _ backtrace: [String], in f: TrackerFixture) async throws {
        let claim = try await f.claim(id, token: "\(f.now)")
        try await f.twice(FailTests.verb([claim.handle], .retry(after: .zero), backtrace: backtrace))
        f.clock.advance(by: .milliseconds(1))
    }

    static let policy = KindPolicy(attempts: 1000, retry: .fixed(.zero))

    @Test("is stored once for all attempts that ended with it, and told with each")
    func once() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue("a")
            for trace in [["x", "y"], ["x", "y"], [], ["z"], ["x", "y"]] { try await Self.fail("a", trace, in: f) }
            let traces = try #require(try await f.dump().hash("e:a"))
            #expect(traces.values.sorted() == ["x\ny", "z"])
            let attempts = try #require(try await f.tracker.attempts(of: "a"))
            #expect(attempts.map(\.failure?.backtrace) == [["x", "y"], ["x", "y"], [], ["z"], ["x", "y"]])
            #expect(try await f.record("a").lastFailure == attempts.last)
        }
    }

    @Test("costs nothing where there is none")
    func none() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue("a")
            for _ in 1...3 { try await Self.fail("a", [], in: f) }
            #expect(try await f.dump().keys["e:a"] == nil)
            #expect(try await f.dump().list("a:a").allSatisfy { $0.contains(" -\n") })
        }
    }

    @Test("goes with the last attempt that has it, and stays as long as one is left")
    func dropped() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue("a")
            try await Self.fail("a", ["old"], in: f)
            try await Self.fail("a", ["both"], in: f)
            for _ in 1...17 { try await Self.fail("a", [], in: f) }
            try await Self.fail("a", ["both"], in: f)
            #expect(try await f.dump().hash("e:a")?.values.sorted() == ["both", "old"])
            try await Self.fail("a", [], in: f)
            #expect(try await f.dump().hash("e:a")?.values.sorted() == ["both"])
            for _ in 1...18 { try await Self.fail("a", [], in: f) }
            #expect(try await f.dump().hash("e:a")?.values.sorted() == ["both"])
            Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
            try await Self.fail("a", [], in: f)
            #expect(try await f.dump().keys["e:a"] == nil)
            #expect(try await f.tracker.attempts(of: "a")?.count == 20)
        }
    }

    @Test("is each task's own")
    func tasks() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue(count: 2)
            for id in ["t1", "t2"] as [TaskID] { try await Self.fail(id, ["same"], in: f) }
            #expect(try await f.tracker.delete(["t1"]) == [.deleted])
            #expect(try await f.tracker.attempts(of: "t2")?.first?.failure?.backtrace == ["same"])
        }
    }

    @Test("keeps its lines, whatever is in them; a line feed becomes a space")
    func lines() async throws {
        try await TrackerFixture.run(policy: Self.policy) { f async throws in
            try await f.enqueue("a")
            try await Self.fail("a", ["", "“é” 🧗 \\ \" \0 \r", "a\nb", "", ""], in: f)
            let kept = try await f.record("a").lastFailure?.failure?.backtrace
            #expect(kept == ["", "“é” 🧗 \\ \" \0 \r", "a b", "", ""])
        }
    }

    @Test(
        "and its error have 16 KiB together; one byte more is refused for the whole batch",
        arguments: [0, 1, 8192, 16_383, 16_384]
    )
    func limit(backtrace: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b")]
            for (more, isTaken) in [(1, false), (0, true)] {
                var call = ScriptCall(f.keyspace)
                call.keys(claims.map(\.id))
                for (place, claim) in claims.enumerated() {
                    call.append(claim.handle)
                    call.append("r")
                    call.append("")
                    let error = place == 0 ? 0 : 16_384 - backtrace + more
                    call.append(bytes: Array(repeating: 0x78, count: error))
                    call.append(bytes: Array(repeating: 0x79, count: backtrace))
                }
                call.append(f.now)
                let request = RawRequest(script: Fail.script, keyCount: call.keyCount, arguments: call.arguments)
                let before = try await f.dump()
                let words = try #require(try await f.send(request).elements)
                #expect(words[0].string == (isTaken ? "OK" : "TOO_LARGE"))
                if !isTaken {
                    #expect(words[2].int == 2)
                    #expect(words[3].int == 16_384)
                    #expect(try await f.dump().changes(since: before) == [])
                }
            }
            let failure = try await f.record("b").lastFailure?.failure
            #expect(failure?.message.utf8.count ?? 0 == 16_384 - backtrace)
        }
    }
}
