import Foundation
import Testing

/// The sub-commands with which a script holds a lock by hand.
@Suite struct CommandLineHolderTests {
    /// A kind `k`, a task `t` of it, and its claim.
    private func claimed(_ options: String...) async throws -> (CommandLineTool, [String]) {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--base", "10ms")
        try await belay("enqueue", "--kind", "k", "--id", "t", "--payload", "the payload")
        let claim = try await belay.run(["claim", "k"] + options) { _ in }.output.object()
        return (belay, try lock(claim))
    }

    private func lock(_ claim: CommandLineTool.JSONObject) throws -> [String] {
        ["t", "--token", try #require(claim["token"]), "--fence", try #require(claim["fence"])]
    }

    @Test func worksATaskStepByStep() async throws {
        let (belay, lock) = try await claimed("--lease", "1m", "--worker", "script:1", "--token", "tok")
        let held = try await belay("get", "t", "--json").object()
        #expect(held["worker"] == "script:1")
        #expect(lock[2] == "tok")
        func call(_ words: String...) async throws -> CommandLineTool.Output {
            try await belay.run([words[0]] + lock + words.dropFirst()) { _ in }.output
        }
        #expect(try await call("renew", "--lease", "10m").out == "t  renewed\n")
        #expect(try await call("progress", "--fraction", "0.25", "--message", "a quarter").exitCode == 0)
        #expect(try await call("save", "--text", #"{"page":4}"#).exitCode == 0)
        #expect(try await call("respond", "--text", "<a/>", "--content-type", "text/xml").exitCode == 0)
        #expect(try await call("log", "--add", "half of it").exitCode == 0)
        let task = try await belay("get", "t", "--json").object()
        #expect(task["progress"] == "0.25")
        #expect(task["data", "text"] == #"{"page":4}"#)
        #expect(task["result", "contentType"] == "text/xml")
        #expect(task["leaseExpires"] ?? "" > held["leaseExpires"] ?? "")

        #expect(try await call("pause", "--message", "lunch").out == "t  paused\n")
        let paused = try await belay("get", "t", "--json").object()
        #expect(paused["state"] == "paused")
        #expect(paused["leaseExpires"] != nil)
        #expect(try await call("renew").exitCode == 0)
        #expect(try await call("resume").out == "t  running\n")
        #expect(try await call("complete").out == "t  succeeded\n")
        // A lost answer: the same again says the same.
        #expect(try await call("complete").out == "t  succeeded\n")
        let done = try await belay("get", "t").out
        #expect(done.contains("result        <a/>  (text/xml)"))
        let log = try await belay("log", "t", "--json").objects()
        #expect(log.map { $0["event"] } == ["enqueued", "claimed", "message", "paused", "resumed", "succeeded"])
        #expect(log[2]["message"] == "half of it")
    }

    @Test func takesBytesFromStdinUpToTheLimit() async throws {
        let (belay, lock) = try await claimed()
        let whole = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        #expect(try await belay.run(["save"] + lock + ["--file", "-"], input: whole) { _ in }.output.exitCode == 0)
        let large = try await belay.run(["save"] + lock + ["--file", "-"], input: whole + [0]) { _ in }.output
        #expect(large.exitCode == 65)
        #expect(large.error.contains("allowed: 1048576"))
        #expect(try await belay("get", "t", "--raw", "data").out.utf8.count == 1 << 20)
        #expect(try await belay.run(["save"] + lock) { _ in }.output.exitCode == 0)
        #expect(try await belay("get", "t", "--raw", "data").exitCode == 66)
    }

    @Test func handsBackAndFails() async throws {
        var (belay, lock) = try await claimed()
        func again(_ words: String...) async throws -> CommandLineTool.Output {
            let output = try await belay.run([words[0]] + lock + words.dropFirst()) { _ in }.output
            lock = try self.lock(try await belay("claim", "--id", "t", "--ignore-due").object())
            return output
        }
        #expect(try await again("release").out.hasPrefix("t  ready, due at "))
        #expect(try await again("release", "--delay", "1h").exitCode == 0)
        #expect(try await again("snooze", "--for", "1h", "--json").object()["at"] != nil)
        #expect(try await belay("get", "t", "--json").object()["attempts"] == "1")
        try await withTemporaryFolder { folder in
            try Data("first\nsecond\n".utf8).write(to: URL(filePath: folder + "/trace"))
            let failed = try await belay.run(
                ["fail"] + lock + ["--message", "busy", "--type", "http", "--backtrace", folder + "/trace"]
            ) { _ in }.output
            #expect(failed.exitCode == 0)
        }
        let attempt = try #require(try await belay("attempts", "t", "--json").objects().last)
        #expect(attempt["failure", "type"] == "http")
        #expect(attempt["failure", "message"] == "busy")
        #expect(attempt.value.description.contains("second"))
        lock = try self.lock(try await belay("claim", "--id", "t", "--ignore-due").object())
        #expect(
            try await belay.run(["fail"] + lock + ["--message", "no", "--permanent"]) { _ in }.output.out
                == "t  exhausted\n"
        )
        let ended = try await belay("claim", "--id", "t")
        #expect(ended.exitCode == 1)
        #expect(ended.error.contains("--force goes on"))
    }

