import Belay
import BelayTestKit
import Testing

@testable import BelayService

@Suite("The dispatcher")
struct DispatcherTests {
    private static let big = 9_007_199_254_740_993

    @Test("performs every verb on Redis and in memory", arguments: [true, false])
    func everyVerb(onRedis: Bool) async throws {
        let clock = ManualClock()
        func run(_ tracker: Tracker) async throws {
            var walk = Walk(dispatcher: try Dispatcher(tracker, clock: clock))
            try await walk.kindsAndTasks()
            try await walk.holders()
            try await walk.operators()
            try await walk.supervision()
            try await walk.hooks()
            try await walk.flows()
            try await walk.foreign()
            try await walk.segments()
            try await walk.sweepsAndClock(namespace: tracker.namespace)
            #expect(walk.called == Set(VerbTable.entries.map(\.name)))
        }
        if onRedis {
            try await withRedisTracker(clock: clock) { try await run($0) }
        } else {
            try await withInMemoryTracker(clock: clock) { tracker, _ in try await run(tracker) }
        }
    }

    @Test("lives through days in no time")
    func days() async throws {
        let clock = ManualClock()
        try await withRedisTracker(clock: clock) { tracker in
            let service = try Dispatcher(tracker, clock: clock)
            let start = try await service.call("clock/set", #"{"time":"2030-01-01T00:00:00Z"}"#)
            #expect(start.at("now") == "2030-01-01T00:00:00.000000Z")
            try await service.call("define", #"{"kind":"k","policy":{"keepSucceeded":"P7D"}}"#)
            try await service.call("enqueue", #"{"tasks":[{"kind":"k","id":"a","delay":"P1D"}]}"#)
            #expect(try await service.call("claim", #"{"kinds":["k"]}"#).at("claims")?.list.isEmpty == true)
            #expect(
                try await service.call("clock/advance", #"{"by":"P1D"}"#).at("now") == "2030-01-02T00:00:00.000000Z"
            )
            let handle = try #require(try await service.call("claim", #"{"kinds":["k"]}"#).at("claims.0.handle"))
            try await service.call("complete", "{\"tasks\":[{\"handle\":\(handle.text)}]}")
            #expect(try await service.call("purge").at("tasks")?.list.isEmpty == true)
            try await service.call("clock/advance", #"{"by":604801}"#)
            #expect(try await service.call("purge").at("tasks.0.id") == "a")
        }
    }

    @Test("moves no clock but a manual one, and that only where numbers are exact")
    func clocks() async throws {
        try await withInMemoryTracker { tracker, clock in
            let service = try Dispatcher(tracker)
            #expect(await service.problem("clock/advance", #"{"by":1}"#).code == .clockRefused)
            #expect(await service.problem("clock/set", #"{"time":"2030-01-01T00:00:00Z"}"#).code == .clockRefused)
            let manual = try Dispatcher(tracker, clock: clock)
            #expect(await manual.problem("clock/set", #"{"time":"9999-01-01T00:00:00Z"}"#).code == .invalidArgument)
            #expect(await manual.problem("clock/advance", #"{"by":9e9}"#).code == .invalidArgument)
        }
    }

    @Test("refuses bad input by name", arguments: Self.bad)
    func badInput(_ verb: String, _ request: String, _ code: ProblemCode, _ detail: String) async throws {
        try await withService { service, _ in
            try await service.call("define", #"{"kind":"k"}"#)
            let problem = await service.problem(verb, request)
            #expect(problem.code == code)
            #expect(problem.detail.contains(detail), "\(problem.detail)")
            #expect(problem.outcome == .nothing)
        }
    }

    private static let bad: [(String, String, ProblemCode, String)] = [
        ("enqeue", "{}", .unknownVerb, "“enqeue” is no verb"),
        ("get", "", .malformedRequest, "tasks is missing"),
        ("get", "{", .malformedRequest, "the request is not JSON: it ends where"),
        ("stats", "[]", .malformedRequest, "must be an object"),
        ("stats", #"{"kind":"k"}"#, .unknownField, "kind is not a field; allowed: none"),
        (
            "enqueue", #"{"tasks":[{"kind":"k","prioritty":1}]}"#, .unknownField,
            "tasks[0].prioritty is not a field; allowed: kind, id, identifier"
        ),
        ("enqueue", #"{"tasks":[]}"#, .invalidArgument, "500"),
        ("enqueue", #"{"tasks":[{"kind":"k","priority":10}]}"#, .invalidArgument, "0 to 9"),
        ("enqueue", #"{"tasks":[{"kind":"k k"}]}"#, .invalidArgument, "tasks[0].kind is refused"),
        ("enqueue", #"{"tasks":[{"kind":"x"}]}"#, .unknownKind, "x"),
        ("enqueue", #"{"tasks":[{"kind":"k","id":"a","identifier":"b"}]}"#, .invalidArgument, "tasks[0] has both"),
        (
            "enqueue", #"{"tasks":[{"kind":"k","payload":{}}]}"#, .invalidArgument,
            "tasks[0].payload must have exactly one"
        ),
        (
            "enqueue", #"{"tasks":[{"kind":"k","payload":{"base64":"?"}}]}"#, .invalidArgument,
            "tasks[0].payload.base64 is no base64"
        ),
        ("enqueue", #"{"tasks":[{"kind":"k","runAt":"tomorrow"}]}"#, .invalidArgument, "tasks[0].runAt"),
        ("enqueue", #"{"tasks":[{"kind":"k","ifExists":"replace"}]}"#, .invalidArgument, "refuse, returnExisting"),
        ("claim", #"{"kinds":["k"],"limit":501}"#, .invalidArgument, "500"),
        ("claim", #"{"kinds":["k"],"lease":0.01}"#, .invalidArgument, "50 ms"),
        ("claim", #"{"kinds":["k"],"token":"a b"}"#, .invalidArgument, "token"),
        ("acquire", #"{"task":"a","options":["forse"]}"#, .invalidArgument, "options[0]"),
        ("renew", #"{"handles":[],"lease":1}"#, .invalidArgument, "1 to 500"),
        ("pause", "{}", .invalidArgument, "either tasks"),
        ("pause", #"{"tasks":["a"],"handle":{"id":"a","token":"b","fence":1}}"#, .invalidArgument, "either tasks"),
        ("define", #"{"kind":"k","policy":{"retry":{"backoff":"fixed"}}}"#, .invalidArgument, "needs base"),
        (
            "define", #"{"kind":"k","policy":{"retry":{"backoff":"list","delays":[1],"cap":2}}}"#, .invalidArgument,
            "cap does not go with backoff list"
        ),
        ("define", #"{"kind":"k","policy":{"attempts":2}}"#, .kindConflict, "k"),
        ("destroy", "{}", .malformedRequest, "confirm is missing"),
        ("destroy", #"{"confirm":"other"}"#, .invalidArgument, "confirm must be the namespace"),
        ("find", #"{"cursor":"x"}"#, .invalidArgument, "cursor"),
        (
            "fail",
            #"{"tasks":[{"handle":{"id":"a","token":"b","fence":1},"failure":{"message":"m"},"then":"exhaust","after":1}]}"#,
            .invalidArgument, "tasks[0].after"
        ),
    ]

    @Test("refuses what is too large, and what a read-only caller may not do")
    func limits() async throws {
        try await withInMemoryTracker { tracker, _ in
            let service = try Dispatcher(tracker, requestLimit: 100)
            let long = #"{"tasks":["\#(String(repeating: "a", count: 100))"]}"#
            #expect(await service.problem("get", long).code == .requestTooLarge)
            for entry in VerbTable.entries where entry.isWrite {
                #expect(await service.problem(entry.name, "{}", access: .readOnly).code == .forbidden)
            }
            try await service.call("stats", access: .readOnly)
            do throws(Problem) {
                _ = try await service.call("stats", namespace: "elsewhere", request: [UInt8]())
                Issue.record("answered for a namespace that it does not serve")
            } catch {
                #expect(error.code == .unknownNamespace)
                #expect(error.allowed == [tracker.namespace])
            }
        }
    }

    @Test("only asks where the table says so")
    func reads() {
        let reads = VerbTable.entries.filter { !$0.isWrite }.map(\.name)
        #expect(
            Set(reads) == [
                "kinds", "hooks", "get", "attempts", "logs", "find", "peek", "stats", "workers", "explain", "events",
                "counts", "parents", "segments", "foreignTask", "foreignTasks", "foreignCounts", "foreignWorkers",
            ]
        )
    }

    @Test("keeps 64-bit fences and microseconds")
    func exact() async throws {
        try await withService { service, clock in
            clock.set(Timestamp(microseconds: 1_767_225_600_123_457))
            try await service.call("define", #"{"kind":"k"}"#)
            try await service.call("enqueue", #"{"tasks":[{"kind":"k","id":"a"}]}"#)
            let claim = try await service.call("claim", #"{"kinds":["k"],"lease":0.050001}"#)
            #expect(claim.at("claims.0.handle.fence")?.int == 1_767_225_600_123_457)
            #expect(claim.at("claims.0.lease") == .number("0.050001"))
            #expect(claim.at("claims.0.claimed") == "2026-01-01T00:00:00.123457Z")
            let handle = #"{"id":"a","token":"t","fence":9007199254740993}"#
            let answer = try await service.call("complete", "{\"tasks\":[{\"handle\":\(handle)}]}")
            #expect(answer.text == #"{"tasks":[{"id":"a","outcome":"stale"}]}"#)
        }
    }

    @Test("gives policies that can be given back")
    func policies() async throws {
        try await withService { service, _ in
            let policies = [
                "{}",
                #"{"keepSucceeded":0,"keepOther":0,"queueLimit":3,"timeout":"PT1H","softTimeout":"PT50M","whenExhausted":"ignored"}"#,
                #"{"retry":{"backoff":"list","delays":[1,"PT1M"],"jitter":0.5},"lease":5,"attempts":1}"#,
                #"{"retry":{"backoff":"fixed","base":0.25}}"#,
                #"{"retry":{"backoff":"exponential","base":2,"factor":3,"cap":"PT5M"}}"#,
            ]
            for (number, policy) in policies.enumerated() {
                try await service.call("define", "{\"kind\":\"k\(number)\",\"policy\":\(policy)}")
            }
            for kind in try await service.call("kinds").at("kinds")?.list ?? [] {
                let name = try #require(kind["name"]), policy = try #require(kind["policy"])
                // The same policy is no conflict.
                try await service.call("define", "{\"kind\":\(name.text),\"policy\":\(policy.text)}")
            }
            let kinds = try await service.call("kinds")
            #expect(kinds.at("kinds.1.policy.keepSucceeded") == 0)
            #expect(kinds.at("kinds.1.policy.timeout") == 3600)
            #expect(kinds.at("kinds.1.policy.softTimeout") == 3000)
            #expect(kinds.at("kinds.2.policy.retry.delays") == [1, 60])
        }
    }
}
