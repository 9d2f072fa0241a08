import Belay
import BelayTestKit
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How programs are asked to end, and are ended: by a cancellation from elsewhere, at the soft limit, and by a worker that
/// takes itself out of service.
@Suite("Ending programs", .serialized, .timeLimit(.minutes(3))) struct CommandLineStopTests {
    /// A kind `k` and a task `t` of it.
    private func tool(_ policy: String...) async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        _ = try await belay.run(["kinds", "define", "k", "--lease", "5s", "--attempts", "1"] + policy) { _ in }
        try await belay("enqueue", "--kind", "k", "--id", "t")
        return belay
    }

    private func tracker(_ belay: CommandLineTool) throws -> Tracker {
        try Tracker(
            url: try #require(belay.variables["REDIS_URL"]),
            namespace: try #require(belay.variables["BELAY_NAMESPACE"]),
            logger: .silent
        )
    }

    /// Between the request to cancel and the end of the attempt, both by the server's clock.
    private func timeToEnd(_ belay: CommandLineTool, _ id: String = "t") async throws -> Duration {
        let tracker = try tracker(belay)
        let record = try #require(try await tracker.get(try TaskID(id)))
        let attempt = try #require(try await tracker.attempts(of: record.id)?.last)
        await tracker.close()
        #expect(record.state == .cancelled)
        #expect(attempt.outcome == .cancelled)
        return try #require(attempt.ended) - #require(record.cancelRequested)
    }

    private static func waitForFile(_ path: String, holding text: String? = nil) async throws {
        try await eventually(within: .seconds(20)) {
            let found = try? String(contentsOfFile: path, encoding: .utf8)
            return text.map { found?.contains($0) ?? false } ?? (found != nil)
        }
    }

    // MARK: Cancellation

    @Test("A cancellation from another process ends a running program in less than a second")
    func cancelReachesPrograms() async throws {
        var best = Duration.seconds(60)
        // The best of three, because the machine may be busy with other tests.
        for _ in 0..<3 {
            let belay = try await tool()
            let (output, _) = try await belay.run(["work", "--kind", "k", "--once", "--", "sleep", "60"]) { _ in
                try await belay.waitForState("running", of: "t")
                #expect(try await belay("cancel", "t", "--reason", "wrong file").out == "t  requested\n")
            }
            #expect(output.exitCode == 1)
            best = min(best, try await timeToEnd(belay))
        }
        #expect(best < .seconds(1))
    }

    @Test("A program gets the signal that the cancellation names, and may tidy up; the record says cancelled")
    func namedSignal() async throws {
        let belay = try await tool()
        try await withTemporaryFolder { folder in
            let script = """
                trap 'echo tidy > \(folder)/end; exit 0' USR1
                trap 'echo terminated > \(folder)/end; exit 0' TERM
                touch \(folder)/begin
                while :; do sleep 0.05; done
                """
            let work = ["work", "--kind", "k", "--once", "--kill-after", "30s", "--exec", script]
            let (output, _) = try await belay.run(work) { _ in
                try await Self.waitForFile(folder + "/begin")
                try await belay("cancel", "t", "--signal", "usr1")
            }
            #expect(output.exitCode == 1)
            #expect(try String(contentsOfFile: folder + "/end", encoding: .utf8) == "tidy\n")
            _ = try await timeToEnd(belay)
            #expect(try await belay("get", "t", "--json").object()["result", "text"] == nil)
        }
    }

    @Test(
        "A program that ignores SIGTERM is killed after --kill-after; a second cancellation with KILL ends it at once"
    )
    func ignoresTheSignal() async throws {
        for isHurried in [false, true] {
            let belay = try await tool()
            try await withTemporaryFolder { folder in
                let script = """
                    trap 'echo ignored > \(folder)/ignored' TERM
                    touch \(folder)/begin
                    while :; do sleep 0.05; done
                    """
                let patience = isHurried ? "10m" : "400ms"
                let work = ["work", "--kind", "k", "--once", "--kill-after", patience, "--exec", script]
                let (output, _) = try await belay.run(work) { _ in
                    try await Self.waitForFile(folder + "/begin")
                    try await belay("cancel", "t")
                    if isHurried {
                        try await Self.waitForFile(folder + "/ignored")
                        try await belay("cancel", "t", "--signal", "9")
                    }
                }
                #expect(output.exitCode == 1)
                #expect(FileManager.default.fileExists(atPath: folder + "/ignored"))
                let time = try await timeToEnd(belay)
                #expect(isHurried || time >= .milliseconds(400))
            }
        }
    }

    @Test("The program of belay run is ended from elsewhere, too, with the named signal")
    func cancelReachesRun() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let script = "trap 'echo quit; exit 0' QUIT; touch \(folder)/begin; while :; do sleep 0.05; done"
            let (output, _) = try await belay.run(["run", "--id", "r", "--", "sh", "-c", script]) { _ in
                try await Self.waitForFile(folder + "/begin")
                try await belay("cancel", "r", "--signal", "QUIT")
            }
            #expect(output.exitCode == 1)
            #expect(output.out == "quit\n")
            _ = try await timeToEnd(belay, "r")
        }
    }

    @Test("A signal that is none is refused")
    func badSignals() async throws {
        let belay = try await tool()
        for signal in ["0", "65", "KILLED", "-9"] {
            try await belay.expectRefusal(["cancel", "t", "--signal=\(signal)"], 64, "a number from 1 to 64")
        }
        #expect(try await belay("get", "t", "--json").object()["state"] == "ready")
    }

    // MARK: Soft limit

    @Test("At the soft limit a program gets SIGTERM; when it ends well after it, its result counts")
    func softLimit() async throws {
        let belay = try await tool("--soft-timeout", "300ms", "--timeout", "60s")
        let script = "trap 'echo half; exit 0' TERM; while :; do sleep 0.05; done"
        // --kill-after is no matter here: it has the time until the time-out.
        let work = ["work", "--kind", "k", "--once", "--kill-after", "0", "--exec", script]
        let worked = try await belay.run(work) { _ in }.output
        #expect(worked.exitCode == 0, "\(worked.error)")
        let task = try await belay("get", "t", "--json").object()
        #expect(task["state"] == "succeeded")
        #expect(task["result", "text"] == "half\n")
    }

    @Test("When it ends badly after it, that is the reason; belay run exits with 124")
    func softLimitFailure() async throws {
        let belay = try await tool("--soft-timeout", "300ms", "--timeout", "60s")
        let failed = try await belay("work", "--kind", "k", "--once", "--", "sleep", "60")
        #expect(failed.exitCode == 1)
        let attempt = try #require(try await belay("attempts", "t", "--json").objects().first)
        #expect(attempt["outcome"] == "failed")
        #expect(attempt["failure", "type"] == "softTimeout")
        #expect(attempt["failure", "message"] == "signal 15 after the soft limit")
        let run = try await belay("run", "--id", "r", "--kind", "k", "--quiet", "--", "sh", "-c", "sleep 60; exit 3")
        #expect(run.exitCode == 124)
        let last = try await belay("get", "r", "--json").object()
        #expect(last["lastFailure", "failure", "type"] == "softTimeout")
    }

    @Test("A program that ignores the soft limit is killed at the time-out at the latest")
    func hardLimit() async throws {
        let belay = try await tool("--soft-timeout", "300ms", "--timeout", "2s")
        try await withTemporaryFolder { folder in
            let script = """
                trap 'echo asked > \(folder)/asked' TERM
                echo $$ > \(folder)/program
                while :; do sleep 0.05; done
                """
            let work = ["work", "--kind", "k", "--kill-after", "10m", "--exec", script]
            _ = try await belay.run(work) { process in
                try await Self.waitForFile(folder + "/asked", holding: "asked")
                let text = try String(contentsOfFile: folder + "/program", encoding: .utf8)
                let program = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
                try await eventually(within: .seconds(20)) { kill(program, 0) != 0 || isZombie(program) }
                _ = try await belay.run(["reap", "--interval", "50ms"]) { reaper in
                    try await belay.waitForState("exhausted", of: "t")
                    kill(reaper, SIGTERM)
                }
                kill(process, SIGTERM)
            }
            #expect(try await belay("attempts", "t", "--json").objects().first?["outcome"] == "timedOut")
        }
    }

    @Test("A soft limit that is not below the time-out is refused")
    func badSoftLimit() async throws {
        let belay = try await CommandLineTool.shared()
        let define = ["kinds", "define", "k", "--timeout", "5s", "--soft-timeout", "5s"]
        try await belay.expectRefusal(define, 64, "less than the timeout")
    }

    // MARK: Drain

    @Test("A worker whose programs all fail stops by its rule with exit code 75 and leaves the other tasks")
    func drain() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--attempts", "1")
        try await belay("enqueue", "--kind", "k", "--lines", input: (1...50).map(String.init).joined(separator: "\n"))
        let work = ["work", "--kind", "k", "--drain-after", "5", "--drain-within", "60s", "--exec", "exit 1"]
        let drained = try await belay.run(work) { _ in }.output
        #expect(drained.exitCode == 75)
        #expect(drained.error.contains("the last 5 attempts all failed within 1m"), "\(drained.error)")
        #expect(drained.error.contains("every attempt fails here"))
        let tracker = try tracker(belay)
        let counts = try await tracker.stats().kinds[0]
        #expect(counts.exhausted == 5 && counts.ready == 45 && counts.running == 0)
        #expect(try await tracker.events(from: .oldest, limit: 500).events.contains { $0.name == .workerDrained })
        await tracker.close()
    }

    @Test("A worker that stops by its rule lets its other programs end")
    func drainWaits() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--attempts", "1")
        try await belay("enqueue", "--kind", "k", "--priority", "9", "--id", "slow", "--payload", "slow")
        try await belay("enqueue", "--kind", "k", "--lines", input: (1...20).map(String.init).joined(separator: "\n"))
        let script = "[ \"$BELAY_TASK_ID\" = slow ] || exit 1; sleep 2; echo done"
        let work = [
            "work", "--kind", "k", "--slots", "2", "--drain-after", "3", "--drain-within", "60s", "--exec", script,
        ]
        #expect(try await belay.run(work) { _ in }.output.exitCode == 75)
        #expect(try await belay("get", "slow", "--json").object()["state"] == "succeeded")
    }

    @Test("Rules that make no sense are refused")
    func badDrain() async throws {
        let belay = try await tool()
        let work = ["work", "--kind", "k", "--exec", "true"]
        try await belay.expectRefusal(work + ["--drain-within", "5s"], 64, "--drain-within belongs to --drain-after")
        try await belay.expectRefusal(work + ["--drain-after", "0"], 64, "1 to 10,000")
        try await belay.expectRefusal(work + ["--drain-after", "5", "--drain-within", "0"], 64, "1 ms to 24 h")
        try await belay.expectRefusal(work + ["--drain-after", "5", "--once"], 64, "--once and --drain-after")
    }
}
