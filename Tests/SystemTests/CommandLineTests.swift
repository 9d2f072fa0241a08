import BelayTestKit
import Foundation
import Testing

/// The sub-commands that look at tasks and change them, as a shell calls them.
@Suite struct CommandLineTests {
    @Test func enqueuesGetsAndLists() async throws {
        let belay = try await CommandLineTool.shared()
        #expect(try await belay("kinds", "define", "mail", "--attempts", "2", "--base", "100ms").exitCode == 0)
        let made = try await belay(
            "enqueue",
            "--kind",
            "mail",
            "--id",
            "m1",
            "--payload",
            #"{"to":"a"}"#,
            "--priority",
            "7"
        )
        #expect(made.exitCode == 0)
        #expect(made.out == "m1\n")

        let got = try await belay("get", "m1", "--json").object()
        #expect(got["id"] == "m1")
        #expect(got["kind"] == "mail")
        #expect(got["state"] == "ready")
        #expect(got["priority"] == "7")
        #expect(got["payload", "contentType"] == "application/json")
        #expect(got["payload", "text"] == #"{"to":"a"}"#)
        #expect(try #require(got["created"]).wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)

        let text = try await belay("get", "m1").out
        #expect(text.contains("state         ready"))
        let table = try await belay("ls").lines
        #expect(table.count == 2)
        #expect(table[0].hasPrefix("ID"))
        #expect(table[1].hasPrefix("m1"))
    }

