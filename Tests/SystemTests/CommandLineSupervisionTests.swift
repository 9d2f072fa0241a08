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

/// The sub-commands that tell what is going on: explain, events, workers, kinds pause and resume.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CommandLineSupervisionTests {
    /// A kind `k`, and waiting tasks of it.
    private func tool(_ ids: String...) async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        for id in ids { try await belay("enqueue", "--kind", "k", "--id", id) }
        return belay
    }

    @Test func pausesKinds() async throws {
        let belay = try await tool("a")
        try await belay("kinds", "define", "other")
        try await belay("enqueue", "--kind", "other", "--id", "b")
        #expect(try await belay("kinds", "pause", "k", "--message", "disk full").out == "k  paused\n")
        #expect(try await belay("claim", "k").exitCode == 75)
        #expect(try await belay("claim", "other").exitCode == 0)
        // New tasks wait; a named one may be claimed.
        #expect(try await belay("enqueue", "--kind", "k", "--id", "c").exitCode == 0)
        #expect(try await belay("claim", "--id", "c").exitCode == 0)

        let all = try await belay("kinds", "pause", "--all", "--json")
        #expect(try all.object()["outcome"] == "paused")
        #expect(try all.object()["kind"] == nil)
        // Two pauses, each with its own end.
        #expect(try await belay("kinds", "resume", "k", "--json").object()["kind"] == "k")
        #expect(try await belay("claim", "k").exitCode == 75)
        #expect(try await belay("kinds", "resume", "--all").out == "the whole tracker  resumed\n")
        #expect(try await belay("claim", "k").exitCode == 0)
        #expect(try await belay("kinds", "resume", "k").exitCode == 0)
    }

    @Test func refusesGatesThatAreNone() async throws {
        let belay = try await tool()
        for command in ["pause", "resume"] {
            try await belay.expectRefusal(["kinds", command], 64, "give --all")
            try await belay.expectRefusal(["kinds", command, "k", "--all"], 64, "not both")
            try await belay.expectRefusal(["kinds", command, "none"], 66, "kind “none” is not defined")
        }
        let long = String(repeating: "x", count: 65)
        try await belay.expectRefusal(["kinds", "pause", "k", "--message", long], 64, "at most 64 bytes")
    }

    @Test func explains() async throws {
        let belay = try await tool("a")
        #expect(try await belay("explain", "a").out == "no live worker takes its kind; there never was one\n")
        try await belay("kinds", "pause", "k", "--message", "disk full", "--actor", "ann@desk")
        try await belay("enqueue", "--kind", "k", "--identifier", "7", "--delay", "1h")
        let told = try await belay("explain", "--kind", "k", "--identifier", "7")
        #expect(told.exitCode == 0)
        #expect(told.lines.count == 3)
        #expect(told.lines[0].hasPrefix("not due before "))
        #expect(told.lines[1].contains("by ann@desk: disk full"))
        let object = try await belay("explain", "k#7", "--json").object()
        #expect(object["id"] == "k#7")
        #expect(object["state"] == "ready")
        let reasons = try #require(object.value["reasons"] as? [[String: Any]])
        #expect(reasons.compactMap { $0["reason"] as? String } == ["notDue", "kindPaused", "noWorker"])
        #expect(reasons[0]["delay"] as? Double ?? 0 > 3500)
        #expect(reasons[1]["by"] as? String == "ann@desk")
        #expect(
            reasons.compactMap { $0["text"] as? String }
                == told.lines.enumerated().map { place, line in
                    place == 0 ? reasons[0]["text"] as? String ?? "" : line
                }
        )

        try await belay("claim", "--id", "a", "--worker", "h:1:x")
        #expect(try await belay("explain", "a").out.hasPrefix("runs at h:1:x until "))
        try await belay("retry", "a", "--force")
        try await belay("cancel", "a", "--reason", "not needed")
        #expect(try await belay("explain", "a").out.contains(": not needed\n"))

        try await belay.expectRefusal(["explain", "none"], 66, "no task “none” in this tracker")
        try await belay.expectRefusal(["explain"], 64, "name a task")
        try await belay.expectRefusal(["explain", "--kind", "k"], 64, "belong together")
        try await belay.expectRefusal(["explain", "a", "--kind", "k", "--identifier", "7"], 64, "not both")
    }

    @Test func showsWhoWorks() async throws {
        let belay = try await tool("a", "b")
        #expect(try await belay("workers").lines.count == 1)
        #expect(try await belay("workers", "--json").out.isEmpty)
        try await belay("claim", "k", "--worker", "h:1:claims")
        _ = try await belay.run(["work", "--kind", "k", "--slots", "3", "--", "true"]) { process in
            try await eventually(within: .seconds(20)) {
                try await belay("workers", "--json").objects().contains { $0["slots"] == "3" }
            }
            let living = try await belay("workers", "--json").objects().first { $0["slots"] == "3" }
            #expect(living?.value["alive"] as? Bool == true)
            #expect(living?.value["kinds"] as? [String] == ["k"])
            #expect(living?["interval"] == "10")
            #expect(try await belay("workers").lines.contains { $0.contains("  alive  ") })
            kill(process, SIGTERM)
        }
        let lines = try await belay("workers").lines
        #expect(lines[0].hasPrefix("WORKER "))
        #expect(lines.contains { $0.contains("  left  ") && $0.contains("0 of 3") })
        #expect(lines.contains { $0.hasPrefix("h:1:claims") && $0.contains("claims only") })
        #expect(try await belay("workers", "--limit", "1").lines.count == 2)
        try await belay.expectRefusal(["workers", "--limit", "0"], 64, "“0” is not allowed; allowed: 1 to 500")
    }

    @Test func showsEvents() async throws {
        let belay = try await tool("a", "b")
        try await belay("kinds", "define", "other")
        try await belay("enqueue", "--kind", "other", "--id", "c")
        try await belay("cancel", "a", "--reason", "not needed")
        let all = try await belay("events", "--all", "--json").objects()
        let names = all.compactMap { $0["name"] }
        try #require(names == ["defined", "enqueued", "enqueued", "defined", "enqueued", "cancelled"])
        #expect(all[1]["task"] == "a")
        #expect(all[1]["celeryType"] == "task-sent")
        #expect(all[1].value["active"] as? Bool == true)
        #expect(all[0]["celeryType"] == nil)
        // Without a word about it the last 100, which are all.
        let lines = try await belay("events").lines
        #expect(lines.count == names.count)
        #expect(zip(lines, all).allSatisfy { $0.contains($1["position"] ?? "?") && $0.contains($1["name"] ?? "?") })
        #expect(lines.last?.hasSuffix("  not needed") == true)

        #expect(try await belay("events", "--kind", "other", "--json").objects().count == 2)
        let ofTask = try await belay("events", "--id", "a", "--json").objects()
        #expect(ofTask.map { $0["name"] } == ["enqueued", "cancelled"])
        let position = try #require(all[3]["position"])
        let rest = try await belay("events", "--from", position, "--json").objects()
        #expect(rest.map { $0["name"] } == ["enqueued", "cancelled"])
        let lost = try await belay("events", "--from", "5-5/0", "--json").objects()
        #expect(lost.compactMap { $0["name"] } == ["history-lost"] + names)

        for wrong in ["yesterday", "5-5", "+5-5/0", "5-5/-1", ""] {
            try await belay.expectRefusal(["events", "--from", wrong], 64, "is no position")
        }
        try await belay.expectRefusal(["events", "--from", position, "--all"], 64, "not both")
        try await belay.expectRefusal(["events", "--kind", "a b"], 64, "“a b” is not allowed")
        try await belay.expectRefusal(["events", "--id", ""], 64, "not allowed")
    }

    @Test func showsTheLastHundredEvents() async throws {
        let belay = try await tool()
        let lines = (1...120).map { #"{"kind":"k","id":"\#($0)"}"# }
        let request = #"{"id":1,"verb":"enqueue","request":{"tasks":[\#(lines.joined(separator: ","))]}}"#
        #expect(try await belay("api", input: request + "\n").exitCode == 0)
        let last = try await belay("events", "--json").objects()
        #expect(last.count == 100)
        #expect(last.first?["task"] == "21")
        #expect(last.last?["task"] == "120")
        #expect(try await belay("events", "--all").lines.count == 121)
        // In the middle of what one call did.
        let middle = try #require(last[49]["position"])
        #expect(try await belay("events", "--from", middle, "--json").objects().count == 50)
    }

    @Test(arguments: [SIGINT, SIGTERM]) func followsWhatOthersDo(signal: Int32) async throws {
        let belay = try await tool("before")
        try await withTemporaryFolder { folder in
            let file = folder + "/out"
            let (output, _) = try await belay.run(
                ["events", "--follow", "--kind", "k", "--json"],
                outputFile: file
            ) { process in
                defer { kill(process, signal) }
                // It begins with now: until it is there, nothing that others do is seen.
                try await eventually(within: .seconds(20)) {
                    try await belay("enqueue", "--kind", "k", "--id", "seen-" + UUID().uuidString)
                    return try String(contentsOfFile: file, encoding: .utf8).contains("seen-")
                }
                try await belay("cancel", "before", "--reason", "done")
                try await eventually(within: .seconds(20)) {
                    try String(contentsOfFile: file, encoding: .utf8).contains(#""name":"cancelled""#)
                }
            }
            #expect(output.exitCode == 0, "\(output.error)")
            let events = try output.objects()
            #expect(!events.contains { $0["name"] == "enqueued" && $0["task"] == "before" })
            #expect(events.last?["task"] == "before")

            // From a position it goes on without a gap or a repeat.
            let first = try #require(events.first?["position"])
            let again = try await belay.run(
                ["events", "--follow", "--from", first, "--json"],
                outputFile: folder + "/again"
            ) { process in
                defer { kill(process, signal) }
                try await eventually(within: .seconds(20)) {
                    try String(contentsOfFile: folder + "/again", encoding: .utf8).contains(#""name":"cancelled""#)
                }
            }
            #expect(again.output.exitCode == 0)
            #expect(try again.output.objects().map { $0["position"] } == events.dropFirst().map { $0["position"] })
        }
    }

    @Test func followsNothingThatIsNotThere() async throws {
        var belay = try await tool()
        belay.variables["REDIS_URL"] = "redis://127.0.0.1:1"
        try await belay.expectRefusal(["events", "--follow"], 69, "127.0.0.1:1")
    }
}
