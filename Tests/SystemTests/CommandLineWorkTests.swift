import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `belay work`, `reap`: any program as a worker.
@Suite(.serialized) struct CommandLineWorkTests {
    /// A kind `k` with short delays, and a task of it.
    private func tool(attempts: String = "2", task id: String = "t", payload: String = "") async throws
        -> CommandLineTool
    {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--attempts", attempts, "--base", "20ms", "--lease", "2s")
        try await belay("enqueue", "--kind", "k", "--id", id, "--payload", payload)
        return belay
    }

    @Test func givesTheProgramItsTask() async throws {
        let belay = try await tool(payload: "the payload")
        let script = """
            cat; printf '|%s' "$BELAY_TASK_ID" "$BELAY_KIND" "$BELAY_ATTEMPT" "$BELAY_NAMESPACE" "$BELAY_PAYLOAD" "$PWD"
            [ ${#BELAY_TOKEN} = 32 ] && [ "$BELAY_FENCE" -gt 0 ] && [ -n "$REDIS_URL" ]
            """
        try await withTemporaryFolder { folder in
            let worked = try await belay("work", "--kind", "k", "--once", "--cwd", folder, "--exec", script)
            #expect(worked.exitCode == 0)
            #expect(worked.out == "t  succeeded\n")
            let task = try await belay("get", "t", "--json").object()
            let namespace = belay.variables["BELAY_NAMESPACE"] ?? ""
            #expect(task["result", "contentType"] == "text/plain")
            #expect(task["result", "text"] == "the payload|t|k|1|\(namespace)|the payload|\(folder)")
        }
    }

    @Test func keepsResultsByType() async throws {
        let belay = try await tool()
        #expect(try await belay("work", "--kind", "k", "--once", "--", "printf", #"{"a": 1}"#).exitCode == 0)
        #expect(try await belay("get", "t", "--json").object()["result", "contentType"] == "application/json")
        try await belay("enqueue", "--kind", "k", "--id", "binary")
        try await belay("work", "--kind", "k", "--once", "--", "printf", #"\377\000"#)
        #expect(try await belay("get", "binary", "--json").object()["result", "base64"] == "/wA=")
        try await belay("enqueue", "--kind", "k", "--id", "long")
        let long = try await belay("work", "--kind", "k", "--once", "--exec", "head -c 3000000 /dev/zero | tr '\\0' x")
        #expect(long.error.contains("was cut"))
        #expect(try await belay("get", "long", "--json").object()["result", "text"]?.count == 1 << 20)
    }

    @Test func survivesAProgramThatReadsNothing() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--id", "big", "-", input: String(repeating: "x", count: 1 << 20))
        #expect(try await belay("work", "--kind", "k", "--drain", "--", "true").exitCode == 0)
        #expect(try await belay("get", "big", "--json").object()["state"] == "succeeded")
    }

    @Test func keepsTheEvidenceOfAFailure() async throws {
        let belay = try await tool()
        let script = "echo oops >&2; head -c 20000 /dev/zero | tr '\\0' y >&2; echo >&2; echo last words >&2; exit 3"
        let failed = try await belay("work", "--kind", "k", "--once", "--exec", script)
        #expect(failed.exitCode == 1)
        #expect(failed.error.contains("exit code 3"))
        let first = try #require(try await belay("attempts", "t", "--json").objects().first)
        #expect(first["outcome"] == "failed")
        #expect(first["failure", "type"] == "exit")
        #expect(first["failure", "message"] == "exit code 3")
        #expect(first["nextRun"] != nil)
        let text = try await belay("attempts", "t", "--full").out
        #expect(text.contains("last words"))
        #expect(!text.contains("oops"))
    }

    @Test func triesAgainUntilNoAttemptIsLeft() async throws {
        let belay = try await tool(attempts: "3")
        for code: Int32 in [1, 1, 1] {
            try await Task.sleep(for: .milliseconds(150))
            #expect(try await belay("work", "--kind", "k", "--once", "--exec", "exit 9").exitCode == code)
        }
        let task = try await belay("get", "t", "--json").object()
        #expect(task["state"] == "exhausted")
        #expect(task["attempts"] == "3")
        #expect(task["lastFailure", "failure", "message"] == "exit code 9")
    }

    @Test func endsPermanentFailuresAtOnce() async throws {
        let belay = try await tool()
        try await belay("work", "--kind", "k", "--once", "--permanent-exit", "9", "--exec", "exit 9")
        #expect(try await belay("get", "t", "--json").object()["state"] == "exhausted")
    }