    @Test func takesPayloadsFromEverywhere() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await withTemporaryFolder { folder in
            try Data([0xff, 0x00, 0x41]).write(to: URL(filePath: folder + "/payload"))
            try await belay("enqueue", "--kind", "k", "--id", "file", "--payload-file", folder + "/payload")
        }
        try await belay("enqueue", "--kind", "k", "--id", "stdin", "-", input: "from stdin")
        try await belay("enqueue", "--kind", "k", "--id", "typed", "--payload", "<a/>", "--content-type", "text/xml")
        let file = try await belay("get", "file", "--json").object()
        #expect(file["payload", "contentType"] == "application/octet-stream")
        #expect(file["payload", "base64"] == "/wBB")
        let stdin = try await belay("get", "stdin", "--json").object()
        #expect(stdin["payload", "contentType"] == "text/plain")
        #expect(stdin["payload", "text"] == "from stdin")
        #expect(try await belay("get", "typed", "--json").object()["payload", "contentType"] == "text/xml")
    }

    @Test func enqueuesOneTaskForEachLine() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        let input = (1...700).map { "line \($0)" }.joined(separator: "\n") + "\n\nwindows\r\n"
        let made = try await belay("enqueue", "--kind", "k", "--lines", "--json", input: input)
        #expect(made.exitCode == 0)
        #expect(try made.objects().count == 701)
        #expect(try await belay("stats", "--json").out.contains(#""ready":701"#))
        let last = try #require(try made.objects().last?["id"])
        #expect(try await belay("get", last, "--json").object()["payload", "text"] == "windows")
    }

    @Test func delaysAndTimes() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "later", "--delay", "1h30m")
        try await belay("enqueue", "--kind", "k", "--id", "then", "--at", "2031-05-06T07:08:09+02:00")
        #expect(try await belay("get", "then", "--json").object()["due"] == "2031-05-06T05:08:09.000000Z")
        let table = try await belay("ls", "--kind", "k").out
        #expect(table.contains("due in 1h 29m"))
        #expect(try await belay("peek", "--kind", "k").lines.count == 1)
        #expect(try await belay("stats", "--json").object().value.description.contains("scheduled"))
    }

    @Test func refusesOrReturnsAnExistingID() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "a")
        let refused = try await belay("enqueue", "--kind", "k", "--id", "a")
        #expect(refused.exitCode == 73)
        #expect(refused.out.isEmpty)
        #expect(refused.error.contains("--if-exists return"))
        let returned = try await belay("enqueue", "--kind", "k", "--id", "a", "--if-exists", "return", "--json")
        #expect(returned.exitCode == 0)
        #expect(try returned.object()["outcome"] == "existing")
    }

    @Test func pagesThroughAllTasks() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--lines", input: (1...25).map { "\($0)" }.joined(separator: "\n"))
        var ids: Set<String> = []
        var cursor: String?
        repeat {
            let page = try await belay.run(
                ["ls", "--limit", "10", "--json"] + (cursor.map { ["--cursor", $0] } ?? [])
            ) { _ in }
            cursor = nil
            for object in try page.output.objects() {
                if let id = object["id"] { ids.insert(id) } else { cursor = object["cursor"] }
            }
        } while cursor != nil
        #expect(ids.count == 25)
        #expect(try await belay("ls", "--all", "--json").lines.count == 25)
        #expect(try await belay("ls", "--limit", "10").error.contains("--cursor "))
        #expect(try await belay("ls", "--state", "succeeded", "--json").lines.isEmpty)
    }

    @Test func cancelsAndRetries() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "a")
        let cancelled = try await belay("cancel", "a", "--reason", "not needed", "--json")
        #expect(try cancelled.object()["outcome"] == "cancelled")
        #expect(try await belay("get", "a", "--json").object()["cancelReason"] == "not needed")
        #expect(try await belay("retry", "a").exitCode == 0)
        #expect(try await belay("get", "a", "--json").object()["state"] == "ready")
        #expect(try await belay("work", "--kind", "k", "--once", "--exec", "true").exitCode == 0)
        let late = try await belay("cancel", "a")
        #expect(late.exitCode == 1)
        #expect(late.error.contains("already succeeded"))
        let missing = try await belay("retry", "a", "nobody")
        #expect(missing.exitCode == 66)
        #expect(missing.out.contains("a  ready"))
        #expect(missing.error.contains("“nobody”"))
    }

    @Test func definesKinds() async throws {
        let belay = try await CommandLineTool.shared()
        let define = [
            "kinds", "define", "import", "--lease", "2m", "--delays", "1m,10m,1h", "--keep-succeeded", "forever",
        ]
        #expect(try await belay.run(define) { _ in }.output.exitCode == 0)
        #expect(try await belay.run(define) { _ in }.output.exitCode == 0)
        let other = try await belay("kinds", "define", "import", "--lease", "3m")
        #expect(other.exitCode == 78)
        #expect(other.error.contains("--replace"))
        let listed = try await belay("kinds", "--json").object()
        #expect(listed["lease"] == "120")
        #expect(listed["retry", "backoff"] == "list")
        #expect(listed["keepSucceeded"] == nil)
        #expect(listed["keepOther"] == "2592000")
        #expect(try await belay("kinds", "define", "import", "--lease", "3m", "--replace").exitCode == 0)
        #expect(try await belay("kinds").out.contains("3m"))
    }

    /// What is refused: the call, its exit code, and words that its message holds.
    static let refusals: [([String], Int32, String)] = [
        (["enqueue", "--kind", "nokind"], 66, "belay kinds define nokind"),
        (["enqueue", "--kind", "a b"], 64, "1 to 64 of"),
        (["enqueue", "--kind", "k", "--id", ""], 64, "task id"),
        (["enqueue", "--kind", "k", "--id", String(repeating: "x", count: 257)], 64, "256 bytes"),
        (["enqueue", "--kind", "k", "--delay", "5"], 64, "250ms, 5s"),
        (["enqueue", "--kind", "k", "--delay", "-5s"], 64, "--delay"),
        (["enqueue", "--kind", "k", "--delay", "99999d"], 64, "3,650 days"),
        (["enqueue", "--kind", "k", "--at", "2031-02-30T00:00:00Z"], 64, "2030-01-31T06:00:00Z"),
        (["enqueue", "--kind", "k", "--at", "2031-02-01T00:00:00Z", "--delay", "1s"], 64, "exclude each other"),
        (["enqueue", "--kind", "k", "--priority", "10"], 64, "0 to 9"),
        (["enqueue", "--kind", "k", "--attempts", "0"], 64, "1 to 10,000"),
        (["enqueue", "--kind", "k", "--content-type", "application/json", "--payload", "{"], 65, "not JSON"),
        (["enqueue", "--kind", "k", "--payload-file", "/nonexistent"], 66, "No such file"),
        (["enqueue", "--kind", "k", "--payload", "a", "-"], 64, "exclude each other"),
        (["enqueue"], 64, "--kind"),
        (["get", "nobody"], 66, "belay ls"),
        (["attempts", "nobody"], 66, "no task"),
        (["cancel", "nobody"], 66, "no task"),
        (["ls", "--limit", "501"], 64, "1 to 500"),
        (["ls", "--state", "lost"], 64, "exhausted"),
        (["ls", "--cursor", "!"], 64, "cursor"),
        (["kinds", "define", "k2", "--lease", "0s"], 64, "50 ms to 24 h"),
        (["kinds", "define", "k2", "--attempts", "10001"], 64, "1 to 10,000"),
        (["kinds", "define", "k2", "--jitter", "2"], 64, "0 to 1"),
        (["kinds", "define", "k2", "--backoff", "fixed", "--cap", "1s"], 64, "--cap"),
        (["kinds", "define", "k2", "--backoff", "list"], 64, "--delays"),
        (["stats", "--namespace", "a{b"], 64, "namespace"),
        (["stats", "--redis", "ftp://x"], 64, "rediss"),
        (["stats", "--redis", "redis://127.0.0.1:1"], 69, "Is Redis running there?"),
        (["work", "--kind", "k"], 64, "--exec"),
        (["work", "--kind", "k", "--slots", "0", "--exec", "true"], 64, "1 to 1000"),
        (["work", "--kind", "k", "--cwd", "/nonexistent", "--exec", "true"], 66, "not a folder"),
        (["work", "--kind", "k", "--once", "--exec", "true"], 75, "nothing is due"),
        (["run", "--id", "x"], 64, "after --"),
        (["run", "--id", "x", "--lock", "1ms", "--", "true"], 64, "50 ms to 24 h"),
        (["reap", "--interval", "1ms"], 64, "10 ms to 1 h"),
        (["dev", "--redis", "redis://x"], 64, "private server"),
        (["demo", "/nonexistent"], 66, "No such file"),
        (["nonsense"], 64, "nonsense"),
    ]

    @Test(arguments: refusals)
    func refusesClearly(_ arguments: [String], _ code: Int32, _ words: String) async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay.expectRefusal(arguments, code, words)
    }

    @Test func refusesALargePayloadWhole() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        let large = try await belay("enqueue", "--kind", "k", "-", input: String(repeating: "x", count: 1 << 20 + 1))
        #expect(large.exitCode == 65)
        #expect(large.error.contains("allowed: 1048576"))
        #expect(try await belay("ls", "--json").lines.isEmpty)
    }

    @Test func wantsAPassword() async throws {
        let server = try await PrivateRedisServer.start(.init(transport: .loopback, password: "secret"))
        defer { server.stop() }
        let belay = CommandLineTool(variables: ["REDIS_URL": "redis://127.0.0.1:\(try #require(server.port))"])
        let refused = try await belay("stats")
        #expect(refused.exitCode == 77)
        #expect(refused.error.contains("redis://user:password@host"))
        #expect(try await belay("stats", "--redis", server.url).exitCode == 0)
    }

    @Test func showsHostileTextHarmlessly() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("enqueue", "--kind", "k", "--id", "a\u{202e}b", "--payload", "\u{1b}[31mred\u{7}\nnext")
        let text = try await belay("get", "a\u{202e}b").out
        #expect(text.contains(#"\e[31mred\u{7}\nnext"#))
        #expect(!text.contains("\u{1b}"))
        #expect(try await belay("ls").out.contains(#"a\u{202e}b"#))
        #expect(try await belay("ls", "--json").object()["id"] == "a\u{202e}b")
    }

    @Test func fitsTheTerminal() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "a-kind-with-quite-a-long-name")
        let id = String(repeating: "long-id-", count: 20)
        try await belay("enqueue", "--kind", "a-kind-with-quite-a-long-name", "--id", id)
        let narrow = try await belay("ls", variables: ["COLUMNS": "80"])
        #expect(narrow.lines.allSatisfy { $0.count <= 80 })
        #expect(narrow.out.contains("…"))
        #expect(try await belay("ls").out.contains(id))
        #expect(try await belay("ls", "--json", variables: ["COLUMNS": "80"]).object()["id"] == id)
    }

    @Test func explainsItself() async throws {
        let belay = try await CommandLineTool.shared()
        let help = try await belay("--help")
        #expect(help.exitCode == 0)
        for code in ["64", "65", "66", "69", "70", "73", "75", "77", "78", "124", "130"] {
            #expect(help.out.contains("\n  \(code) "), "exit code \(code)")
        }
        #expect(help.lines.allSatisfy { $0.count <= 80 })
        let names = [
            "enqueue", "work", "run", "reap", "get", "ls", "attempts", "log", "peek", "queue", "stats", "retry",
            "cancel",
            "pause", "resume", "ignore", "delete", "purge", "kinds", "claim", "renew", "progress", "save", "respond",
            "complete", "fail", "release", "snooze", "serve", "api", "call", "verbs", "dev", "demo",
            "segments",
        ]
        for name in names {
            #expect(help.out.contains("\n  \(name) "), "\(name)")
            let own = try await belay(name, "--help")
            #expect(own.exitCode == 0)
            #expect(own.out.contains("USAGE: belay \(name)"))
            #expect(
                own.lines.allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE:") || $0.hasPrefix("OVERVIEW:") },
                "\(name)"
            )
        }
        #expect(try await belay("--version").out.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
        for shell in ["bash", "zsh", "fish"] {
            #expect(try await belay("--generate-completion-script", shell).out.contains("enqueue"))
        }
    }

    @Test func logsAsAsked() async throws {
        let belay = try await CommandLineTool.shared()
        let json = try await belay("stats", variables: ["LOG_LEVEL": "debug", "LOG_FORMAT": "json"])
        let line = try #require(json.error.split(separator: "\n").first)
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        #expect(object?["level"] as? String == "debug")
        #expect(try await belay("stats", "--log-level", "debug").error.contains(" debug "))
        #expect(try await belay("stats").error.isEmpty)
        let wrong = try await belay("stats", variables: ["LOG_LEVEL": "loud"])
        #expect(wrong.exitCode == 64)
        #expect(wrong.error.contains("critical"))
    }
}
