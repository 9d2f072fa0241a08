import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `belay run`: a lock, retries and a history for any program.
@Suite(.serialized) struct CommandLineRunTests {
    @Test func passesStreamsAndExitCodes() async throws {
        let belay = try await CommandLineTool.shared()
        let ran = try await belay("run", "--id", "a", "--", "cat", input: "through")
        #expect(ran.exitCode == 0)
        #expect(ran.out == "through")
        #expect(ran.error.isEmpty)
        for code: Int32 in [1, 7, 75, 255] {
            let failed = try await belay("run", "--id", "a", "--", "sh", "-c", "echo why >&2; exit \(code)")
            #expect(failed.exitCode == code)
            #expect(failed.error == "why\n")
        }
        #expect(try await belay("run", "--id", "a", "--", "sh", "-c", "kill -TERM $$").exitCode == 143)
        #expect(try await belay("run", "--id", "a", "--", "no-such-program-anywhere").exitCode == 127)
        let late = try await belay(
            "run",
            "--id",
            "a",
            "--timeout",
            "100ms",
            "--kill-after",
            "100ms",
            "--",
            "sleep",
            "60"
        )
        #expect(late.exitCode == 124)
        let messages = try await belay("attempts", "a", "--json").objects().map { $0["failure", "message"] ?? "-" }
        #expect(messages.contains("exit code 7"))
        #expect(messages.last == "ran longer than 100ms")
        let task = try await belay("get", "a", "--json").object()
        #expect(task["kind"] == "run")
        #expect(task["payload", "text"] == #"{"command":["cat"]}"#)
        #expect(task["lastFailure", "failure", "type"] == "timeout")
    }

    @Test func triesAgainAndCountsAttempts() async throws {
        let belay = try await CommandLineTool.shared()
        let run = ["run", "--id", "r", "--retry", "3", "--base", "50ms", "--", "sh", "-c"]
        let second = try await belay.run(run + ["echo $BELAY_ATTEMPT; [ $BELAY_ATTEMPT = 2 ]"]) { _ in }.output
        #expect(second.exitCode == 0)
        #expect(second.lines == ["1", "2"])
        #expect(second.error.contains("attempt 2 of 3 in "))
        let never = try await belay.run(run + ["echo $BELAY_ATTEMPT; exit 4"]) { _ in }.output
        #expect(never.exitCode == 4)
        #expect(never.lines == ["1", "2", "3"])
        #expect(never.error.contains("no attempt is left"))
        #expect(try await belay("get", "r", "--json").object()["state"] == "exhausted")
        // More attempts than the task was made with, and silence.
        let more = ["run", "--id", "r", "--retry", "4", "--quiet", "--", "sh", "-c", "echo $BELAY_ATTEMPT; exit 5"]
        let quiet = try await belay.run(more) { _ in }.output
        #expect(quiet.exitCode == 5)
        #expect(quiet.lines == ["1", "2", "3", "4"])
        #expect(quiet.error.isEmpty)
    }

