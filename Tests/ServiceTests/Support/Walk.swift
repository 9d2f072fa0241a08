import Belay
import Testing

@testable import BelayService

/// Calls every verb in a tracker of its own, on a clock that only it moves.
struct Walk {
    let dispatcher: Dispatcher
    private(set) var called: Set<String> = []

    init(dispatcher: Dispatcher) { self.dispatcher = dispatcher }

    mutating func call(_ verb: String, _ request: String = "{}") async throws -> JSONValue {
        called.insert(verb)
        return try await dispatcher.call(verb, request)
    }

    /// A call whose answer has words at paths.
    mutating func expect(
        _ verb: String,
        _ request: String,
        _ words: [String: JSONValue],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await call(verb, request)
        for (path, value) in words {
            #expect(answer.at(path) == value, "\(verb) \(path): \(answer.text)", sourceLocation: sourceLocation)
        }
    }

    mutating func acquire(_ id: String, _ more: String = "") async throws -> String {
        let answer = try await call("acquire", "{\"task\":\"\(id)\"\(more)}")
        return try #require(answer.at("claim.handle"), "\(answer.text)").text
    }

    mutating func kindsAndTasks() async throws {
        #expect(try await call("open").at("worker")?.string?.isEmpty == false)
        try await expect(
            "define",
            #"{"kind":"k","policy":{"lease":10,"attempts":3,"retry":{"backoff":"fixed","base":1},"queueLimit":5}}"#,
            ["outcome": "defined", "policy.queueLimit": 5, "policy.lease": 10]
        )
        try await expect(
            "enqueue",
            #"""
            {"message":"hello","tasks":[{"kind":"k","id":"a","payload":{"text":"hi"}},{"kind":"k","identifier":"7","priority":9},
            {"kind":"k","id":"a"},{"kind":"k","id":"a","ifExists":"returnExisting"},{"kind":"k","id":"later","delay":3600}]}
            """#,
            [
                "tasks.0.outcome": "created", "tasks.1.id": "k#7", "tasks.2.outcome": "duplicate",
                "tasks.3.outcome": "existing", "tasks.4.outcome": "created",
            ]
        )
        try await expect(
            "enqueue",
            #"{"tasks":[{"kind":"k","id":"b"},{"kind":"k","id":"c"},{"kind":"k","id":"d"}]}"#,
            ["tasks.2.outcome": "full", "tasks.2.limit": 5]
        )
        try await expect(
            "get",
            #"{"tasks":["a",{"kind":"k","identifier":"7"},"none"]}"#,
            [
                "tasks.0.task.payload.base64": "aGk=", "tasks.0.task.payload.contentType": "text/plain",
                "tasks.0.task.status": "pending", "tasks.0.task.statusCode": 0, "tasks.1.task.identifier": "7",
                "tasks.2.outcome": "notFound",
            ]
        )
        try await expect("peek", #"{"kinds":["k"]}"#, ["tasks.0.id": "k#7", "tasks.1.id": "a"])
        let all = try await call("peek", #"{"kinds":["k"],"order":"due","scheduled":true}"#)
        #expect(all.at("tasks")?.list.count == 5)
        try await expect("kinds", "{}", ["kinds.0.name": "k", "kinds.0.policy.attempts": 3])
    }

    mutating func holders() async throws {
        let claim = try await call("claim", #"{"kinds":["k"],"limit":1,"worker":"h:1:x","token":"t1"}"#)
        #expect(claim.at("claims.0.worker") == "h:1:x")
        let again = try await call("claim", #"{"kinds":["k"],"limit":1,"worker":"h:1:x","token":"t1"}"#)
        #expect(again == claim)
        let held = try #require(claim.at("claims.0.handle")).text
        try await expect(
            "renew",
            #"{"lease":20,"handles":[\#(held),{"id":"x","token":"t","fence":1}]}"#,
            [
                "tasks.0.outcome": "renewed", "tasks.1.outcome": "gone",
            ]
        )
        try await expect("progress", #"{"handle":\#(held),"fraction":0.5,"message":"half"}"#, ["outcome": "accepted"])
        try await expect("save", #"{"handle":\#(held),"data":{"json":{"page":3}}}"#, ["outcome": "accepted"])
        try await expect("respond", #"{"handle":\#(held),"response":{"text":"so far"}}"#, ["outcome": "accepted"])
        try await expect("log", #"{"handle":\#(held),"message":"line"}"#, ["outcome": "accepted"])
        try await expect("pause", #"{"handle":\#(held)}"#, ["tasks.0.outcome": "done", "tasks.0.state": "paused"])
        try await expect("resume", #"{"handle":\#(held)}"#, ["tasks.0.outcome": "done", "tasks.0.state": "running"])
        try await expect(
            "get",
            #"{"tasks":["k#7"]}"#,
            [
                "tasks.0.task.progress": .number("0.5"), "tasks.0.task.data.base64": "eyJwYWdlIjozfQ==",
                "tasks.0.task.status": "inProgress",
            ]
        )
        try await expect("acquire", #"{"task":"k#7"}"#, ["outcome": "locked", "by": "h:1:x"])
        try await expect("acquire", #"{"task":"later"}"#, ["outcome": "notDue"])
        try await expect(
            "complete",
            #"{"tasks":[{"handle":\#(held),"result":{"json":[1]}}]}"#,
            [
                "tasks.0.outcome": "accepted", "tasks.0.id": "k#7",
            ]
        )
        try await expect("acquire", #"{"task":"k#7"}"#, ["outcome": "ended", "state": "succeeded"])
        let first = try await acquire("a", #","token":"mine""#)
        let second = try await acquire("a", #","reentering":"mine""#)
        try await expect("release", #"{"handles":[\#(first)]}"#, ["tasks.0.outcome": "stale"])
        try await expect(
            "fail",
            #"{"tasks":[{"handle":\#(second),"failure":{"type":"E","message":"no","backtrace":["x"]},"after":5}]}"#,
            ["tasks.0.outcome": "ready"]
        )
        let third = try await acquire("a", #","options":["ignoreDue"]"#)
        try await expect("snooze", #"{"handles":[\#(third)],"delay":2}"#, ["tasks.0.outcome": "ready"])
        let fourth = try await acquire("a", #","options":["ignoreDue"]"#)
        try await expect("release", #"{"handles":[\#(fourth)]}"#, ["tasks.0.outcome": "ready"])
    }

    mutating func operators() async throws {
        try await expect("note", #"{"task":"a","message":"seen"}"#, ["outcome": "accepted"])
        try await expect(
            "pause",
            #"{"tasks":["a","k#7","none"],"message":"hold"}"#,
            [
                "tasks.0.state": "paused", "tasks.1.outcome": "refused", "tasks.1.found": "succeeded",
                "tasks.2.outcome": "notFound",
            ]
        )
        try await expect("acquire", #"{"task":"a"}"#, ["outcome": "paused"])
        try await expect("resume", #"{"tasks":["a"]}"#, ["tasks.0.state": "ready"])
        try await expect("ignore", #"{"tasks":["b"]}"#, ["tasks.0.state": "ignored"])
        try await expect(
            "cancel",
            #"{"tasks":["c","none"],"reason":"why"}"#,
            [
                "tasks.0.outcome": "cancelled", "tasks.1.outcome": "notFound",
            ]
        )
        try await expect("retry", #"{"tasks":["b"],"budget":"kept","message":"again"}"#, ["tasks.0.outcome": "ready"])
        let attempts = try await call("attempts", #"{"task":"a"}"#)
        #expect(attempts.at("attempts")?.list.contains { $0.at("failure.message") == "no" } == true)
        let log = try await call("logs", #"{"task":"a"}"#)
        #expect(log.at("lines")?.list.contains { $0["message"] == "seen" } == true)
        try await expect("logs", #"{"task":"none"}"#, ["outcome": "notFound"])
        let page = try await call("find", #"{"states":["ready","cancelled"],"limit":1,"order":"newestFirst"}"#)
        let cursor = try #require(page.at("cursor")).text
        _ = try await call(
            "find",
            #"{"states":["ready","cancelled"],"limit":1,"order":"newestFirst","cursor":\#(cursor)}"#
        )
        _ = try await acquire("b")
        try await expect(
            "delete",
            #"{"tasks":["b","c"]}"#,
            [
                "tasks.0.outcome": "running", "tasks.1.outcome": "deleted",
            ]
        )
        try await expect("delete", #"{"tasks":["b"],"force":true}"#, ["tasks.0.outcome": "deleted"])
        try await expect("undefine", #"{"kind":"k"}"#, ["outcome": "inUse", "tasks": 3])
        try await expect("undefine", #"{"kind":"none"}"#, ["outcome": "notFound"])
    }

    mutating func supervision() async throws {
        try await expect("pauseKind", #"{"kind":"k","message":"the disk"}"#, ["outcome": "paused", "kind": "k"])
        try await expect("pauseKind", "{}", ["outcome": "paused"])
        let held = try await call("explain", #"{"task":"later"}"#)
        #expect(held.at("outcome") == "found")
        #expect(held.at("state") == "ready")
        let reasons = held.at("reasons")?.list ?? []
        #expect(reasons.first?["reason"] == "notDue")
        #expect(reasons.first?["delay"] == .number("3599.999999"), "\(held.text)")
        let pauses = reasons.filter { $0["reason"] == "kindPaused" }
        #expect(pauses.compactMap { $0["kind"]?.string } == ["k"])
        #expect(pauses.count == 2)
        #expect(pauses.contains { $0["message"] == "the disk" && $0["text"]?.string?.contains("the disk") == true })
        #expect(try await call("claim", #"{"kinds":["k"]}"#).at("claims")?.list.isEmpty == true)
        try await expect("resumeKind", "{}", ["outcome": "resumed"])
        try await expect("resumeKind", #"{"kind":"k"}"#, ["outcome": "resumed"])
        try await expect("explain", #"{"task":"none"}"#, ["outcome": "notFound"])
        try await expect("explain", #"{"task":{"kind":"k","identifier":"7"}}"#, ["reasons.0.reason": "succeeded"])
        try await expect(
            "beat",
            #"{"event":"online","worker":"h:3:z","kinds":["k"],"slots":4,"active":1,"interval":"PT30S"}"#,
            ["outcome": "accepted", "worker": "h:3:z"]
        )
        let workers = try await call("workers", #"{"limit":500}"#).at("workers")?.list ?? []
        let told = try #require(workers.first { $0["name"] == "h:3:z" })
        #expect(told["alive"] == true)
        #expect(told["slots"] == 4)
        #expect(told["interval"] == 30)
        #expect(told["kinds"] == ["k"])
        #expect(told["software"] == "unknown")
        #expect(workers.contains { $0["name"] == "h:1:x" && $0["alive"] == nil })
        var from: JSONValue = "oldest"
        var names: [String] = []
        for _ in 0..<100 {
            let page = try await call("events", "{\"from\":\(from.text),\"limit\":2}")
            #expect(page.at("isLost") == false)
            let events = page.at("events")?.list ?? []
            guard !events.isEmpty, let position = page.at("position") else { break }
            names += events.compactMap { $0["name"]?.string }
            from = position
        }
        #expect(names.first == "defined")
        #expect(names.suffix(5) == ["kind-paused", "kind-paused", "kind-resumed", "kind-resumed", "worker-online"])
        try await expect("events", #"{"from":"newest"}"#, ["events": [], "position": from])
        try await expect("events", #"{"from":"5-5/0"}"#, ["isLost": true])
    }

    mutating func hooks() async throws {
        try await expect(
            "defineHook",
            #"""
            {"name":"w","states":["exhausted"],"kinds":["k*","!k2"],"tags":["t"],"field":{"in":"payload","pointer":"/a","equals":1.50},
            "webhook":{"url":"http://h/","secret":"hush","headers":{"X-A":"b"}}}
            """#,
            ["outcome": "defined"]
        )
        try await expect("defineHook", #"{"name":"a","kinds":["m"],"enqueue":{"kind":"k"}}"#, ["outcome": "defined"])
        try await expect(
            "defineHook",
            #"{"name":"b","kinds":["m"],"field":{"in":"result"},"enqueue":{"kind":"k","payload":{"json":{"id":"{{id}}"}}}}"#,
            ["outcome": "defined"]
        )
        let list = try await call("hooks")
        #expect(!list.text.contains("hush"))
        #expect(list.at("hooks")?.list.map { $0["name"] ?? .null } == ["a", "b", "w"])
        #expect(list.at("hooks.0")?.names.sorted() == ["enqueue", "kinds", "name", "since"])
        #expect(list.at("hooks.1.field.equals") == .null)
        #expect(list.at("hooks.1.enqueue.payload") == #"{"id":"{{id}}"}"#)
        #expect(list.at("hooks.2.field.equals") == .number("1.5"))
        #expect(list.at("hooks.2.webhook.signed") == true)
        #expect(list.at("hooks.2.kinds") == ["k*", "!k2"])
        try await expect("removeHook", #"{"name":"a"}"#, ["outcome": "removed"])
        try await expect("removeHook", #"{"name":"a"}"#, ["outcome": "notFound"])
    }

    mutating func foreign() async throws {
        let base = #""timestamp":1767225600.5,"hostname":"celery@h""#
        try await expect(
            "ingest",
            "{\"events\":[{\"type\":\"task-received\",\"uuid\":\"u\",\"name\":\"app.add\",\"args\":[1,2.50],\"clock\":3,\(base)},"
                + "{\"type\":\"task-sent\",\"uuid\":\"v\",\"parent_id\":\"u\",\(base)},{\"type\":\"worker-online\",\"freq\":2,\(base)}]}",
            ["applied": 3, "unchanged": 0, "evicted": 0]
        )
        try await expect("ingest", "{\"events\":[{\"type\":\"worker-online\",\"freq\":2,\(base)}]}", ["unchanged": 1])
        await #expect {
            try await dispatcher.call(
                "ingest",
                "{\"events\":[{\"type\":\"worker-online\",\(base)},{\"type\":\"task-sent\",\(base)}]}"
            )
        } throws: {
            let problem = $0 as? Problem
            return problem?.code == .invalidArgument && problem?.field == "events[1]"
                && problem?.detail.contains("uuid") == true
        }
        try await expect(
            "foreignTask",
            #"{"uuid":"u"}"#,
            [
                "outcome": "found", "task.state": "RECEIVED", "task.active": true, "task.ready": false,
                "task.name": "app.add",
                "task.hostname": "celery@h", "task.clock": 3, "task.fields.args": "[1,2.5]", "task.children": ["v"],
                "task.moments.received": "2026-01-01T00:00:00.500000Z",
            ]
        )
        try await expect("foreignTask", #"{"uuid":"none"}"#, ["outcome": "notFound"])
        let page = try await call("foreignTasks", #"{"limit":1}"#)
        #expect(page.at("tasks.0.uuid") == "v")
        let cursor = try #require(page.at("cursor")).text
        try await expect("foreignTasks", "{\"cursor\":\(cursor)}", ["tasks.0.uuid": "u"])
        try await expect("foreignTasks", #"{"state":"PENDING"}"#, ["tasks.0.uuid": "v"])
        try await expect("foreignTasks", #"{"name":"app.add"}"#, ["tasks.0.uuid": "u"])
        try await expect("foreignTasks", #"{"hostname":"celery@h"}"#, ["tasks.0.uuid": "u"])
        await #expect(throws: Problem.self) { try await dispatcher.call("foreignTasks", #"{"state":"S","name":"n"}"#) }
        try await expect(
            "foreignCounts",
            "{}",
            ["tasks": 2, "states.PENDING": 1, "states.RECEIVED": 1, "events": 3, "received": 1]
        )
        try await expect(
            "foreignWorkers",
            "{}",
            ["workers.0.hostname": "celery@h", "workers.0.interval": 2, "workers.0.drifting": false]
        )
        try await expect("clearForeign", "{}", ["tasks": 0])
        try await expect("clearForeign", #"{"finishedOnly":false}"#, ["tasks": 2])
    }

    mutating func sweepsAndClock(namespace: String) async throws {
        let before = try #require(try await call("clock/advance", #"{"by":0}"#).at("now"))
        try await expect("clock/set", "{\"time\":\(before.text)}", ["now": before])
        _ = try await acquire("a", #","options":["ignoreDue"],"worker":"h:2:y""#)
        _ = try await call("clock/advance", #"{"by":"PT1M"}"#)
        try await expect("reap", "{}", ["tasks.0.id": "a", "tasks.0.worker": "h:2:y", "more": false])
        _ = try await call("clock/advance", #"{"by":"P8D"}"#)
        try await expect("purge", "{}", ["tasks.0.id": "k#7", "tasks.0.state": "succeeded"])
        try await expect("stats", "{}", ["kinds.0.kind": "k", "kinds.0.total": 2])
        try await expect("destroy", "{\"confirm\":\"\(namespace)\"}", ["outcome": "destroyed"])
    }
}