    @Test func tellsSignalsAndMissingPrograms() async throws {
        let belay = try await tool(attempts: "3")
        try await belay("work", "--kind", "k", "--once", "--exec", "kill -9 $$")
        try await Task.sleep(for: .milliseconds(100))
        try await belay("work", "--kind", "k", "--once", "--", "no-such-program-anywhere")
        let attempts = try await belay("attempts", "t", "--json").objects()
        #expect(attempts.compactMap { $0["failure", "message"] } == ["signal 9", "exit code 127"])
    }

    @Test func endsTheWholeGroupAtTheTimeOut() async throws {
        let belay = try await tool()
        try await withTemporaryFolder { folder in
            let script = "trap '' TERM; sleep 60 & echo $! > \(folder)/grandchild; sleep 60; sleep 60"
            let began = ContinuousClock.now
            let late = try await belay(
                "work",
                "--kind",
                "k",
                "--once",
                "--timeout",
                "300ms",
                "--kill-after",
                "200ms",
                "--exec",
                script
            )
            #expect(late.exitCode == 1)
            #expect(began.duration(to: .now) < .seconds(5))
            let attempt = try #require(try await belay("attempts", "t", "--json").objects().first)
            #expect(attempt["failure", "type"] == "timeout")
            #expect(attempt["failure", "message"] == "ran longer than 300ms")
            let grandchild = try String(contentsOfFile: folder + "/grandchild", encoding: .utf8)
            let process = try #require(pid_t(grandchild.trimmingCharacters(in: .whitespacesAndNewlines)))
            try await eventually { kill(process, 0) != 0 || isZombie(process) }
        }
    }

    @Test func endsTheProgramOfACancelledTask() async throws {
        let belay = try await tool()
        let began = ContinuousClock.now
        let (output, _) = try await belay.run(["work", "--kind", "k", "--once", "--", "sleep", "60"]) { _ in
            try await belay.waitForState("running", of: "t")
            #expect(try await belay("cancel", "t", "--json").object()["outcome"] == "requested")
        }
        #expect(output.exitCode == 1)
        #expect(began.duration(to: .now) < .seconds(20))
        #expect(try await belay("get", "t", "--json").object()["state"] == "cancelled")
        #expect(try await belay("attempts", "t", "--json").objects().last?["failure", "type"] == "cancelled")
    }

    @Test func handsBackAtSIGTERM() async throws {
        let belay = try await tool()
        let (output, _) = try await belay.run(["work", "--kind", "k", "--grace", "0", "--", "sleep", "60"]) { process in
            try await belay.waitForState("running", of: "t")
            kill(process, SIGTERM)
        }
        #expect(output.exitCode == 0)
        let task = try await belay("get", "t", "--json").object()
        #expect(task["state"] == "ready")
        #expect(task["attempts"] == "0")
        #expect(try await belay("attempts", "t", "--json").objects().last?["outcome"] == "released")
    }

    @Test func letsProgramsEndWithinTheGrace() async throws {
        let belay = try await tool()
        let (output, _) = try await belay.run(["work", "--kind", "k", "--grace", "20s", "--exec", "sleep 1; echo ok"]) {
            process in
            try await belay.waitForState("running", of: "t")
            kill(process, SIGINT)
        }
        #expect(output.exitCode == 0)
        #expect(try await belay("get", "t", "--json").object()["state"] == "succeeded")
    }

    @Test func aSecondSignalEndsItAtOnce() async throws {
        let belay = try await tool()
        let began = ContinuousClock.now
        let (output, _) = try await belay.run(["work", "--kind", "k", "--exec", "trap '' TERM INT; sleep 60; sleep 60"])
        { process in
            try await belay.waitForState("running", of: "t")
            kill(process, SIGTERM)
            try await Task.sleep(for: .milliseconds(300))
            kill(process, SIGTERM)
        }
        #expect(output.exitCode == 143)
        #expect(began.duration(to: .now) < .seconds(20))
        #expect(try await belay("get", "t", "--json").object()["state"] == "ready")
    }

    @Test func drainsWithManySlots() async throws {
        let belay = try await CommandLineTool.shared()
        let numbers = (1...40).map { "\($0)" }.joined(separator: "\n")
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--lines", input: numbers)
        let drained = try await belay("work", "--kind", "k", "--slots", "8", "--drain", "--", "cat")
        #expect(drained.exitCode == 0)
        let stats = try await belay("stats", "--json").out
        #expect(stats.contains(#""succeeded":40"#), "\(stats)")
    }