    @Test func leavesAPausedTaskAlone() async throws {
        let belay = try await CommandLineTool.shared()
        let run = ["run", "--id", "p", "--retry", "2", "--base", "2s", "--", "sh", "-c"]
        #expect(try await belay.run(run + ["true"]) { _ in }.output.exitCode == 0)
        try await belay("retry", "p")
        try await belay("pause", "p", "--message", "not tonight")
        let refused = try await belay.run(run + ["echo ran"]) { _ in }.output
        #expect(refused.exitCode == 75)
        #expect(refused.out.isEmpty)
        #expect(refused.error.contains("task “p” is paused; 'belay resume p' lets it run"))
        #expect(
            try await belay.run(["run", "--json"] + run.dropFirst() + ["true"]) { _ in }.output.error.contains(
                "tryAgain"
            )
        )
        try await belay("resume", "p")
        // Paused between two attempts.
        let between = try await belay.run(run + ["sleep 1; exit 3"]) { _ in
            try await belay.waitForState("running", of: "p")
            try await belay.waitForState("ready", of: "p")
            try await belay("pause", "p")
        }.output
        #expect(between.exitCode == 75)
        #expect(between.error.contains("is paused"))
        #expect(try await belay("get", "p", "--json").object()["attempts"] == "1")
        // What was set aside begins anew.
        try await belay("ignore", "p")
        #expect(try await belay.run(run + ["true"]) { _ in }.output.exitCode == 0)
    }

    @Test func triesAgainAlsoWhereKindsSetTasksAside() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "run", "--attempts", "1", "--base", "20ms", "--when-exhausted", "ignored")
        let once = try await belay("run", "--id", "i", "--quiet", "--", "sh", "-c", "exit 4")
        #expect(once.exitCode == 4)
        #expect(try await belay("get", "i", "--json").object()["state"] == "ignored")
        let more = [
            "run", "--id", "i", "--retry", "3", "--quiet", "--", "sh", "-c",
            "echo $BELAY_ATTEMPT; [ $BELAY_ATTEMPT = 3 ]",
        ]
        let third = try await belay.run(more) { _ in }.output
        #expect(third.exitCode == 0)
        #expect(third.lines == ["1", "2", "3"])
    }

    @Test func runsOnceOfTwo() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let command = ["run", "--id", "one", "--", "sh", "-c", "echo x >> \(folder)/log; sleep 1"]
            async let first = belay.run(command) { _ in }
            async let second = belay.run(command) { _ in }
            let codes = try await [first, second].map(\.output.exitCode).sorted()
            #expect(codes == [0, 75])
            #expect(try String(contentsOfFile: folder + "/log", encoding: .utf8) == "x\n")
        }
    }

    @Test func saysWhoHoldsTheLock() async throws {
        let belay = try await CommandLineTool.shared()
        _ = try await belay.run(["run", "--id", "held", "--", "sleep", "60"]) { process in
            try await belay.waitForState("running", of: "held")
            let refused = try await belay("run", "--id", "held", "--", "true")
            #expect(refused.exitCode == 75)
            #expect(refused.error.contains(":\(process):"))
            #expect(refused.error.contains("until 20"))
            let json = try await belay("run", "--id", "held", "--json", "--", "true")
            #expect(json.error.contains(#""code":"tryAgain""#))
            let impatient = try await belay("run", "--id", "held", "--wait", "300ms", "--", "true")
            #expect(impatient.exitCode == 75)
            #expect(impatient.error.contains("still so after --wait"))
            kill(process, SIGTERM)
        }
    }

    @Test func waitsForTheHolder() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let script = "until [ -e \(folder)/go ]; do sleep 0.05; done"
            _ = try await belay.run(["run", "--id", "w", "--", "sh", "-c", script]) { _ in
                try await belay.waitForState("running", of: "w")
                async let heir = belay("run", "--id", "w", "--wait", "60s", "--", "echo", "mine")
                async let flock = belay("run", "--id", "w", "--wait", "60s", "--again", "--", "echo", "again")
                try await Task.sleep(for: .seconds(3))
                try Data().write(to: URL(filePath: folder + "/go"))
                let (waited, again) = try await (heir, flock)
                #expect(waited.exitCode == 0)
                #expect(waited.out.isEmpty)
                #expect(waited.error.contains("done by another host"))
                #expect(again.exitCode == 0)
                #expect(again.out == "again\n")
            }
        }
    }

    @Test func takesOverFromADeadHolder() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let script = "echo $$ > \(folder)/program; exec sleep 60"
            let holder = ["run", "--id", "h", "--lock", "1s", "--", "sh", "-c", script]
            let (dead, heir) = try await belay.run(holder) { process in
                try await eventually { FileManager.default.fileExists(atPath: folder + "/program") }
                async let heir = belay(
                    "run",
                    "--id",
                    "h",
                    "--lock",
                    "1s",
                    "--wait",
                    "30s",
                    "--",
                    "sh",
                    "-c",
                    "echo $BELAY_ATTEMPT"
                )
                try await Task.sleep(for: .seconds(3))
                kill(process, SIGKILL)
                return try await heir
            }
            #expect(dead.exitCode == 137)
            #expect(heir.exitCode == 0)
            #expect(heir.out == "2\n")
            let outcomes = try await belay("attempts", "h", "--json").objects().compactMap { $0["outcome"] }
            #expect(outcomes == ["crashed", "succeeded"])
        }
    }

    @Test func keepsTheLockWhileTheProgramRuns() async throws {
        let belay = try await CommandLineTool.shared()
        let holder = ["run", "--id", "long", "--lock", "2s", "--", "sleep", "60"]
        let (output, refused) = try await belay.run(holder) { process in
            try await belay.waitForState("running", of: "long")
            try await Task.sleep(for: .seconds(4))
            let refused = try await belay("run", "--id", "long", "--", "true").exitCode
            kill(process, SIGTERM)
            return refused
        }
        #expect(refused == 75)
        #expect(output.exitCode == 143)
    }

    @Test func handsBackWhenItIsEnded() async throws {
        let belay = try await CommandLineTool.shared()
        for (signal, code) in [(SIGTERM, Int32(143)), (SIGINT, 130)] {
            let id = "ended-\(signal)"
            let script = "trap 'echo bye; exit 3' TERM INT; while :; do sleep 0.05; done"
            let (output, _) = try await belay.run(["run", "--id", id, "--", "sh", "-c", script]) { process in
                try await belay.waitForState("running", of: id)
                try await Task.sleep(for: .milliseconds(200))
                kill(process, signal)
            }
            #expect(output.exitCode == code)
            #expect(output.out == "bye\n")
            let task = try await belay("get", id, "--json").object()
            #expect(task["state"] == "ready")
            #expect(task["attempts"] == "0")
        }
    }

    @Test func isCancelledFromElsewhere() async throws {
        let belay = try await CommandLineTool.shared()
        let (output, _) = try await belay.run(["run", "--id", "c", "--retry", "3", "--", "sleep", "60"]) { _ in
            try await belay.waitForState("running", of: "c")
            try await belay("cancel", "c")
        }
        #expect(output.exitCode == 1)
        #expect(output.error.contains("was cancelled"))
        #expect(try await belay("get", "c", "--json").object()["state"] == "cancelled")
        #expect(try await belay("run", "--id", "c", "--", "true").exitCode == 0)
    }
}
