import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `belay hooks`: add, list, remove, run.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CommandLineHookTests {
    private func tool() async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay("kinds", "define", "note")
        return belay
    }

    /// A task that has succeeded.
    private func end(_ id: String, _ belay: CommandLineTool, payload: String = "{}") async throws {
        try await belay("enqueue", "--kind", "k", "--id", id, "-", input: payload)
        try #require(try await belay("work", "--kind", "k", "--once", "--exec", "true").exitCode == 0)
    }

    @Test func addsListsAndRemoves() async throws {
        let belay = try await tool()
        #expect(try await belay("hooks").out.split(separator: "\n").count <= 1)
        let added = try await belay(
            "hooks",
            "add",
            "w",
            "--state",
            "exhausted",
            "--state",
            "ignored",
            "--kind",
            "k*",
            "--kind",
            "!k2",
            "--tag",
            "a",
            "--field",
            #"payload:/a="b""#,
            "--webhook",
            "https://h.example/x",
            "--secret-file",
            "-",
            "--header",
            "X-A: b: c",
            "--json",
            input: "hush\n"
        )
        let object = try added.object()
        #expect(object["name"] == "w")
        #expect(object["webhook", "signed"] == "1")
        #expect(object["webhook", "headers", "X-A"] == "b: c")
        #expect(object["field", "pointer"] == "/a")
        #expect(!added.out.contains("hush"))
        #expect(
            try await belay("hooks", "add", "n", "--kind", "k", "--enqueue", "note", "--payload", "{{id}}").out == ""
        )
        let table = try await belay("hooks", "list")
        #expect(table.lines.count == 3)
        #expect(table.lines[1].contains("enqueue note {{id}}"))
        #expect(table.lines[2].contains("exhausted,ignored"))
        #expect(table.lines[2].contains("k*,!k2"))
        #expect(table.lines[2].contains(#"payload:/a="b""#))
        #expect(table.lines[2].contains("POST https://h.example/x signed"))
        #expect(!table.out.contains("hush"))
        #expect(try await belay("hooks", "remove", "w").out == "w  removed\n")
        try await belay.expectRefusal(["hooks", "remove", "w"], 66, "no hook “w”")
        #expect(try await belay("hooks", "list", "--json").objects().map { $0["name"] } == ["n"])
    }

    @Test func refusesHooksThatAreNone() async throws {
        let belay = try await tool()
        for (arguments, code, words) in [
            (["w"], 64, "either --enqueue or --webhook"),
            (["w", "--enqueue", "note", "--webhook", "http://h/"], 64, "either"),
            (["w", "--enqueue", "k"], 64, "!k"),
            (["w", "--kind", "k", "--enqueue", "none"], 66, "kind “none” is not defined"),
            (["w", "--webhook", "h"], 64, "http:// or https://"),
            (["w", "--state", "running", "--webhook", "http://h/"], 64, "succeeded"),
            (["w", "--kind", "a**", "--webhook", "http://h/"], 64, "thumb*"),
            (["w", "--field", "payload:/a=high", "--webhook", "http://h/"], 64, "in JSON"),
            (["a b", "--webhook", "http://h/"], 64, "name of a hook"),
            (["w", "--webhook", "http://h/", "--header", "x"], 64, "no colon"),
            (["w", "--webhook", "http://h/", "--payload", "x"], 64, "--enqueue"),
            (["w", "--enqueue", "note", "--header", "A: b"], 64, "--webhook"),
        ] as [([String], Int32, String)] {
            try await belay.expectRefusal(["hooks", "add"] + arguments, code, words)
        }
        #expect(try await belay("hooks", "list", "--json").out == "")
    }

    @Test func runsOnce() async throws {
        let belay = try await tool()
        try await end("early", belay)
        try await belay("hooks", "add", "n", "--kind", "k", "--enqueue", "note", "--payload", #"{"of":"{{id}}"}"#)
        try await belay("hooks", "add", "all", "--kind", "k", "--enqueue", "note")
        try await end("a", belay)
        #expect(try await belay("hooks", "run", "--once").out == "2 created\n")
        #expect(try await belay("hooks", "run", "--once", "--json").object()["created"] == "0")
        let made = try await belay("ls", "--kind", "note", "--json").objects().compactMap { $0["id"] }.sorted()
        try #require(made.count == 2)
        #expect(made[0].hasPrefix("hook/all/a/"))
        #expect(made[1].hasPrefix("hook/n/a/"))
        #expect(try await belay("get", made[1], "--json").object()["payload", "text"] == #"{"of":"a"}"#)
        let document = try await belay("get", made[0], "--json").object()["payload", "text"] ?? ""
        let fields = try JSONSerialization.jsonObject(with: Data(document.utf8)) as? [String: Any]
        #expect(fields?["hook"] as? String == "all")
        #expect((fields?["task"] as? [String: Any])?["id"] as? String == "a")
    }

    @Test func runsUntilItIsAskedToEnd() async throws {
        let belay = try await tool()
        try await belay("hooks", "add", "n", "--kind", "k", "--enqueue", "note")
        // Nobody listens there, so the webhook is tried again.
        try await belay("hooks", "add", "w", "--kind", "k", "--webhook", "http://127.0.0.1:1/")
        let (output, _) = try await belay.run(["hooks", "run", "--interval", "10ms"]) { process in
            defer { kill(process, SIGTERM) }
            try await end("a", belay)
            try await eventually {
                let counts = try await belay("ls", "--json", "--kind", "note", "--kind", "belay.webhook").objects()
                return counts.count == 2 && counts.contains { $0["kind"] == "belay.webhook" && $0["failures"] != "0" }
            }
        }
        #expect(output.exitCode == 0, "\(output.error)")
    }

    @Test func runsInsideTheService() async throws {
        let belay = try await tool()
        let output = try await belay.withService("--hooks") { service in
            let hook = #"{"name":"n","kinds":["k"],"enqueue":{"kind":"note","payload":{"text":"{{id}}"}}}"#
            #expect(try await service.call("defineHook", hook, of: belay)["outcome"] == "defined")
            try await end("a", belay)
            try await eventually { try await belay("ls", "--json", "--kind", "note").objects().count == 1 }
        }
        #expect(output.exitCode == 0, "\(output.error)")
    }
}
