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

/// `belay serve`, `api`, `call` and `verbs`: the machine interface as real processes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CommandLineServiceTests {
    @Test func listsAndCallsVerbs() async throws {
        let belay = try await CommandLineTool.shared()
        let verbs = try await belay("verbs", "--json").objects()
        for verb in ["enqueue", "claim", "acquire", "pause", "logs", "clock/set"] {
            #expect(verbs.contains { $0["name"] == verb }, "\(verb)")
        }
        #expect(try await belay("verbs").lines.count == verbs.count + 1)
        #expect(try await belay("call", "define", #"{"kind":"k"}"#).exitCode == 0)
        let made = try await belay("call", "enqueue", "-", input: #"{"tasks":[{"kind":"k","id":"a"}]}"#)
        #expect(try made.object().value.description.contains("created"))
        #expect(try await belay("call", "claim", #"{"kinds":["k"]}"#).out.contains(#""id":"a""#))
        // A refusal of daily work is an answer.
        let again = try await belay("call", "acquire", #"{"task":"a"}"#)
        #expect(again.exitCode == 0)
        #expect(try again.object()["outcome"] == "locked")
    }

    @Test func answersJSONLines() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k")
        let requests =
            (1...300).map { #"{"id":\#($0),"verb":"enqueue","request":{"tasks":[{"kind":"k"}]}}"# }
            + [
                "", #"{"id":"text","verb":"stats"}"#, "nonsense", #"{"id":9007199254740993,"verb":"nonsense"}"#,
                #"{"id":"else","verb":"kinds","namespace":"unknown"}"#,
            ]
        let answered = try await belay("api", input: requests.joined(separator: "\n"))
        #expect(answered.exitCode == 0)
        let answers = try answered.objects()
        #expect(answers.count == 304)
        #expect(Set(answers.compactMap { $0["id"] }).isSuperset(of: (1...300).map(String.init) + ["text"]))
        #expect(answered.out.contains(#""id":9007199254740993,"problem""#))
        #expect(answers.first { $0["id"] == "else" }?["problem", "code"] == "unknownNamespace")
        #expect(answers.filter { $0["problem", "code"] == "malformedRequest" }.count == 1)
        #expect(try await belay("stats", "--json").out.contains(#""ready":300"#))
    }

    @Test func movesAManualClock() async throws {
        let belay = try await CommandLineTool.shared()
        func days(_ lines: String...) async throws -> [CommandLineTool.JSONObject] {
            // One after another: each line waits for nothing but its own process.
            var answers: [CommandLineTool.JSONObject] = []
            answers += try await belay("api", "--manual-clock", input: lines.joined(separator: "\n")).objects()
            return answers
        }
        _ = try await days(#"{"id":1,"verb":"define","request":{"kind":"k"}}"#)
        let set = try await days(#"{"id":1,"verb":"clock/set","request":{"time":"2030-01-31T06:00:00Z"}}"#)
        #expect(set[0]["result", "now"] == "2030-01-31T06:00:00.000000Z")
        // A tracker of one clock is not for the other.
        #expect(try await belay("stats").exitCode == 78)
        let refused = try await belay(
            "api",
            input: #"{"id":1,"verb":"clock/set","request":{"time":"2030-01-31T06:00:00Z"}}"#
        )
        #expect(try refused.object()["problem", "code"] == "clockRefused")
    }

    @Test func livesThroughDaysInMoments() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay.withService("--manual-clock", "--no-reap") { service in
            func call(_ verb: String, _ body: String) async throws -> CommandLineTool.JSONObject {
                try await service.call(verb, body, of: belay)
            }
            _ = try await call(
                "define",
                #"{"kind":"k","policy":{"lease":3600,"retry":{"backoff":"fixed","base":86400}}}"#
            )
            _ = try await call("enqueue", #"{"tasks":[{"kind":"k","id":"a"}]}"#)
            let first = try await call("claim", #"{"kinds":["k"]}"#)
            let moved = try await call("clock/advance", #"{"by":3601}"#)
            let reaped = try await call("reap", "{}")
            let early = try await call("claim", #"{"kinds":["k"]}"#)
            _ = try await call("clock/advance", #"{"by":86400}"#)
            let second = try await call("claim", #"{"kinds":["k"]}"#)
            #expect((first.value["claims"] as? [Any])?.count == 1)
            #expect(moved["now"] == "2026-01-01T01:00:01.000000Z")
            #expect(reaped.value.description.contains("ready"))
            #expect((early.value["claims"] as? [Any])?.isEmpty == true)
            #expect((second.value["claims"] as? [[String: Any]])?.first?["attempt"] as? Int == 2)
        }
    }

    @Test func endsTheLineServerBySIGTERM() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let pipe = folder + "/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            // A writer that stays keeps stdin open.
            let script =
                "exec 3<>\(pipe); echo '{\"id\":1,\"verb\":\"stats\"}' >&3; \(BelayBinary.path) api <&3 & "
                + "sleep 1; kill -TERM $!; wait $!; echo ended $?"
            let shell = try await BelayBinary.run("sh", ["-c", script], environment: belay.variables)
            #expect(shell.standardOutput.contains(#""id":1,"result""#))
            #expect(shell.standardOutput.hasSuffix("ended 0\n"), "\(shell.standardError)")
        }
    }

    @Test func servesOverHTTP() async throws {
        let belay = try await CommandLineTool.shared()
        let left = try await belay.withService { service in
            #expect(try await service.send("/livez").status == 200)
            let ready = try await service.send("/readyz")
            #expect(ready.status == 200, "\(ready.text)")
            _ = try await service.call("define", #"{"kind":"k"}"#, of: belay)
            _ = try await service.call(
                "enqueue",
                #"{"tasks":[{"kind":"k","id":"a","payload":{"json":[1]}}]}"#,
                of: belay
            )
            let claim = try await service.call("claim", #"{"kinds":["k"]}"#, of: belay)
            let held = try #require((claim.value["claims"] as? [[String: Any]])?.first?["handle"] as? [String: Any])
            let (token, fence) = (try #require(held["token"] as? String), try #require(held["fence"] as? Int))
            let done = #"{"tasks":[{"handle":{"id":"a","token":"\#(token)","fence":\#(fence)}}]}"#
            _ = try await service.call("complete", done, of: belay)
            #expect(try await belay("get", "a", "--json").object()["state"] == "succeeded")
            let metrics = try await service.send("/metrics")
            #expect(metrics.text.contains(#"kind="k",state="succeeded"} 1"#))
            #expect(try await service.send("/openapi.json").object()["openapi"]?.hasPrefix("3.") == true)
            #expect(try await service.send("/version").object()["name"] == "belay")
            let refused = try await service.send("/v1/nowhere/stats", "{}")
            #expect(refused.status == 404)
            #expect(refused.contentType.hasPrefix("application/problem+json"))
            #expect(try refused.object()["code"] == "unknownNamespace")
            let large = #"{"tasks":["\#(String(repeating: "x", count: 9 << 20))"]}"#
            #expect(try await service.send("/v1/\(belay.variables["BELAY_NAMESPACE"] ?? "")/get", large).status == 413)
        }
        #expect(left.exitCode == 0, "\(left.error)")
        #expect(left.lines.count == 1)
    }

    @Test func asksForTokens() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            let (reader, writer) = ("reader-0123456789abcdef", "writer-0123456789abcdef")
            try Data("\n\(writer)\nanother-0123456789abcdef\n".utf8).write(to: URL(filePath: folder + "/write"))
            let path = "/v1/\(belay.variables["BELAY_NAMESPACE"] ?? "")/"
            try await belay.withService(
                "--write-token-file",
                folder + "/write",
                variables: ["BELAY_READ_TOKENS": reader]
            ) { service in
                func status(_ verb: String, _ body: String = "{}", _ token: String? = nil) async throws -> Int {
                    try await service.send(path + verb, body, token: token).status
                }
                let define = #"{"kind":"k"}"#
                let open = try await service.send("/livez").status
                let strangers = [try await status("stats"), try await status("stats", "{}", "wrong-0123456789abcdef")]
                let readers = [try await status("stats", "{}", reader), try await status("define", define, reader)]
                let writers = try await status("define", define, writer)
                let closed = try await service.send("/metrics").status
                #expect(open == 200)
                #expect(strangers == [401, 401])
                #expect(readers == [200, 403])
                #expect(writers == 200)
                #expect(closed == 401)
            }
        }
    }

    @Test func reapsUnlessToldNotTo() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--lease", "100ms", "--base", "1ms")
        try await belay("enqueue", "--kind", "k", "--id", "a")
        try await belay.withService("--no-reap") { _ in
            #expect(try await belay("claim", "k").exitCode == 0)
            try await Task.sleep(for: .seconds(2))
            #expect(try await belay("get", "a", "--json").object()["state"] == "running")
        }
        // Two reapers at once: the crash is counted once.
        try await belay.withService { _ in
            try await belay.withService { _ in try await belay.waitForState("ready", of: "a") }
        }
        #expect(try await belay("get", "a", "--json").object()["crashes"] == "1")
    }

    @Test func losesNothingWhenItIsKilled() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay("kinds", "define", "k", "--lease", "300ms", "--base", "1ms")
        try await belay("enqueue", "--kind", "k", "--lines", input: (1...20).map(String.init).joined(separator: "\n"))
        let killed = try await belay.withService { service in
            let claim = try await service.call("claim", #"{"kinds":["k"],"limit":20}"#, of: belay)
            #expect((claim.value["claims"] as? [Any])?.count == 20)
            kill(service.processID, SIGKILL)
        }
        #expect(killed.exitCode == 137)
        try await belay.withService { service in
            try await eventually {
                let stats = try await service.call("stats", "{}", of: belay)
                let kinds = stats.value["kinds"] as? [[String: Any]] ?? []
                return kinds.first { $0["kind"] as? String == "k" }?["ready"] as? Int == 20
            }
        }
        #expect(try await belay("work", "--kind", "k", "--drain", "--slots", "4", "--", "true").exitCode == 0)
        #expect(try await belay("ls", "--state", "succeeded", "--all", "--json").lines.count == 20)
    }

    @Test func endsInTimeWhenAsked() async throws {
        let belay = try await CommandLineTool.shared()
        let left = try await belay.withService { service in
            #expect(try await service.send("/livez").status == 200)
            let asked = ContinuousClock.now
            kill(service.processID, SIGTERM)
            try await eventually { kill(service.processID, 0) != 0 || isZombie(service.processID) }
            #expect(asked.duration(to: .now) < .seconds(5))
        }
        #expect(left.exitCode == 0)
    }

    @Test func answersWhatIsUnderWayWhenAskedToEnd() async throws {
        try await withPrivateRedisServer { server in
            let belay = CommandLineTool(variables: ["REDIS_URL": server.url, "BELAY_NAMESPACE": "slow"])
            let left = try await belay.withService { service in
                _ = try await service.call("define", #"{"kind":"k"}"#, of: belay)
                server.pause()
                async let slow = service.call("enqueue", #"{"tasks":[{"kind":"k","id":"a"}]}"#, of: belay)
                try await Task.sleep(for: .milliseconds(300))
                kill(service.processID, SIGTERM)
                try await Task.sleep(for: .milliseconds(700))
                #expect(!isZombie(service.processID), "it does not wait for the answer")
                server.resume()
                #expect(try await slow.value.description.contains("created"))
                // A second SIGTERM, of the fixture, would end what has done its work and is about to end.
                try await eventually { isZombie(service.processID) }
            }
            #expect(left.exitCode == 0, "\(left.error)")
            #expect(try await belay("ls", "--json").lines.count == 1)
        }
    }

    @Test func saysThatThePortIsTaken() async throws {
        let belay = try await CommandLineTool.shared()
        try await belay.withService { service in
            let address = service.url.replacing("http://", with: "")
            let refused = try await belay("serve", "--listen", address)
            #expect(refused.exitCode == 73)
            #expect(refused.error.contains("cannot listen on \(address)"))
        }
    }
}