    @Test func definesUnknownKindsWithItsPolicy() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("work", "--kind", "new", "--attempts", "7", "--delays", "1s,2s", "--drain", "--exec", "true")
        let kind = try await belay("kinds", "--json").object()
        #expect(kind["name"] == "new")
        #expect(kind["attempts"] == "7")
        #expect(kind["retry", "backoff"] == "list")
    }

    @Test func aDeadWorkersProgramDiesWithItAndItsTaskComesBack() async throws {
        let belay = try await tool()
        try await withTemporaryFolder { folder in
            let script = "echo $$ > \(folder)/program; exec sleep 60"
            let (output, _) = try await belay.run(["work", "--kind", "k", "--exec", script]) { process in
                try await eventually { FileManager.default.fileExists(atPath: folder + "/program") }
                kill(process, SIGKILL)
            }
            #expect(output.exitCode == 137)
            #if os(Linux)
                let text = try String(contentsOfFile: folder + "/program", encoding: .utf8)
                let program = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
                try await eventually { kill(program, 0) != 0 || isZombie(program) }
            #endif
        }
        let reaped = try await belay.run(["reap", "--interval", "50ms"]) { process in
            try await belay.waitForState("ready", of: "t")
            kill(process, SIGTERM)
        }
        #expect(reaped.output.exitCode == 0)
        #expect(reaped.output.error.contains("reaping"))
        let task = try await belay("get", "t", "--json").object()
        #expect(task["crashes"] == "1")
        #expect(try await belay("attempts", "t", "--json").objects().first?["outcome"] == "crashed")
    }

    @Test func stopsAtTheTimeOutOfTheKind() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay(
            "kinds",
            "define",
            "k",
            "--timeout",
            "700ms",
            "--lease",
            "300ms",
            "--base",
            "1h",
            "--attempts",
            "2"
        )
        try await belay("enqueue", "--kind", "k", "--id", "t")
        try await withTemporaryFolder { folder in
            let script = "echo $$ > \(folder)/program; exec sleep 60"
            let (output, _) = try await belay.run(["work", "--kind", "k", "--exec", script]) { process in
                try await eventually { FileManager.default.fileExists(atPath: folder + "/program") }
                let began = ContinuousClock.now
                _ = try await belay.run(["reap", "--interval", "50ms"]) { reaper in
                    try await belay.waitForState("ready", of: "t")
                    kill(reaper, SIGTERM)
                }
                #expect(began.duration(to: .now) < .seconds(5))
                #if os(Linux)
                    let text = try String(contentsOfFile: folder + "/program", encoding: .utf8)
                    let program = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
                    try await eventually { kill(program, 0) != 0 || isZombie(program) }
                #endif
                kill(process, SIGTERM)
            }
            #expect(output.exitCode == 0)
        }
        let attempt = try #require(try await belay("attempts", "t", "--json").objects().first)
        #expect(attempt["outcome"] == "timedOut")
        #expect(try await belay("get", "t", "--json").object()["crashes"] == "1")
        #expect(try await belay("log", "t").out.contains("timedOut"))
    }

    @Test func sharesTasksWithASecondReaper() async throws {
        let belay = try await tool(attempts: "9")
        try await belay("enqueue", "--kind", "k", "--lines", input: (1...30).map(String.init).joined(separator: "\n"))
        #expect(try await belay("claim", "k", "--limit", "31", "--lease", "200ms").lines.count == 31)
        _ = try await belay.run(["reap", "--interval", "20ms"]) { first in
            _ = try await belay.run(["reap", "--interval", "20ms"]) { second in
                try await eventually { try await belay("ls", "--state", "running", "--json").lines.isEmpty }
                kill(second, SIGTERM)
            }
            kill(first, SIGTERM)
        }
        let tasks = try await belay("ls", "--state", "ready", "--json").objects().filter { $0["id"] != nil }
        #expect(tasks.count == 31)
        #expect(tasks.allSatisfy { $0["crashes"] == "1" && $0["attempts"] == "1" })
    }

    @Test func reapsOnce() async throws {
        let belay = try await CommandLineTool.shared()
        let swept = try await belay("reap", "--once")
        #expect(swept.exitCode == 0)
        #expect(swept.out == "0 taken back, 0 deleted\n")
    }

    @Test func purgesWhatWasKeptLongEnough() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--keep-succeeded", "1ms")
        try await belay("enqueue", "--kind", "k", "--id", "t")
        try await belay("work", "--kind", "k", "--once", "--", "true")
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await belay("purge", "--json").object()["outcome"] == "purged")
        #expect(try await belay("get", "t").exitCode == 66)
    }
}

/// Whether a process has ended and only waits to be collected.
func isZombie(_ process: pid_t) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
    return stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
}
