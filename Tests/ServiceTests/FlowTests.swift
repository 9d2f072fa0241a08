import Belay
import BelayTestKit
import Testing

@testable import BelayService

@Suite("Tags, parents, expiry and uniqueness over the table of verbs")
struct FlowTests {
    /// Runs `body` with a service on Redis or in memory whose clock the test moves, and a kind `k`.
    private func withKind(
        _ onRedis: Bool,
        policy: String = "{}",
        _ body: (Dispatcher, ManualClock) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        func run(_ tracker: Tracker) async throws {
            let service = try Dispatcher(tracker, clock: clock)
            try await service.call("define", "{\"kind\":\"k\",\"policy\":\(policy)}")
            try await body(service, clock)
        }
        if onRedis {
            try await withRedisTracker(clock: clock) { try await run($0) }
        } else {
            try await withInMemoryTracker(clock: clock) { tracker, _ in try await run(tracker) }
        }
    }

    private static func task(_ more: String) -> String { #"{"tasks":[{"kind":"k",\#(more)}]}"# }

    @Test("refuse bad input by name, and nothing happens", arguments: Self.bad)
    func badInput(_ verb: String, _ request: String, _ code: ProblemCode, _ detail: String) async throws {
        try await withKind(false) { service, _ in
            let problem = await service.problem(verb, request)
            #expect(problem.code == code, "\(problem)")
            #expect(problem.detail.contains(detail), "\(problem.detail)")
            #expect(problem.outcome == .nothing)
            let stats = try await service.call("stats")
            #expect(stats.at("kinds.0.total") == 0)
        }
    }

    private static let bad: [(String, String, ProblemCode, String)] = enqueues + others
    private static let enqueues: [(String, String, ProblemCode, String)] = [
        (#""tags":"a""#, ProblemCode.malformedRequest, "tasks[0].tags must be a list, found the text"),
        (#""tags":["a b"]"#, .invalidArgument, "tasks[0].tags[0] is refused: tag “a b”"),
        (#""tags":[""]"#, .invalidArgument, "1 to 62 of"),
        (#""tags":["a","a"]"#, .invalidArgument, "at most 8, each once"),
        (#""tags":["1","2","3","4","5","6","7","8","9"]"#, .invalidArgument, "at most 8, each once"),
        (#""tags":["\#(String(repeating: "t", count: 63))"]"#, .invalidArgument, "1 to 62 of"),
        (#""tag":"a""#, .unknownField, "tasks[0].tag is not a field; allowed: kind, id"),
        (#""after":["a"]"#, .malformedRequest, "tasks[0].after must be an object, found a list"),
        (
            #""after":{"task":["a"]}"#, .unknownField,
            "after.task is not a field; allowed: tasks, tags, condition, quorum"
        ),
        (#""after":{}"#, .invalidArgument, "number of parents “0” is not allowed; allowed: 1 to 100"),
        (#""after":{"tasks":[""]}"#, .invalidArgument, "tasks[0].after.tasks[0]"),
        (#""after":{"tags":[7]}"#, .malformedRequest, "after.tags[0] must be text"),
        (#""after":{"tasks":["no"]}"#, .unknownParent, "no"),
        (#""after":{"tags":["no"]}"#, .unknownParent, "no"),
        (#""id":"a","after":{"tasks":["a"]}"#, .invalidArgument, "itself"),
        (#""tags":["t"],"after":{"tags":["t"]}"#, .invalidArgument, "itself"),
        (#""after":{"tasks":["a","a"]}"#, .invalidArgument, "each parent once"),
        (
            #""after":{"tasks":["a"],"condition":"done"}"#, .invalidArgument,
            "allowed: ended, succeeded, failed, endedOrFirstFailure"
        ),
        (#""after":{"tasks":["a"],"quorum":"most"}"#, .invalidArgument, "all, any, or a share above 0 to 1"),
        (#""after":{"tasks":["a"],"quorum":0}"#, .invalidArgument, "share above 0 to 1"),
        (#""after":{"tasks":["a"],"quorum":1.01}"#, .invalidArgument, "share above 0 to 1"),
        (#""after":{"tasks":["a"],"quorum":true}"#, .invalidArgument, "share above 0 to 1"),
        (
            #""expiresAfter":-1"#, .invalidArgument,
            "time to expiry “-1.0 seconds” is not allowed; allowed: 0 s to 3,650"
        ),
        (#""expiresAfter":"soon""#, .invalidArgument, "tasks[0].expiresAfter"),
        (#""expiresAfter":"P3651D""#, .invalidArgument, "3,650 days"),
        (#""expiresAt":60"#, .malformedRequest, "tasks[0].expiresAt must be text"),
        (#""expiresAt":"2101-01-01T00:00:00Z""#, .invalidArgument, "from 1970 to 2100"),
        (#""expiresAfter":1,"expiresAt":"2030-01-01T00:00:00Z""#, .invalidArgument, "one of the two"),
        (#""unique":true"#, .malformedRequest, "tasks[0].unique must be an object"),
        (#""unique":{"for":1}"#, .unknownField, "unique.for is not a field; allowed: key, states, window, later"),
        (#""unique":{"key":1}"#, .malformedRequest, "unique.key must be text"),
        (#""unique":{"states":[]}"#, .invalidArgument, "at least one state"),
        (#""unique":{"states":["done"]}"#, .invalidArgument, "unique.states[0]"),
        (#""unique":{"window":0}"#, .invalidArgument, "1 µs to 3,650 days"),
        (#""unique":{"later":"drop"}"#, .invalidArgument, "allowed: refuse, record"),
        (#""reuse":true"#, .invalidArgument, "reuse with an id"),
        (#""reuse":"yes""#, .malformedRequest, "tasks[0].reuse must be true or false"),
    ].map { ("enqueue", task($0.0), $0.1, $0.2) }

    private static let others: [(String, String, ProblemCode, String)] = [
        ("counts", "{}", .malformedRequest, "tags is missing"),
        ("counts", #"{"tags":[]}"#, .invalidArgument, "1 to 100"),
        ("counts", #"{"tags":["-"]}"#, .invalidArgument, "tags[0] is refused"),
        ("counts", #"{"tag":"a"}"#, .unknownField, "tag is not a field; allowed: tags"),
        ("parents", "{}", .malformedRequest, "task is missing"),
        ("parents", #"{"tasks":["a"]}"#, .unknownField, "tasks is not a field; allowed: task"),
        ("cancelTag", "{}", .malformedRequest, "tag is missing"),
        ("cancelTag", #"{"tag":"a","signal":65}"#, .invalidArgument, "1 to 64"),
        ("cancelTag", #"{"tag":"a","signal":"KILL"}"#, .malformedRequest, "signal must be a whole number"),
        (
            "cancelTag", #"{"tag":"a","force":true}"#, .unknownField,
            "force is not a field; allowed: tag, reason, signal"
        ),
        (
            "cancelTag", #"{"tag":"a","reason":"\#(String(repeating: "r", count: 65))"}"#, .invalidArgument,
            "64 bytes"
        ),
        (
            "retryTag", #"{"tag":"a","states":["running"]}"#, .invalidArgument,
            "succeeded, exhausted, cancelled, ignored"
        ),
        ("retryTag", #"{"tag":"a","states":["done"]}"#, .invalidArgument, "states[0]"),
        ("retryTag", #"{"tag":"a","budget":"all"}"#, .invalidArgument, "allowed: fresh, kept"),
        ("recover", #"{"tag":1}"#, .malformedRequest, "tag must be text"),
        ("recover", #"{"tag":"a","states":[]}"#, .unknownField, "allowed: tag, message"),
        ("clean", #"{"tag":"a","message":"m"}"#, .unknownField, "message is not a field; allowed: tag"),
        ("prioritise", #"{"tasks":["a"]}"#, .malformedRequest, "priority is missing"),
        ("prioritise", #"{"tasks":["a"],"priority":10}"#, .invalidArgument, "0 to 9"),
        ("prioritise", #"{"tasks":[],"priority":1}"#, .invalidArgument, "1 to 500"),
        ("cancel", #"{"tasks":["a"],"signal":0}"#, .invalidArgument, "1 to 64"),
        ("find", #"{"tag":"a b"}"#, .invalidArgument, "tag is refused"),
        ("find", #"{"worker":""}"#, .invalidArgument, "worker is refused"),
        ("find", #"{"createdFrom":"now"}"#, .invalidArgument, "createdFrom"),
        (
            "find", #"{"createdFrom":"2030-01-02T00:00:00Z","createdTo":"2030-01-01T00:00:00Z"}"#, .invalidArgument,
            "createdFrom 2030-01-02T00:00:00.000000Z is after createdTo"
        ),
        ("beat", #"{"kinds":["k"],"event":"ended"}"#, .invalidArgument, "online, heartbeat, offline, drained"),
        (
            "define", #"{"kind":"x","policy":{"timeout":5,"softTimeout":5}}"#, .invalidArgument,
            "less than the timeout"
        ),
        ("define", #"{"kind":"x","policy":{"softTimeout":0.001}}"#, .invalidArgument, "10 ms to 3,650 days"),
        ("define", #"{"kind":"x","policy":{"softTimeout":true}}"#, .invalidArgument, "policy.softTimeout"),
    ]

    @Test("name an unknown parent by itself, and create nothing of the whole call", arguments: [true, false])
    func unknownParent(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, _ in
            let problem = await service.problem(
                "enqueue",
                #"{"tasks":[{"kind":"k","id":"a"},{"kind":"k","id":"b","after":{"tasks":["a","later"]}},{"kind":"k","id":"later"}]}"#
            )
            #expect(problem.code == .unknownParent)
            #expect(problem.code.status == 404)
            #expect(problem.detail.contains("later"))
            #expect(!problem.isRetriable)
            let stats = try await service.call("stats")
            #expect(stats.at("kinds.0.total") == 0)
        }
    }

    @Test("take every condition and quorum as it says", arguments: [true, false])
    func conditions(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, _ in
            try await service.call(
                "enqueue",
                #"""
                {"tasks":[{"kind":"k","id":"a"},{"kind":"k","id":"b"},{"kind":"k","id":"c"},
                {"kind":"k","id":"all","after":{"tasks":["a","b","c"]}},
                {"kind":"k","id":"any","after":{"tasks":["a","b","c"],"quorum":"any"}},
                {"kind":"k","id":"two","after":{"tasks":["a","b","c"],"quorum":0.5}},
                {"kind":"k","id":"good","after":{"tasks":["a","b","c"],"condition":"succeeded","quorum":"any"}},
                {"kind":"k","id":"bad","after":{"tasks":["a"],"condition":"failed"}},
                {"kind":"k","id":"first","after":{"tasks":["a","b","c"],"condition":"endedOrFirstFailure"}}]}
                """#
            )
            func states() async throws -> [String] {
                let request = #"{"tasks":["all","any","two","good","bad","first"]}"#
                let tasks = try await service.call("get", request).at("tasks")?.list ?? []
                return tasks.compactMap { $0.at("task.state")?.string }
            }
            #expect(try await states() == Array(repeating: "blocked", count: 6))
            try await service.call("cancel", #"{"tasks":["a"]}"#)
            #expect(try await states() == ["blocked", "ready", "blocked", "blocked", "ready", "ready"])
            let claim = try await service.call("acquire", #"{"task":"b"}"#)
            let handle = try #require(claim.at("claim.handle")).text
            try await service.call("complete", "{\"tasks\":[{\"handle\":\(handle)}]}")
            #expect(try await states() == ["blocked", "ready", "ready", "ready", "ready", "ready"])
            try await service.call("delete", #"{"tasks":["c"]}"#)
            #expect(try await states() == Array(repeating: "ready", count: 6))
            #expect(try await service.call("parents", #"{"task":"all"}"#).at("parents.2") == ["task": "c"])
        }
    }

    @Test("cancel what could not begin in time, and say so", arguments: [true, false])
    func expiry(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, clock in
            let end = clock.now + .seconds(60)
            try await service.call(
                "enqueue",
                #"{"tasks":[{"kind":"k","id":"a","expiresAfter":"PT1M"},{"kind":"k","id":"b","expiresAt":"\#(end)"}]}"#
            )
            let tasks = try await service.call("get", #"{"tasks":["a","b"]}"#)
            #expect(tasks.at("tasks.0.task.expires") == .string(end.description))
            #expect(tasks.at("tasks.1.task.expires") == .string(end.description))
            let reasons = try await service.call("explain", #"{"task":"a"}"#).at("reasons")?.list ?? []
            let expires = try #require(reasons.first { $0["reason"] == "expires" })
            #expect(expires["at"] == .string(end.description))
            #expect(expires["delay"] == 60)
            clock.advance(by: .seconds(61))
            #expect(try await service.call("claim", #"{"kinds":["k"],"limit":2}"#).at("claims")?.list.isEmpty == true)
            let after = try await service.call("get", #"{"tasks":["a","b"]}"#)
            for place in 0...1 {
                #expect(after.at("tasks.\(place).task.state") == "cancelled")
                #expect(after.at("tasks.\(place).task.cause") == ["cause": "expired"])
            }
            #expect(try await service.call("explain", #"{"task":"a"}"#).at("reasons.0.reason") == "expired")
            let events = try await service.call("events").at("events")?.list ?? []
            let expired = events.filter { $0["name"] == "expired" }
            #expect(expired.count == 2)
            #expect(expired.allSatisfy { $0["celeryType"] == "task-revoked" && $0["active"] == false })
        }
    }

    @Test("keep out what has the same content, within its window and states", arguments: [true, false])
    func uniqueness(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, clock in
            func outcome(_ more: String) async throws -> String? {
                try await service.call("enqueue", Self.task(more)).at("tasks.0.outcome")?.string
            }
            #expect(try await outcome(#""id":"a","payload":{"json":{"x":1}},"unique":{}"#) == "created")
            #expect(try await outcome(#""payload":{"json":{"x":1}},"unique":{}"#) == "deduplicated")
            #expect(try await outcome(#""payload":{"json":{"x":2}},"unique":{}"#) == "created")
            #expect(try await outcome(#""payload":{"json":{"x":1}}"#) == "created")
            #expect(try await outcome(#""payload":{"json":{"x":1}},"unique":{"states":["running"]}"#) == "created")
            #expect(try await outcome(#""id":"w","unique":{"key":"same","window":60}"#) == "created")
            #expect(
                try await outcome(#""payload":{"text":"other"},"unique":{"key":"same","window":60}"#) == "deduplicated"
            )
            clock.advance(by: .seconds(61))
            #expect(try await outcome(#""unique":{"key":"same","window":60}"#) == "created")
            let problem = await service.problem("enqueue", Self.task(#""unique":{"key":"same","windows":60}"#))
            #expect(problem.field == "tasks[0].unique.windows")
            let recorded = try await service.call(
                "enqueue",
                Self.task(#""id":"r","unique":{"key":"same","later":"record"}"#)
            )
            let first = try #require(recorded.at("tasks.0.of")?.string)
            #expect(
                try await service.call("explain", #"{"task":"r"}"#).at("reasons.0")?["of"] == .string(first)
            )
            let events = try await service.call("events").at("events")?.list ?? []
            let event = try #require(events.first { $0["name"] == "deduplicated" })
            #expect(event["detail"] == .string(first))
            #expect(event["celeryType"] == "task-revoked")
        }
    }

    @Test("tell of blocked, unblocked and failed tasks as events, in Celery's words too", arguments: [true, false])
    func events(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, _ in
            try await service.call(
                "enqueue",
                #"""
                {"tasks":[{"kind":"k","id":"p","tags":["t"]},{"kind":"k","id":"c","after":{"tasks":["p"]}},
                {"kind":"k","id":"s","after":{"tags":["t"],"condition":"succeeded"}}]}
                """#
            )
            try await service.call("cancel", #"{"tasks":["p"]}"#)
            let events = try await service.call("events").at("events")?.list ?? []
            func event(_ name: String) throws -> JSONValue { try #require(events.first { $0["name"]?.string == name }) }
            #expect(try event("blocked")["celeryType"] == "task-sent")
            #expect(try event("blocked")["active"] == true)
            #expect(try event("unblocked")["task"] == "c")
            #expect(try event("unblocked")["celeryType"] == nil)
            #expect(try event("parent-failed")["task"] == "s")
            #expect(try event("parent-failed")["detail"] == "g:t")
            #expect(try event("parent-failed")["celeryType"] == "task-revoked")
            let cause = try await service.call("get", #"{"tasks":["s"]}"#).at("tasks.0.task.cause")
            #expect(cause == ["cause": "parentFailed", "parent": ["tag": "t"]])
        }
    }

    @Test("find tasks by the time of their enqueue", arguments: [true, false])
    func created(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, clock in
            let first = clock.now
            try await service.call("enqueue", Self.task(#""id":"a""#))
            clock.advance(by: .seconds(10))
            let second = clock.now
            try await service.call("enqueue", Self.task(#""id":"b""#))
            func ids(_ filter: String) async throws -> [String] {
                let page = try await service.call("find", "{\(filter)}")
                return page.at("tasks")?.list.compactMap { $0["id"]?.string } ?? []
            }
            #expect(try await ids(#""createdFrom":"\#(first)""#) == ["a", "b"])
            #expect(try await ids(#""createdFrom":"\#(second)""#) == ["b"])
            #expect(try await ids(#""createdTo":"\#(second)""#) == ["a"])
            #expect(try await ids(#""createdFrom":"\#(first)","createdTo":"\#(first)""#) == [])
        }
    }

    @Test("show pauses in the counts", arguments: [true, false])
    func pauses(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, _ in
            try await service.call("pauseKind", #"{"kind":"k"}"#)
            var stats = try await service.call("stats")
            #expect(stats.at("kinds.0.isPaused") == true)
            #expect(stats.at("isPaused") == false)
            try await service.call("resumeKind", #"{"kind":"k"}"#)
            try await service.call("pauseKind")
            stats = try await service.call("stats")
            #expect(stats.at("kinds.0.isPaused") == false)
            #expect(stats.at("isPaused") == true)
        }
    }

    @Test("know of a worker that drained", arguments: [true, false])
    func drained(onRedis: Bool) async throws {
        try await withKind(onRedis) { service, _ in
            try await service.call("beat", #"{"event":"online","worker":"h:1:a","kinds":["k"]}"#)
            try await service.call("beat", #"{"event":"drained","worker":"h:1:a","kinds":["k"],"failed":9}"#)
            #expect(try await service.call("workers").at("workers.0.alive") == false)
            let last = try #require(try await service.call("events").at("events")?.list.last)
            #expect(last["name"] == "worker-drained")
            #expect(last["celeryType"] == "worker-offline")
            #expect(last["worker"] == "h:1:a")
        }
    }

    private static let writer = "writer-0123456789"

    @Test("are offered over HTTP as every verb is, and only the asking ones to those who may only read")
    func overHTTP() async throws {
        try await withInMemoryTracker(namespace: "test") { tracker, _ in
            let reader = "reader-0123456789"
            try await withHTTP(
                try Dispatcher(tracker),
                configure: { ($0.readOnlyTokens, $0.readWriteTokens) = ([reader], [Self.writer]) }
            ) { client in
                func send(_ verb: String, _ request: String, _ token: String = Self.writer) async throws -> Answer {
                    try await client.send("POST", "/v1/test/\(verb)", request, token: token)
                }
                _ = try await send("define", #"{"kind":"k"}"#)
                let made = try await send("enqueue", Self.task(#""id":"a","tags":["t"]"#))
                #expect(made.json.at("tasks.0.outcome") == "created")
                let unknown = try await send("enqueue", Self.task(#""after":{"tasks":["none"]}"#))
                #expect(unknown.status == 404)
                #expect(unknown.code == "unknownParent")
                for (verb, request) in [("counts", #"{"tags":["t"]}"#), ("parents", #"{"task":"a"}"#)] {
                    #expect(try await send(verb, request, reader).status == 200, "\(verb)")
                }
                let writes = [
                    ("prioritise", #"{"tasks":["a"],"priority":1}"#, "tasks.0.outcome", JSONValue("done")),
                    ("cancelTag", #"{"tag":"t"}"#, "changed", 1), ("retryTag", #"{"tag":"t"}"#, "changed", 1),
                    ("recover", #"{"tag":"t"}"#, "changed", 0), ("clean", #"{"tag":"t"}"#, "changed", 1),
                ]
                for (verb, request, path, value) in writes {
                    #expect(try await send(verb, request, reader).code == "forbidden", "\(verb)")
                    let answer = try await send(verb, request)
                    #expect(answer.status == 200, "\(verb)")
                    #expect(answer.json.at(path) == value, "\(verb) \(answer.text)")
                }
            }
        }
    }
}
