import BelayTestKit
import Foundation
import Testing

/// The sub-commands with which an operator changes tasks: pause, resume, ignore, delete, retry, log, kinds remove, queue.
@Suite struct CommandLineOperatorTests {
    /// A kind `k`, and waiting tasks of it.
    private func tool(_ ids: String...) async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        for id in ids { try await belay("enqueue", "--kind", "k", "--id", id) }
        return belay
    }

    @Test func pausesAndResumes() async throws {
        let belay = try await tool("a", "b")
        let paused = try await belay("pause", "a", "b", "--message", "the server is down")
        #expect(paused.exitCode == 0)
        #expect(paused.lines == ["a  paused", "b  paused"])
        #expect(try await belay("claim", "k").exitCode == 75)
        let refused = try await belay("claim", "--id", "a")
        #expect(refused.exitCode == 75)
        #expect(refused.error.contains("'belay resume' lets it run"))
        let task = try await belay("get", "a", "--json").object()
        #expect(task["state"] == "paused")
        #expect(task["status"] == "paused")
        #expect(task["statusCode"] == "60")
        #expect(try await belay("ls", "--state", "paused", "--json").lines.count == 2)
        #expect(try await belay("ls", "--state", "paused").lines[1].contains("for "))
        #expect(try await belay("stats", "--json").out.contains(#""paused":2"#))
        #expect(try await belay("stats").lines[0].contains("PAUSED"))

        #expect(try await belay("resume", "a", "--json").object()["outcome"] == "ready")
        #expect(try await belay("claim", "k").exitCode == 0)
        let running = try await belay("pause", "a", "--json")
        #expect(running.exitCode == 1)
        #expect(try running.object()["found"] == "running")
        #expect(try running.object().value["allowed"] as? [String] == ["ready", "paused"])
        let told = try await belay("pause", "a")
        #expect(told.out == "a  refused, it is running\n")
        #expect(told.error.contains("is running; allowed from: ready, paused. 'belay cancel'"))
    }

    @Test func setsTasksAside() async throws {
        let belay = try await tool("a", "b", "c")
        try await belay("cancel", "b")
        #expect(try await belay("ignore", "a", "b", "--message", "known").lines == ["a  ignored", "b  ignored"])
        #expect(try await belay("stats", "--json").out.contains(#""ignored":2"#))
        #expect(try await belay("get", "a").out.contains("status        50 ignored"))
        let claimed = try await belay("claim", "--id", "a")
        #expect(claimed.exitCode == 1)
        #expect(claimed.error.contains("ignored"))
        #expect(try await belay("claim", "--id", "a", "--force").exitCode == 0)
        #expect(try await belay("retry", "b").exitCode == 0)
        try await belay("work", "--kind", "k", "--drain", "--", "true")
        let late = try await belay("ignore", "c")
        #expect(late.exitCode == 1)
        #expect(late.error.contains("is succeeded; allowed from: ready, blocked, paused, exhausted, cancelled"))
    }

    @Test func deletes() async throws {
        let belay = try await tool("a", "b", "held")
        #expect(try await belay("claim", "--id", "held").exitCode == 0)
        #expect(try await belay("delete", "a").out == "a  deleted\n")
        #expect(try await belay("get", "a").exitCode == 66)
        let mixed = try await belay("delete", "b", "held", "--json")
        #expect(mixed.exitCode == 1)
        #expect(try mixed.objects().map { $0["outcome"] } == ["deleted", "running"])
        #expect(mixed.error.contains("--force deletes it all the same"))
        #expect(try await belay("delete", "held", "--force").exitCode == 0)
        #expect(try await belay("delete", "held").exitCode == 66)
        #expect(try await belay("ls", "--json").lines.isEmpty)
    }

    @Test func takesARunningTaskFromItsHolder() async throws {
        let belay = try await tool("a")
        let claim = try await belay("claim", "k").object()
        let refused = try await belay("retry", "a")
        #expect(refused.exitCode == 1)
        #expect(refused.error.contains("--force takes them from their holders"))
        #expect(try await belay("retry", "a", "--force", "--message", "hangs").out == "a  ready\n")
        let lock = ["--token", try #require(claim["token"]), "--fence", try #require(claim["fence"])]
        #expect(try await belay.run(["complete", "a"] + lock) { _ in }.output.exitCode == 75)
        let events = try await belay("log", "a", "--json").objects().compactMap { $0["event"] }
        #expect(events == ["enqueued", "claimed", "superseded", "requeued"])
    }

    @Test func keepsALog() async throws {
        let belay = try await tool()
        let operators = ["BELAY_ACTOR": "ann@desk"]
        try await belay("enqueue", "--kind", "k", "--id", "a", "--message", "by hand", variables: operators)
        try await belay("pause", "a", "--message", "wait", variables: operators)
        try await belay("resume", "a", "--actor", "bob@desk")
        #expect(try await belay("log", "a", "--add", "ticket\n4711", "--actor", "bob@desk").exitCode == 0)
        let lines = try await belay("log", "a", "--json").objects()
        #expect(lines.map { $0["event"] } == ["enqueued", "paused", "resumed", "message"])
        #expect(lines.map { $0["actor"] } == ["ann@desk", "ann@desk", "bob@desk", "bob@desk"])
        #expect(lines.map { $0["message"] } == ["by hand", "wait", "", "ticket\n4711"])
        #expect(lines.map { $0["state"] }.prefix(2) == ["ready", "paused"])
        let table = try await belay("log", "a")
        #expect(table.lines[0].hasPrefix("AT "))
        #expect(table.out.contains(#"ticket\n4711"#))
        // Without a word about it, the actor is the user of the process.
        try await belay("log", "a", "--add", "mine")
        let last = try #require(try await belay("log", "a", "--json").objects().last?["actor"])
        #expect(last.wholeMatch(of: /[!-~]+@[!-~]+/) != nil)
    }

    @Test func namesTasksByKindAndIdentifier() async throws {
        let belay = try await tool()
        try await belay("kinds", "define", "other")
        let made = try await belay("enqueue", "--kind", "k", "--identifier", "7", "--payload", "p", "--json")
        #expect(try made.object()["id"] == "k#7")
        #expect(try await belay("enqueue", "--kind", "other", "--identifier", "7").exitCode == 0)
        #expect(try await belay("enqueue", "--kind", "k", "--identifier", "7").exitCode == 73)
        let name = ["--kind", "k", "--identifier", "7"]
        let task = try await belay.run(["get", "--json"] + name) { _ in }.output.object()
        #expect(task["identifier"] == "7")
        #expect(task["payload", "text"] == "p")
        #expect(try await belay("get", "other#7").out.contains("identifier    7"))
        for command in ["pause", "resume", "ignore", "retry", "cancel", "attempts", "log", "delete"] {
            #expect(try await belay.run([command] + name) { _ in }.output.exitCode == 0, "\(command)")
        }
        let many = ["pause", "--kind", "other", "--identifier", "7", "--identifier", "8", "--json"]
        let outcomes = try await belay.run(many) { _ in }.output
        #expect(outcomes.exitCode == 66)
        #expect(try outcomes.objects().map { $0["outcome"] } == ["paused", "notFound"])
    }

    @Test func showsOneLineOfSeveralKinds() async throws {
        let belay = try await tool("first")
        try await belay("kinds", "define", "other")
        try await belay("enqueue", "--kind", "other", "--id", "second", "--priority", "9")
        try await belay("enqueue", "--kind", "k", "--id", "third", "--delay", "1h")
        func line(_ more: String...) async throws -> [String?] {
            try await belay.run(["queue", "k", "other", "--json"] + more) { _ in }.output.objects().map { $0["id"] }
        }
        #expect(try await line() == ["first", "second"])
        #expect(try await line("--by-priority") == ["second", "first"])
        #expect(try await line("--all") == ["first", "second", "third"])
        #expect(try await line("--all", "--limit", "1") == ["first"])
        #expect(try await belay("queue", "k", "--all").lines.last?.contains("due in 59m") == true)
        let taken = try await belay("claim", "k", "other", "--order", "due", "--json").object()
        #expect(taken["id"] == "first")
    }

    @Test func listsTheLatestFirst() async throws {
        let belay = try await tool("a", "b", "c")
        let forwards = try await belay("ls", "--json").objects().map { $0["id"] }
        let backwards = try await belay("ls", "--newest-first", "--limit", "2", "--json").objects()
        #expect(forwards == ["a", "b", "c"])
        #expect(backwards.map { $0["id"] } == ["c", "b", nil])
    }

    @Test func definesLimitsAndRemovesKinds() async throws {
        let belay = try await tool()
        let define = ["kinds", "define", "few", "--queue-limit", "2", "--timeout", "5m", "--when-exhausted", "ignored"]
        #expect(try await belay.run(define) { _ in }.output.exitCode == 0)
        let policy = try #require(try await belay("kinds", "--json").objects().first { $0["name"] == "few" })
        #expect(policy["timeout"] == "300")
        #expect(policy["queueLimit"] == "2")
        #expect(policy["whenExhausted"] == "ignored")
        let made = try await belay("enqueue", "--kind", "few", "--lines", input: "1\n2\n3\n4\n")
        #expect(made.exitCode == 75)
        #expect(made.lines.count == 2)
        #expect(made.error.contains("is full: 2 tasks wait"))
        #expect(made.error.contains("2 tasks were enqueued before it"))
        #expect(try await belay("enqueue", "--kind", "few", "--json").error.contains(#""code":"full""#))

        let refused = try await belay("kinds", "remove", "few")
        #expect(refused.exitCode == 1)
        #expect(refused.error.contains("has 2 tasks"))
        let removed = try await belay("kinds", "remove", "few", "--force", "--json").object()
        #expect(removed["outcome"] == "removed")
        #expect(removed["tasks"] == "2")
        #expect(try await belay("kinds", "remove", "k").out == "k  removed\n")
        #expect(try await belay("kinds", "remove", "k").exitCode == 66)
        #expect(try await belay("kinds", "--json").lines.isEmpty)
    }

    @Test func setsAsideWhatIsUsedUp() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "crawl", "--attempts", "1", "--when-exhausted", "ignored")
        try await belay("enqueue", "--kind", "crawl", "--id", "a")
        try await belay("work", "--kind", "crawl", "--once", "--", "false")
        #expect(try await belay("get", "a", "--json").object()["state"] == "ignored")
    }

    @Test func writesBytesAsTheyAre() async throws {
        let belay = try await tool()
        try await belay("enqueue", "--kind", "k", "--id", "a", "--payload", "line\n")
        try await belay("work", "--kind", "k", "--once", "--", "printf", #"a\tb"#)
        #expect(try await belay("get", "a", "--raw", "payload").out == "line\n")
        #expect(try await belay("get", "a", "--raw", "result").out == "a\tb")
        let none = try await belay("get", "a", "--raw", "data")
        #expect(none.exitCode == 66)
        #expect(none.error.contains("has no data"))
    }
}
