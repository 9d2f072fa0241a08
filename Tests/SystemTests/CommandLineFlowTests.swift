import BelayTestKit
import Foundation
import Testing

/// Tags, parents, expiry and uniqueness by command: enqueue, ls, get, explain, parents, tags, flow, prioritise, workers.
@Suite(.serialized, .timeLimit(.minutes(4))) struct CommandLineFlowTests {
    /// A kind `k`.
    private func tool() async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--attempts", "1")
        return belay
    }

    private func state(_ id: String, _ belay: CommandLineTool) async throws -> String? {
        try await belay("get", id, "--json").object()["state"]
    }

    @Test func runsAFlow() async throws {
        let belay = try await tool()
        for id in ["a", "b"] {
            #expect(
                try await belay("enqueue", "--kind", "k", "--id", id, "--tag", "import", "--tag", "x/\(id)").exitCode
                    == 0
            )
        }
        let sum = ["enqueue", "--kind", "k", "--id", "sum", "--tag", "import"]
        _ = try await belay.run(sum + ["--after", "a", "--after", "b", "--when", "succeeded"]) { _ in }
        #expect(
            try await belay("enqueue", "--kind", "k", "--id", "report", "--after-tag", "import").out == "report\n"
        )
        #expect(try await belay("claim", "--id", "sum").exitCode == 75)
        #expect(try await belay("claim", "--id", "sum").error.contains("waits for its parents; 'belay explain' tells"))

        let counts = try await belay("tags", "import", "x/a", "none", "--json").objects()
        #expect(counts.map { $0["total"] } == ["3", "1", "0"])
        #expect(counts[0]["ready"] == "2")
        #expect(counts[0]["blocked"] == "1")
        let table = try await belay("tags", "import")
        #expect(table.lines[0].hasPrefix("TAG "))
        #expect(table.lines[1].hasSuffix("  3    0 %"), "\(table.out)")

        let parents = try await belay("parents", "sum", "--json").objects()
        #expect(parents.map { $0["task"] } == ["a", "b"])
        #expect(parents.map { $0["state"] } == ["ready", "ready"])
        #expect(try await belay("parents", "report").lines[1].hasPrefix("import  tag  blocked"))
        #expect(try await belay("parents", "a").lines.count == 1)
        let told = try await belay("explain", "sum")
        #expect(told.out == "waits for 2 of 2 parents that have not ended: t:a (ready), t:b (ready)\n")
        let why = try await belay("explain", "report", "--json").object()
        let reasons = try #require(why.value["reasons"] as? [[String: Any]])
        #expect(reasons.map { $0["reason"] as? String } == ["awaiting"])
        #expect(reasons[0]["needed"] as? Int == 1)
        #expect((reasons[0]["parents"] as? [[String: String]])?.first == ["tag": "import", "state": "blocked"])

        let page = try await belay("ls", "--tag", "import", "--state", "blocked", "--json")
        #expect(try page.object()["id"] == "sum")
        #expect(try await belay("ls", "--tag", "import").lines.count == 4)
        #expect(try await belay("ls", "--tag", "none", "--json").out.isEmpty)
        let shown = try await belay("get", "sum")
        #expect(shown.out.contains("status        80 blocked\n"))
        #expect(shown.out.contains("tags          import\n"))
        #expect(shown.out.contains("waits for     2 of its parents"))
        #expect(try await belay("stats", "--json").out.contains(#""blocked":2"#))

        #expect(
            try await belay("work", "--kind", "k", "--drain", "--", "sh", "-c", "echo $BELAY_TASK_ID").exitCode == 0
        )
        for id in ["a", "b", "sum", "report"] { #expect(try await state(id, belay) == "succeeded") }
        #expect(try await belay("parents", "sum", "--json").objects().allSatisfy { $0["result", "text"] != nil })
        #expect(try await belay("tags", "import").lines[1].hasSuffix("100 %"))
    }

    @Test func changesAllOfATag() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--lines", "--tag", "f", input: "1\n2\n3\n")
        try await belay(
            "enqueue",
            "--kind",
            "k",
            "--id",
            "last",
            "--tag",
            "end",
            "--after-tag",
            "f",
            "--when",
            "succeeded"
        )
        let cancelled = try await belay("flow", "cancel", "f", "--reason", "not today")
        #expect(cancelled.out == "f  3 cancelled\n")
        #expect(try await state("last", belay) == "cancelled")
        #expect(try await belay("get", "last").out.contains("the tasks of tag f did not end as it needs"))
        #expect(try await belay("get", "last", "--json").object()["cause", "cause"] == "parentFailed")
        #expect(try await belay("explain", "last").out.contains("parent g:f did not end as it needs"))
        #expect(try await belay("explain", "last", "--json").out.contains(#""parent":{"tag":"f"}"#))

        let again = try await belay("flow", "retry", "f", "--json").object()
        #expect(again["tag"] == "f")
        #expect(again["changed"] == "3")
        #expect(try await belay("retry", "last").out == "last  waiting\n")
        let refused = try await belay("retry", "last")
        #expect(refused.exitCode == 1)
        #expect(refused.out == "last  blocked\n")
        #expect(refused.error.contains("--force runs it without them"))
        #expect(try await belay("retry", "last", "--force").out == "last  ready\n")

        #expect(try await belay("claim", "k", "--limit", "2", "--worker", "h:1:a").exitCode == 0)
        let mine = try await belay("workers", "h:1:a", "--json").objects()
        #expect(mine.count == 2)
        #expect(mine.allSatisfy { $0["state"] == "running" && $0["worker"] == "h:1:a" })
        #expect(try await belay("workers", "h:1:a").lines.count == 3)
        #expect(try await belay("workers", "h:1:b").lines.count == 1)
        #expect(try await belay("ls", "--worker", "h:1:a", "--json").lines.count == 2)
        let asked = try await belay("flow", "cancel", "f", "--signal", "9", "--json").object()
        #expect(asked["requested"] == "2")
        #expect(asked["changed"] == "1")
        #expect(try await belay("flow", "recover", "f", "--message", "lost").out == "f  2 taken back\n")
        #expect(try await belay("tags", "f", "--json").object()["ready"] == "2")
        #expect(try await belay("flow", "clean", "f").out == "f  2 deleted\n")
        #expect(try await belay("tags", "f", "--json").object()["total"] == "1")
        #expect(try await belay("flow", "retry", "f", "--state", "succeeded").out == "f  0 to run again\n")
        #expect(try await belay("flow", "clean", "none").out == "none  0 deleted\n")
    }

    @Test func tellsAHolderWhichSignal() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--id", "a")
        let claim = try await belay("claim", "k").object()
        try await belay("cancel", "a", "--signal", "USR1")
        let lock = ["a", "--token", try #require(claim["token"]), "--fence", try #require(claim["fence"])]
        let renewed = try await belay.run(["renew", "--json"] + lock) { _ in }.output
        #expect(renewed.exitCode == 1)
        #expect(try renewed.object()["outcome"] == "terminateRequested")
        #expect(try renewed.object()["signal"] == "10")
        let plain = try await belay.run(["renew"] + lock) { _ in }.output
        #expect(plain.out == "a  terminateRequested with signal 10\n")
        #expect(plain.error.contains("was cancelled; its lock holds on"))
    }

    @Test func keepsOutTheSame() async throws {
        let belay = try await tool()
        func enqueue(_ more: String...) async throws -> CommandLineTool.Output {
            try await belay.run(["enqueue", "--kind", "k", "--payload", "p"] + more) { _ in }.output
        }
        #expect(try await enqueue("--unique", "--id", "a").out == "a\n")
        let refused = try await enqueue("--unique", "--id", "b")
        #expect(refused.exitCode == 73)
        #expect(refused.out.isEmpty)
        #expect(refused.error == "belay: not created: task “a” has the same content\n")
        let asJSON = try await enqueue("--unique", "--json", "--id", "b")
        #expect(asJSON.exitCode == 73)
        #expect(try asJSON.object()["outcome"] == "deduplicated")
        #expect(try asJSON.object()["of"] == "a")
        #expect(asJSON.error.contains(#""code":"cannotCreate""#))
        #expect(try await belay("get", "b").exitCode == 66)
        // Another content, other states, recorded.
        #expect(try await enqueue("--unique-key", "q", "--id", "q").exitCode == 0)
        #expect(try await enqueue("--unique-states", "running,succeeded", "--id", "s").exitCode == 0)
        #expect(try await enqueue("--unique-for", "1h", "--duplicates", "record", "--id", "r").out == "r\n")
        #expect(try await belay("get", "r").out.contains("has the same content"))
        #expect(try await belay("explain", "r").out.contains("has the same content"))
        // Of lines, those that are there already are passed over.
        let lines = try await belay("enqueue", "--kind", "k", "--lines", "--unique", input: "x\ny\nx\n")
        #expect(lines.exitCode == 0, "\(lines.error)")
        #expect(lines.lines.count == 2)
        #expect(lines.error.contains("not created: task “\(lines.lines[0])” has the same content"))

        try await belay("claim", "--id", "a", "--export")
        try await belay("retry", "a", "--force")
        try await belay("work", "--kind", "k", "--drain", "--", "true")
        #expect(try await state("a", belay) == "succeeded")
        let reused = try await enqueue("--reuse", "--id", "a", "--json")
        #expect(try reused.object()["outcome"] == "reused")
        #expect(try await belay("get", "a").out.contains("reused        1 times\n"))
        #expect(try await enqueue("--id", "a").exitCode == 73)
    }

    @Test func startsNothingThatExpired() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--id", "late", "--expires-at", "2020-01-01T00:00:00Z")
        try await belay("enqueue", "--kind", "k", "--id", "soon", "--expires-in", "1h")
        #expect(try await belay("explain", "soon").out.contains("is not to be started after "))
        #expect(try await belay("get", "soon").out.contains("expires       20"))
        #expect(try await belay("claim", "k", "--limit", "2").object()["id"] == "soon")
        #expect(try await state("late", belay) == "cancelled")
        #expect(try await belay("get", "late").out.contains("cause         expired before it began"))
        #expect(try await belay("explain", "late").out.contains("its time to begin had passed"))
        #expect(try await belay("events", "--json", "--id", "late").out.contains(#""name":"expired""#))
        // Who asks for it by hand gets it.
        #expect(try await belay("retry", "late").out == "late  ready\n")
        #expect(try await belay("claim", "k").object()["id"] == "late")
    }

    @Test func showsPausesSoftLimitsAndPriorities() async throws {
        let belay = try await tool()
        try await belay("kinds", "define", "soft", "--timeout", "5m", "--soft-timeout", "4m")
        let kinds = try await belay("kinds", "--json").objects()
        #expect(kinds.map { $0["softTimeout"] } == [nil, "240"])
        #expect(kinds.map { $0.value["isPaused"] as? Bool } == [false, false])
        #expect(try await belay("kinds").lines[2].contains("  4m  "))
        try await belay("enqueue", "--kind", "soft", "--id", "a")
        let claim = try await belay("claim", "soft").object()
        #expect(claim["softDeadline"] != nil)
        #expect(claim["deadline"] != nil)

        try await belay("kinds", "pause", "k")
        #expect(try await belay("kinds").lines[1].hasSuffix("  paused"))
        #expect(try await belay("kinds", "--json").objects().map { $0.value["isPaused"] as? Bool } == [true, false])
        #expect(try await belay("stats").lines[1].hasSuffix("  kind paused"))
        #expect(!(try await belay("stats").out.contains("the whole tracker is paused")))
        try await belay("kinds", "pause", "--all")
        for command in ["stats", "kinds"] {
            #expect(
                try await belay(command).out.hasSuffix(
                    "the whole tracker is paused; 'belay kinds resume --all' ends it\n"
                )
            )
        }
        #expect(try await belay("stats", "--json").object().value["isPaused"] as? Bool == true)

        for gate in ["k", "--all"] { try await belay("kinds", "resume", gate) }
        for id in ["p", "q"] { try await belay("enqueue", "--kind", "k", "--id", id) }
        #expect(try await belay("prioritise", "q", "--priority", "9").out == "q  done\n")
        #expect(try await belay("peek", "--kind", "k", "--json").objects().first?["id"] == "q")
        try await belay("cancel", "p")
        let ended = try await belay("prioritise", "p", "none", "--priority", "1", "--json")
        #expect(ended.exitCode == 66)
        #expect(try ended.objects().map { $0["outcome"] } == ["cancelled", "notFound"])
        let told = try await belay("prioritise", "p", "--priority", "1")
        #expect(told.exitCode == 1)
        #expect(told.error.contains("has already ended: cancelled; 'belay retry' runs it again"))
    }

    @Test func findsByTime() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--id", "a")
        let first = try #require(try await belay("get", "a", "--json").object()["created"])
        try await belay("enqueue", "--kind", "k", "--id", "b")
        let second = try #require(try await belay("get", "b", "--json").object()["created"])
        func ids(_ more: String...) async throws -> [String?] {
            try await belay.run(["ls", "--json"] + more) { _ in }.output.objects().map { $0["id"] }
        }
        #expect(try await ids("--created-from", first) == ["a", "b"])
        #expect(try await ids("--created-from", second) == ["b"])
        #expect(try await ids("--created-to", second) == ["a"])
        #expect(try await ids("--created-from", first, "--created-to", first) == [])
    }

    @Test func performsTheVerbsOfFlowsByCallAndLines() async throws {
        let belay = try await tool()
        let requests = [
            (
                "enqueue",
                #"{"tasks":[{"kind":"k","id":"a","tags":["t"]},{"kind":"k","id":"b","after":{"tasks":["a"]}}]}"#
            ),
            ("counts", #"{"tags":["t"]}"#), ("parents", #"{"task":"b"}"#),
            ("prioritise", #"{"tasks":["a"],"priority":7}"#), ("cancelTag", #"{"tag":"t"}"#),
            ("retryTag", #"{"tag":"t"}"#), ("recover", #"{"tag":"t"}"#), ("clean", #"{"tag":"t"}"#),
        ]
        for (verb, request) in requests {
            let called = try await belay("call", verb, request)
            #expect(called.exitCode == 0, "\(verb): \(called.error)")
            #expect(try called.object()["code"] == nil)
        }
        let input = requests.enumerated().map { place, item in
            #"{"id":\#(place),"verb":"\#(item.0)","request":\#(item.1)}"#
        }
        let answered = try await belay("api", input: input.joined(separator: "\n") + "\n")
        #expect(answered.exitCode == 0)
        #expect(answered.lines.count == requests.count)
        #expect(answered.lines.allSatisfy { !$0.contains(#""problem""#) }, "\(answered.out)")
        #expect(try await belay("call", "enqueue", #"{"tasks":[{"kind":"k","after":{"tags":["no"]}}]}"#).exitCode == 66)
    }

    static let enqueues: [([String], Int32, String)] = [
        (["--tag", "a b"], 64, "tag “a b” is not allowed; allowed: 1 to 62 of"),
        (["--tag", String(repeating: "t", count: 63)], 64, "1 to 62 of"),
        (["--tag", "t", "--tag", "t"], 64, "at most 8, each once"),
        (["--after", ""], 64, "not allowed"),
        (["--after", "none"], 66, "none"),
        (["--after-tag", "none"], 66, "none"),
        (["--after-tag", "a b"], 64, "tag “a b” is not allowed"),
        (["--id", "a", "--after", "a"], 64, "itself"),
        (["--after", "a", "--after", "a"], 64, "each parent once"),
        (["--after", "a", "--when", "done"], 64, "ended-or-first-failure"),
        (["--after", "a", "--needs", "most"], 64, "write all, any, or a share above 0 to 1"),
        (["--after", "a", "--needs", "0"], 64, "write all, any, or a share above 0 to 1"),
        (["--after", "a", "--needs", "1.5"], 64, "write all, any, or a share above 0 to 1"),
        (["--when", "failed"], 64, "--when and --needs belong to --after or --after-tag"),
        (["--needs", "any"], 64, "--when and --needs belong to --after or --after-tag"),
        (["--expires-in", "5"], 64, "250ms, 5s"),
        (["--expires-in", "99999d"], 64, "3,650 days"),
        (["--expires-at", "tomorrow"], 64, "not a time"),
        (["--expires-at", "2101-01-01T00:00:00Z"], 64, "from 1970 to 2100"),
        (["--expires-in", "1s", "--expires-at", "2030-01-01T00:00:00Z"], 64, "exclude each other"),
        (["--unique-for", "0"], 64, "1 µs to 3,650 days"),
        (["--unique-states", "done"], 64, "write some of ready,blocked"),
        (["--unique-states", ""], 64, "write some of ready,blocked"),
        (["--duplicates", "record"], 64, "--duplicates belongs to --unique"),
        (["--unique", "--duplicates", "drop"], 64, "record"),
        (["--reuse"], 64, "--reuse needs --id or --identifier"),
        (["--lines", "--unique-key", "x"], 64, "--unique-key names the content of one task"),
    ]

    static let commands: [([String], Int32, String)] = [
        (["tags"], 64, "tags"),
        (["tags", "a b"], 64, "tag “a b” is not allowed"),
        (["tags"] + (0...100).map { "t\($0)" }, 64, "1 to 100"),
        (["parents"], 64, "name a task"),
        (["parents", "none"], 66, "no task “none” in this tracker"),
        (["flow", "cancel"], 64, "<tag>"),
        (["flow", "cancel", "a b"], 64, "tag “a b” is not allowed"),
        (["flow", "cancel", "t", "--signal", "65"], 64, "1 to 64"),
        (["flow", "cancel", "t", "--signal", "x"], 64, "--signal"),
        (["flow", "cancel", "t", "--reason", String(repeating: "r", count: 65)], 64, "64 bytes"),
        (["flow", "retry", "t", "--state", "running"], 64, "allowed: succeeded, exhausted, cancelled, ignored"),
        (["flow", "retry", "t", "--state", "done"], 64, "succeeded"),
        (["flow", "retry", "t", "--message", "\u{1}"], 64, "not allowed"),
        (["flow", "clean", "t", "--message", "m"], 64, "--message"),
        (["flow", "recover", "-"], 64, "not allowed"),
        (["prioritise", "a"], 64, "--priority"),
        (["prioritise", "a", "--priority", "10"], 64, "0 to 9"),
        (["prioritise", "none", "--priority", "1"], 66, "no task “none” in this tracker"),
        (["ls", "--tag", ""], 64, "not allowed"),
        (["ls", "--worker", "a b"], 64, "not allowed"),
        (["ls", "--created-from", "now"], 64, "not a time"),
        (["ls", "--created-from", "2030-01-02T00:00:00Z", "--created-to", "2030-01-01T00:00:00Z"], 64, "is after"),
        (["workers", "a b"], 64, "not allowed"),
        (["workers", "w", "--limit", "5"], 64, "--limit is of the list of workers"),
        (["kinds", "define", "x", "--timeout", "5s", "--soft-timeout", "5s"], 64, "less than the timeout"),
        (["kinds", "define", "x", "--soft-timeout", "1ms"], 64, "10 ms to 3,650 days"),
    ]

    @Test(arguments: enqueues.map { (["enqueue", "--kind", "k"] + $0.0, $0.1, $0.2) } + commands)
    func refusesClearly(_ arguments: [String], _ code: Int32, _ words: String) async throws {
        let belay = try await tool()
        try await belay.expectRefusal(arguments, code, words)
        #expect(try await belay("stats", "--json").out.contains(#""total":0"#))
    }
}
