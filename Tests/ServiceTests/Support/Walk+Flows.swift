import Belay
import Testing

@testable import BelayService

extension Walk {
    /// Tasks with tags that wait for each other, and the verbs about them.
    mutating func flows() async throws {
        try await expect(
            "define",
            #"""
            {"kind":"w","policy":{"lease":10,"timeout":60,"softTimeout":50,"attempts":3,
            "retry":{"backoff":"fixed","base":1}}}
            """#,
            ["policy.softTimeout": 50, "policy.timeout": 60]
        )
        try await expect(
            "enqueue",
            #"""
            {"tasks":[{"kind":"w","id":"p1","tags":["flow","one"],"payload":{"text":"x"}},{"kind":"w","id":"p2","tags":["flow"]},
            {"kind":"w","id":"child","tags":["flow"],"after":{"tasks":["p1",{"id":"p2"}],"condition":"succeeded","quorum":"all"}},
            {"kind":"w","id":"last","after":{"tags":["flow"]}},
            {"kind":"w","id":"late","tags":["misc"],"expiresAfter":60},
            {"kind":"w","id":"u1","payload":{"text":"same"},"unique":{}},
            {"kind":"w","id":"u2","payload":{"text":"same"},"unique":{}},
            {"kind":"w","id":"u3","payload":{"text":"same"},"unique":{"later":"record"}}]}
            """#,
            [
                "tasks.0.outcome": "created", "tasks.2.outcome": "created", "tasks.3.outcome": "created",
                "tasks.5.outcome": "created", "tasks.6.outcome": "deduplicated", "tasks.6.of": "u1",
                "tasks.7.outcome": "deduplicated", "tasks.7.id": "u3", "tasks.7.of": "u1",
            ]
        )
        try await expect(
            "get",
            #"{"tasks":["child","late","u2","u3"]}"#,
            [
                "tasks.0.task.state": "blocked", "tasks.0.task.status": "blocked", "tasks.0.task.statusCode": 80,
                "tasks.0.task.awaited": 2, "tasks.0.task.tags": ["flow"], "tasks.2.outcome": "notFound",
                "tasks.3.task.state": "cancelled", "tasks.3.task.cause": ["cause": "deduplicated", "of": "u1"],
            ]
        )
        let late = try await call("get", #"{"tasks":["late"]}"#)
        #expect(late.at("tasks.0.task.expires")?.string != nil)
        try await expect(
            "counts",
            #"{"tags":["flow","none"]}"#,
            [
                "tags.0.tag": "flow", "tags.0.ready": 2, "tags.0.blocked": 1, "tags.0.total": 3,
                "tags.0.unfinished": 3, "tags.0.progress": 0, "tags.1.total": 0,
            ]
        )
        try await expect(
            "parents",
            #"{"task":"child"}"#,
            ["outcome": "found", "parents.0": ["state": "ready", "task": "p1"], "parents.1.task": "p2"]
        )
        try await expect("parents", #"{"task":"last"}"#, ["parents": [["state": "blocked", "tag": "flow"]]])
        try await expect("parents", #"{"task":"p1"}"#, ["parents": []])
        try await expect("parents", #"{"task":"none"}"#, ["outcome": "notFound"])
        try await expect(
            "explain",
            #"{"task":"child"}"#,
            [
                "state": "blocked", "reasons.0.reason": "awaiting", "reasons.0.needed": 2, "reasons.0.unfinished": 2,
                "reasons.0.parents.1": ["state": "ready", "task": "p2"],
            ]
        )
        try await expect("acquire", #"{"task":"child"}"#, ["outcome": "blocked"])
        try await expect("retry", #"{"tasks":["child"]}"#, ["tasks.0.outcome": "blocked"])
        try await expect("find", #"{"tag":"flow","states":["blocked"]}"#, ["tasks.0.id": "child"])
        let stats = try await call("stats")
        #expect(stats.at("isPaused") == false)
        let counts = try #require(stats.at("kinds")?.list.first { $0["kind"] == "w" })
        #expect(counts["blocked"] == 2)
        #expect(counts["isPaused"] == false)
        try await flowEnds()
    }

    /// The flow fails, is run again, taken back from a worker, and ends.
    private mutating func flowEnds() async throws {
        let claim = try await call("acquire", #"{"task":"p1","worker":"h:9:z"}"#)
        #expect(claim.at("claim.deadline")?.string != nil)
        #expect(claim.at("claim.softDeadline")?.string != nil)
        let first = try #require(claim.at("claim.handle")).text
        let mine = try await call("find", #"{"worker":"h:9:z","states":["running"]}"#)
        #expect(mine.at("tasks")?.list.map { $0["id"] ?? .null } == ["p1"])
        try await expect("cancel", #"{"tasks":["p1"],"signal":9}"#, ["tasks.0.outcome": "requested"])
        try await expect(
            "renew",
            #"{"lease":10,"handles":[\#(first)]}"#,
            ["tasks.0.outcome": "terminateRequested", "tasks.0.signal": 9]
        )
        try await expect(
            "fail",
            #"{"tasks":[{"handle":\#(first),"failure":{"message":"stopped"},"then":"cancelled"}]}"#,
            ["tasks.0.outcome": "cancelled"]
        )
        let failed: JSONValue = ["cause": "parentFailed", "parent": ["task": "p1"]]
        try await expect(
            "get",
            #"{"tasks":["child"]}"#,
            ["tasks.0.task.state": "cancelled", "tasks.0.task.cause": failed]
        )
        try await expect(
            "explain",
            #"{"task":"child"}"#,
            ["reasons.0.reason": "parentFailed", "reasons.0.parent": ["task": "p1"]]
        )

        try await expect("retryTag", #"{"tag":"flow","budget":"fresh","message":"again"}"#, ["changed": 2])
        try await expect("find", #"{"tag":"flow","states":["blocked"]}"#, ["tasks.0.id": "child"])
        try await expect(
            "prioritise",
            #"{"tasks":["p1","u3","none"],"priority":9}"#,
            [
                "tasks.0.outcome": "done", "tasks.1.outcome": "ended", "tasks.1.state": "cancelled",
                "tasks.2.outcome": "notFound",
            ]
        )
        try await expect("peek", #"{"kinds":["w"],"limit":1}"#, ["tasks.0.id": "p1", "tasks.0.priority": 9])
        let second = try await acquire("p1")
        try await expect(
            "complete",
            #"{"tasks":[{"handle":\#(second),"result":{"json":7}}]}"#,
            ["tasks.0.outcome": "accepted"]
        )
        _ = try await acquire("p2")
        try await expect("recover", #"{"tag":"flow","message":"the host burnt"}"#, ["changed": 1])
        let third = try await acquire("p2")
        try await expect("complete", #"{"tasks":[{"handle":\#(third)}]}"#, ["tasks.0.outcome": "accepted"])
        try await expect(
            "parents",
            #"{"task":"child"}"#,
            ["parents.0.state": "succeeded", "parents.0.result.base64": "Nw=="]
        )
        try await expect("find", #"{"tag":"flow","states":["ready"]}"#, ["tasks.0.id": "child"])
        try await expect(
            "cancelTag",
            #"{"tag":"flow","reason":"enough","signal":2}"#,
            ["changed": 1, "requested": 0]
        )
        try await expect("counts", #"{"tags":["flow"]}"#, ["tags.0.progress": 1, "tags.0.succeeded": 2])
        try await expect("get", #"{"tasks":["last"]}"#, ["tasks.0.task.state": "ready"])
        try await expect("clean", #"{"tag":"misc"}"#, ["changed": 1])
        try await expect("get", #"{"tasks":["late"]}"#, ["tasks.0.outcome": "notFound"])
        try await expect("enqueue", #"{"tasks":[{"kind":"w","id":"p1","reuse":true}]}"#, ["tasks.0.outcome": "reused"])
        try await expect("get", #"{"tasks":["p1"]}"#, ["tasks.0.task.reuses": 1])
        try await expect("undefine", #"{"kind":"w","force":true}"#, ["outcome": "removed"])
    }
}
