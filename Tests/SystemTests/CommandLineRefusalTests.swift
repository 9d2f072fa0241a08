import Foundation
import Testing

/// What the commands of operators, holders and services refuse: the call, its exit code, and words of its message.
@Suite struct CommandLineRefusalTests {
    private static let handle = ["a", "--token", "t", "--fence", "1"]

    static let operators: [([String], Int32, String)] = [
        (["pause"], 64, "name a task: its ID, or --kind KIND --identifier NAME"),
        (["pause", "nobody"], 66, "no task “nobody”"),
        (["pause", "a", "--message", String(repeating: "x", count: 1025)], 64, "at most 1024 bytes"),
        (["pause", "a", "--kind", "k"], 64, "--kind and --identifier belong together"),
        (["pause", "--identifier", "7"], 64, "--kind and --identifier belong together"),
        (["pause", "--kind", "k", "--identifier", ""], 64, "1 to 254 bytes"),
        (["pause", "--kind", "a b", "--identifier", "7"], 64, "kind “a b”"),
        (["pause", "a", "b", "--token", "t", "--fence", "1"], 64, "a lock is on one task; 2 are named"),
        (["pause", "a", "--token", "t"], 64, "--token and --fence as 'belay claim' printed them"),
        (["resume", "nobody"], 66, "no task"),
        (["ignore"], 64, "name a task"),
        (["ignore", "nobody"], 66, "no task"),
        (["delete"], 64, "name a task"),
        (["delete", "nobody"], 66, "no task"),
        (["delete", "a\u{7}"], 64, "without control characters"),
        (["retry", "a", "--message", "\u{1b}"], 64, "without control characters"),
        (["log"], 64, "name a task"),
        (["log", "nobody"], 66, "no task"),
        (["log", "nobody", "--add", "x"], 66, "no task"),
        (["log", "a", "--add", String(repeating: "x", count: 1025)], 64, "at most 1024 bytes"),
        (["log", "a", "--kind", "k", "--identifier", "7"], 64, "not both"),
        (["log", "a", "--add", "x", "--actor", "two words"], 64, "actor “two words”"),
        (["queue"], 64, "kinds"),
        (["queue", "a b"], 64, "1 to 64 of"),
        (["queue", "k", "--limit", "0"], 64, "1 to 500"),
        (["kinds", "remove", "nokind"], 66, "no kind “nokind”"),
        (["kinds", "remove", "a b"], 64, "1 to 64 of"),
        (["kinds", "define", "k2", "--timeout", "1ms"], 64, "50 ms to 3,650 days"),
        (["kinds", "define", "k2", "--queue-limit", "0"], 64, "1 to 1,000,000,000"),
        (["kinds", "define", "k2", "--when-exhausted", "never"], 64, "exhausted"),
        (["enqueue", "--kind", "k", "--id", "a", "--identifier", "7"], 64, "exclude each other"),
        (["enqueue", "--kind", "k", "--identifier", "7", "--lines"], 64, "--lines makes many"),
        (["enqueue", "--kind", "k", "--message", String(repeating: "x", count: 1025)], 64, "at most 1024 bytes"),
        (["get"], 64, "name a task"),
        (["get", "a", "--raw", "all"], 64, "payload"),
        (["get", "a", "b", "--raw", "data"], 64, "2 are named"),
        (["get", "nobody", "--raw", "data"], 66, "no task"),
    ]