    @Test func refusesAHolderWhoseLockIsLost() async throws {
        let (belay, lock) = try await claimed()
        let thief = try await belay("claim", "--id", "t", "--steal").object()
        let changes: [[String]] = [
            ["renew"], ["renew", "--lease", "1m"], ["progress", "--fraction", "1"], ["save", "--text", "x"],
            ["respond", "--text", "x"], ["log", "--add", "x"], ["pause"], ["resume"], ["complete", "--text", "x"],
            ["fail", "--message", "x"], ["release"], ["snooze", "--for", "1h"],
        ]
        for change in changes {
            let refused = try await belay.run([change[0]] + lock + change.dropFirst() + ["--json"]) { _ in }.output
            #expect(refused.exitCode == 75, "\(change)")
            #expect(try refused.object()["outcome"] == "stale", "\(change)")
            #expect(refused.error.contains("another holder has it"), "\(change)")
        }
        #expect(try await belay("get", "t", "--json").object()["fence"] == thief["fence"])
        #expect(try await belay.run(["complete"] + self.lock(thief)) { _ in }.output.exitCode == 0)
    }

    @Test func tellsAHolderToStop() async throws {
        let (belay, lock) = try await claimed()
        #expect(try await belay("cancel", "t").out == "t  requested\n")
        let renewed = try await belay.run(["renew"] + lock) { _ in }.output
        #expect(renewed.exitCode == 1)
        #expect(renewed.out == "t  cancelRequested\n")
        let stopped = try await belay.run(["fail"] + lock + ["--message", "stopped", "--cancelled"]) { _ in }.output
        #expect(stopped.out == "t  cancelled\n")
    }

    @Test func claimsTheSameAgainAfterALostAnswer() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--lines", input: "1\n2\n3\n")
        let claim = ["claim", "k", "--limit", "2", "--token", "once", "--worker", "w"]
        let first = try await belay.run(claim) { _ in }.output
        #expect(first.lines.count == 2)
        #expect(try await belay.run(claim) { _ in }.output.out == first.out)
        #expect(try await belay("claim", "k").lines.count == 1)
        #expect(try await belay("claim", "k").exitCode == 75)
    }

    @Test func reentersBeginsAnewAndIgnoresTheDueTime() async throws {
        let (belay, lock) = try await claimed("--token", "one")
        let second = try await belay("claim", "--id", "t", "--reenter", "one", "--token", "two").object()
        #expect(second["attempt"] == "2")
        #expect(Int(second["fence"] ?? "") ?? 0 > Int(lock[4]) ?? .max)
        #expect(try await belay("claim", "--id", "t", "--reenter", "one").exitCode == 75)
        #expect(try await belay.run(["complete"] + self.lock(second)) { _ in }.output.exitCode == 0)
        #expect(try await belay("claim", "--id", "t").error.contains("--restart begins anew"))
        #expect(try await belay("claim", "--id", "t", "--restart").object()["attempt"] == "1")
        try await belay("enqueue", "--kind", "k", "--identifier", "later", "--delay", "1h")
        let name = ["claim", "--kind", "k", "--identifier", "later"]
        let early = try await belay.run(name) { _ in }.output
        #expect(early.exitCode == 75)
        #expect(early.error.contains("give --ignore-due"))
        #expect(try await belay.run(name + ["--ignore-due"]) { _ in }.output.object()["id"] == "k#later")
    }

    @Test func givesAShellItsLock() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "it's", "--payload", "abc")
        let script = """
            eval "$(belay claim k --export)" || exit 9
            belay renew && belay progress --fraction 0.5 && belay pause && belay resume || exit 8
            belay get "$BELAY_TASK_ID" --raw payload | tr a-z A-Z | belay complete --file -
            belay complete other; echo $?
            """
        let slash = try #require(BelayBinary.path.lastIndex(of: "/"))
        let path = BelayBinary.path[..<slash] + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "")
        let shell = try await BelayBinary.run(
            "sh",
            ["-c", script],
            environment: belay.variables.merging(["PATH": path]) { _, new in new }
        )
        #expect(shell.exitCode == 0)
        #expect(shell.standardOutput.hasSuffix("it's  succeeded\n64\n"), "\(shell.standardError)")
        #expect(try await belay("get", "it's", "--json").object()["result", "text"] == "ABC")
    }

    @Test func letsAProgramSpeakForItsTask() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "t")
        let path = BelayBinary.path
        let script = """
            set -e
            \(path) progress --fraction 0.5 --message half >&2
            \(path) save --text 4 >&2; \(path) log --add 'page 4' >&2; \(path) pause >&2; \(path) resume >&2
            echo done
            """
        let worked = try await belay("work", "--kind", "k", "--once", "--exec", script)
        #expect(worked.exitCode == 0, "\(worked.error)")
        let task = try await belay("get", "t", "--json").object()
        #expect(task["data", "text"] == "4")
        #expect(task["result", "text"] == "done\n")
        #expect(try await belay("log", "t").out.contains("page 4"))
    }
}
