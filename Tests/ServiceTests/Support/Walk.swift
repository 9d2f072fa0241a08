import Belay
import Testing

@testable import BelayService

/// Calls every verb in a tracker of its own, on a clock that only it moves.
struct Walk {
    let dispatcher: Dispatcher
    private(set) var called: Set<String> = []

    init(dispatcher: Dispatcher) { self.dispatcher = dispatcher }

    private mutating func call(_ verb: String, _ request: String = "{}") async throws -> JSONValue {
        called.insert(verb)
        return try await dispatcher.call(verb, request)
    }

    /// A call whose answer has words at paths.
    private mutating func expect(
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

    private mutating func acquire(_ id: String, _ more: String = "") async throws -> String {
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