    static let holders: [([String], Int32, String)] = [
        (["claim"], 64, "give either kinds, or one task"),
        (["claim", "k", "--id", "a"], 64, "give either kinds, or one task"),
        (["claim", "k", "--steal"], 64, "are of one named task"),
        (["claim", "--id", "a", "--limit", "2"], 64, "are of kinds"),
        (["claim", "--id", "a", "--kind", "k"], 64, "name the task either by --id"),
        (["claim", "--id", "nobody"], 66, "no task"),
        (["claim", "k", "--limit", "501"], 64, "1 to 500"),
        (["claim", "k", "--limit", "2", "--export"], 64, "--export takes one claim"),
        (["claim", "k", "--lease", "1ms"], 64, "50 ms to 24 h"),
        (["claim", "k", "--token", "a b"], 64, "1 to 64 printable ASCII"),
        (["claim", "k", "--worker", ""], 64, "worker name"),
        (["claim", "k", "--order", "newest"], 64, "priority"),
        (["claim", "k", "--partitions", "257"], 64, "1 to 256"),
        (["claim", "k", "--partitions", "2"], 78, "has 1 partition:"),
        (["claim", "k"], 75, "nothing is due"),
        (["renew"], 64, "--token and --fence as 'belay claim' printed them"),
        (["renew", "a", "--fence", "1"], 64, "--token and --fence"),
        (["renew", "a", "--token", "t", "--fence", "x"], 64, "--fence"),
        (["renew"] + handle + ["--lease", "0s"], 64, "50 ms to 24 h"),
        (["renew"] + handle, 66, "no task"),
        (["progress"] + handle + ["--fraction", "2"], 64, "0 to 1"),
        (["progress"] + handle + ["--message", String(repeating: "x", count: 65)], 64, "64 bytes"),
        (["progress"] + handle, 66, "no task"),
        (["save"] + handle + ["--text", "a", "--file", "b"], 64, "exclude each other"),
        (["save"] + handle + ["--file", "/nonexistent"], 66, "No such file"),
        (["save"] + handle + ["--text", "{", "--content-type", "application/json"], 65, "not JSON"),
        (["save"] + handle + ["--text", "a"], 66, "no task"),
        (["respond"] + handle + ["--text", "a", "--content-type", String(repeating: "x", count: 65)], 64, "64 bytes"),
        (["respond"] + handle, 66, "no task"),
        (["complete"] + handle, 66, "no task"),
        (["fail"] + handle, 64, "--message"),
        (["fail"] + handle + ["--message", "m", "--permanent", "--cancelled"], 64, "exclude each other"),
        (["fail"] + handle + ["--message", "m", "--after", "99999d"], 64, "3,650 days"),
        (["fail"] + handle + ["--message", "m"], 66, "no task"),
        (["release"] + handle + ["--delay", "5"], 64, "250ms, 5s"),
        (["release"] + handle, 66, "no task"),
        (["snooze"] + handle, 64, "--for"),
        (["snooze"] + handle + ["--for", "99999d"], 64, "3,650 days"),
        (["snooze"] + handle + ["--for", "1s"], 66, "no task"),
    ]

    static let services: [([String], Int32, String)] = [
        (["serve", "--listen", "7464"], 64, "127.0.0.1:7464 or [::1]:7464"),
        (["serve", "--listen", "::1:7464"], 64, "[::1]:7464"),
        (["serve", "--listen", ":7464"], 64, "0.0.0.0 listens on all"),
        (["serve", "--listen", "127.0.0.1:65536"], 64, "not an address with a port"),
        (["serve", "--listen", "0.0.0.0:0"], 64, "give a token, or listen on 127.0.0.1"),
        (["serve", "--max-request", "1"], 64, "1024 to 268435456"),
        (["serve", "--namespaces", "a,a"], 64, "each only once"),
        (["serve", "--namespaces", "a,"], 64, "namespace “”"),
        (["serve", "--write-token-file", "/nonexistent"], 66, "No such file"),
        (["serve", "--write-token-file", "/dev/null"], 65, "holds no token"),
        (["serve", "--redis", "redis://127.0.0.1:1"], 69, "Is Redis running there?"),
        (["api", "--namespaces", "a b"], 64, "namespace “a b”"),
        (["api", "--max-request", "-1"], 64, "--max-request"),
        (["call"], 64, "verb"),
        (["call", "stats", "--namespaces", "a{"], 64, "namespace"),
    ]

    @Test(arguments: operators + holders + services)
    func refusesClearly(_ arguments: [String], _ code: Int32, _ words: String) async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        try await belay.expectRefusal(arguments, code, words)
    }

    /// `belay call` tells its problems as problem+json, whatever `--json` says.
    static let problems: [([String], Int32, String)] = [
        (["nonsense"], 64, "unknownVerb"),
        (["stats", "{"], 64, "malformedRequest"),
        (["stats", "[]"], 64, "malformedRequest"),
        (["stats", #"{"a":1}"#], 64, "unknownField"),
        (["get", #"{"tasks":[""]}"#], 64, "invalidArgument"),
        (["enqueue", #"{"tasks":[{"kind":"nokind"}]}"#], 66, "unknownKind"),
        (["define", #"{"kind":"k","policy":{"attempts":2}}"#], 78, "kindConflict"),
        (["clock/advance", #"{"by":1}"#], 77, "clockRefused"),
        (["stats", "--redis", "redis://127.0.0.1:1"], 69, "unavailable"),
        (
            ["stats", "--max-request", "1024", #"{"a":""# + String(repeating: "x", count: 2000) + #""}"#], 65,
            "requestTooLarge"
        ),
    ]

    @Test(arguments: problems)
    func tellsProblems(_ arguments: [String], _ code: Int32, _ name: String) async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        let refused = try await belay.run(["call"] + arguments) { _ in }.output
        #expect(refused.exitCode == code, "\(refused.error)")
        #expect(refused.out.isEmpty)
        let problem = try JSONSerialization.jsonObject(with: Data(refused.error.utf8)) as? [String: Any]
        #expect(problem?["code"] as? String == name)
        #expect((problem?["detail"] as? String)?.isEmpty == false)
    }
}
