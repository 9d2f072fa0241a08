import BelayTestKit
import RedisWire
import Testing

@testable import Belay

@Suite("enqueue")
struct EnqueueTests {
    static func item(
        _ id: String,
        kind: Int = 0,
        due: Enqueue.Due = .now,
        priority: Int = 5,
        payload: Body = .empty,
        attempts: Int? = nil,
        trace: [String: String] = [:],
        wishes: Enqueue.Wishes? = nil
    ) -> Enqueue.Item {
        Enqueue.Item(
            id: TaskID(trusted: id),
            kind: kind,
            due: due,
            priority: priority,
            payload: payload,
            attempts: attempts,
            trace: trace,
            wishes: wishes
        )
    }

    static func verb(
        _ items: [Enqueue.Item],
        nonce: String? = "nonce",
        message: String = "",
        kinds: [(name: KindName, policy: KindPolicy?)] = [("k", nil)]
    ) -> Enqueue {
        Enqueue(
            nonce: nonce,
            actor: TrackerFixture.actor,
            message: message,
            kinds: kinds,
            items: items,
            payloadLimit: 4096
        )
    }

    @Test("writes the record and the index of a task that is due now")
    func dueNow() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.twice(Self.verb([Self.item("a")]))
            let dump = try await f.dump()
            #expect(dump.record("a") == ["k": "k", "s": "q", "c": "\(f.now)", "o": "nonce"])
            #expect(dump.index("q:5:k") == ["a": f.now])
            #expect(dump.events.suffix(1) == ["enqueued k a"])
        }
    }

    @Test("stores only what differs from the rule")
    func allFields() async throws {
        try await TrackerFixture.run { f async throws in
            let body = Body(text: "hello")
            let item = Self.item(
                "a",
                due: .after(.seconds(5)),
                priority: 9,
                payload: body,
                attempts: 7,
                trace: ["x": "1"]
            )
            try await f.twice(Self.verb([item], nonce: nil))
            let due = "\(f.now + 5_000_000)"
            #expect(
                try await f.dump().record("a") == [
                    "k": "k", "s": "q", "c": "\(f.now)", "d": due, "q": "9", "p": "hello", "ct": "text/plain", "l": "7",
                    "tr": "x=1", "L": "y",
                ]
            )
            #expect(try await f.dump().index("q:9:k") == ["a": f.now + 5_000_000])
        }
    }

    @Test("takes a run time in the past and in the future as it is")
    func runTimes() async throws {
        try await TrackerFixture.run { f async throws in
            let (past, future) = (f.moment(.seconds(-60)), f.moment(.seconds(86_400 * 365)))
            try await f.send(Self.verb([Self.item("past", due: .at(past)), Self.item("future", due: .at(future))]))
            #expect(try await f.dump().index("q:5:k") == ["past": past.microseconds, "future": future.microseconds])
        }
    }

    @Test("answers a repeat as the first request, and refuses the same id of another request")
    func duplicates() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.twice(Self.verb([Self.item("a"), Self.item("b")])) == Enqueue.Response())
            let other = Self.verb([Self.item("b"), Self.item("c")], nonce: "other")
            #expect(try await f.twice(other).duplicates == [0])
            #expect(try await f.dump().index("q:5:k").keys.sorted() == ["a", "b", "c"])
        }
    }

    @Test("puts a message into the logs of the tasks that it creates, in the name of the actor, and of no others")
    func message() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            f.clock.advance(by: .seconds(1))
            let longest = String(repeating: "x", count: 1024)
            try await f.twice(Self.verb([Self.item("a"), Self.item("b")], message: longest))
            #expect(try await f.dump().list("l:b") == ["\(f.now) enqueued op -\n" + longest])
            #expect(try await f.dump().keys["l:a"] == nil)
            let line = LogLine(time: f.clock.now, event: "enqueued", state: .ready, actor: "op", message: longest)
            #expect(try await f.tracker.log(of: "b") == [line])
            await #expect(throws: TrackerError.self) {
                try await f.tracker.enqueue([NewTask("k")], message: longest + "x")
            }
        }
    }

    @Test("finds its own task again after somebody has claimed it")
    func repeatAfterClaim() async throws {
        try await TrackerFixture.run { f async throws in
            let request = f.request(Self.verb([Self.item("a")]))
            let first = try await f.send(request)
            _ = try await f.claim("a")
            let before = try await f.dump()
            #expect(try await f.send(request) == first)
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("makes the first of twins in one batch and names the others")
    func twins() async throws {
        try await TrackerFixture.run { f async throws in
            let items = [
                Self.item("a", payload: Body(text: "1")), Self.item("b"), Self.item("a", payload: Body(text: "2")),
            ]
            #expect(try await f.twice(Self.verb(items)).duplicates == [2])
            #expect(try await f.record("a").payload == Body(text: "1"))
        }
    }

    @Test("tells a duplicate from an existing task as the caller asks")
    func duplicatePolicies() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            let refused = try await f.tracker.enqueue([NewTask("k", options: EnqueueOptions(id: "a"))])
            let found = try await f.tracker.enqueue(
                [NewTask("k", options: EnqueueOptions(id: "a", ifExists: .returnExisting)), NewTask("k")]
            )
            #expect(refused == [.duplicate("a")])
            #expect(found[0] == .existing("a"))
            #expect(found[1] == .created(found[1].id))
        }
    }

    @Test("refuses an unknown kind and writes nothing, also of the other tasks")
    func unknownKind() async throws {
        try await TrackerFixture.run { f async throws in
            let verb = Self.verb([Self.item("a"), Self.item("b", kind: 1)], kinds: [("k", nil), ("7", nil)])
            let before = try await f.dump()
            await #expect { try await f.send(verb) } throws: { error in
                let error = error as? TrackerError
                return error?.code == .unknownKind && error?.message.contains("“7”") == true
            }
            #expect(try await f.dump().changes(since: before) == [])
            #expect(try await f.reply(verb)[1].int == f.now, "the second element of an answer is the time")
        }
    }

    @Test("defines an unknown kind with the policy that the caller offers, and keeps a stored one")
    func definesKinds() async throws {
        try await TrackerFixture.run { f async throws in
            let offered = KindPolicy(lease: .seconds(1))
            let kinds: [(name: KindName, policy: KindPolicy?)] = [("k", offered), ("new", offered)]
            try await f.twice(Self.verb([Self.item("a"), Self.item("b", kind: 1, priority: 3)], kinds: kinds))
            let stored = try await f.tracker.kinds()
            #expect(stored.map(\.name) == ["k", "new"])
            #expect(stored.map(\.policy) == [TrackerFixture.policy, offered])
            #expect(try await f.dump().header["q:new"] == "3")
        }
    }

    @Test("knows every priority that a kind ever used")
    func priorities() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Self.verb((0...9).map { Self.item("p\($0)", priority: $0) }))
            #expect(try await f.dump().header["q:k"]?.sorted() == Array("0123456789"))
            for priority in 0...9 { #expect(try await f.dump().index("q:\(priority):k").count == 1) }
        }
    }

    @Test(
        "takes ids with any characters but control characters",
        arguments: [
            "{a}", "}{", "a b", " ", "🧗🏽‍♀️", "e\u{301}", "%s%d", "*?[x]", "t:1", "\"'\\",
            String(repeating: "x", count: 256),
            String(repeating: "é", count: 128), "-1", "a/b#c?d",
        ]
    )
    func ids(text: String) async throws {
        try await TrackerFixture.run { f async throws in
            let id = try TaskID(text)
            try await f.enqueue(id, payload: Body(bytes: Array(repeating: 1, count: 300)))
            let claims = try await f.tracker.claim(["k"])
            #expect(claims.map(\.id) == [id])
            #expect(claims.first.map { Array($0.id.description.utf8) } == Array(text.utf8))
            #expect(try await f.tracker.fail(claims[0].handle, failure) != .gone)
            #expect(try await f.record(id).lastFailure?.failure == failure)
            #expect(try await f.tracker.find().tasks.map(\.id) == [id])
        }
    }

    @Test("keeps apart ids that look the same and have other bytes")
    func canonicalEquivalents() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            let ids = [TaskID(trusted: "\u{e9}"), TaskID(trusted: "e\u{301}")]
            let outcomes = try await f.tracker.enqueue(ids.map { NewTask("k", options: EnqueueOptions(id: $0)) })
            #expect(outcomes == ids.map { .created($0) })
            #expect(outcomes[0] != outcomes[1])
            #expect(try await f.tracker.claim(["k"], limit: 5).count == 2)
        }
    }

    @Test("takes 500 tasks in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            let items = (1...501).map { Self.item("t\($0)") }
            try await f.twice(Self.verb(Array(items.prefix(500))))
            #expect(try await f.dump().index("q:5:k").count == 500)
            await #expect { try await f.tracker.enqueue((1...501).map { _ in NewTask("k") }) } throws: {
                ($0 as? TrackerError)?.code == .invalidArgument
            }
            await #expect(throws: TrackerError.self) { try await f.tracker.enqueue([]) }
        }
    }

    @Test("keeps a trace context of any length in short fields, and hands it to the claim")
    func traces() async throws {
        try await TrackerFixture.run { f async throws in
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let traces = [
                ["traceparent": parent],
                ["traceparent": parent, "tracestate": "vendor=" + String(repeating: "v", count: 120)],
                ["traceparent": parent, "baggage": String(repeating: "b", count: 2000)],
            ]
            let items = traces.enumerated().map { Self.item("t\($0.offset)", trace: $0.element) }
            try await f.twice(Self.verb(items))
            let claims = try await f.twice(f.claimMany(10)).claims
            #expect(claims.map(\.trace) == [traces[0], traces[1], traces[0]])
        }
    }

    @Test("refuses what is out of range before anything is sent")
    func ranges() async throws {
        try await TrackerFixture.run { f async throws in
            let before = try await f.dump()
            let bad: [EnqueueOptions] = [
                EnqueueOptions(delay: .microseconds(-1)), EnqueueOptions(delay: .seconds(3650 * 86_400 + 1)),
                EnqueueOptions(runAt: Timestamp(microseconds: -1)),
                EnqueueOptions(runAt: Timestamp(microseconds: 4_102_444_800_000_001)),
                EnqueueOptions(delay: .seconds(1), runAt: f.clock.now), EnqueueOptions(priority: -1),
                EnqueueOptions(priority: 10), EnqueueOptions(attempts: 0), EnqueueOptions(attempts: 10_001),
            ]
            for options in bad {
                await #expect { try await f.tracker.enqueue([NewTask("k", options: options)]) } throws: {
                    ($0 as? TrackerError)?.code == .invalidArgument
                }
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("holds 1,000 kinds and refuses the next, also when one request brings many")
    func kindLimit() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            let kinds = (1...1001).map { (name: KindName(trusted: "k\($0)"), policy: Optional(TrackerFixture.policy)) }
            for start in stride(from: 0, to: 999, by: 333) {
                let some = Array(kinds[start..<start + 333])
                try await f.send(Self.verb([Self.item("t\(start)")], kinds: some))
            }
            #expect(try await f.tracker.kinds().count == 999)
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb([Self.item("x")], kinds: Array(kinds[999...]))) } throws: {
                ($0 as? TrackerError)?.code == .full
            }
            #expect(try await f.dump().changes(since: before) == [])
            try await f.send(Self.verb([Self.item("x")], kinds: [kinds[999]]))
            await #expect { try await f.send(Self.verb([Self.item("y")], kinds: [kinds[1000]])) } throws: {
                ($0 as? TrackerError)?.code == .full
            }
            #expect(try await f.tracker.kinds().count == 1000)
        }
    }

    @Test("wakes one idle worker for each task that is due soon, and none for a later one")
    func wakes() async throws {
        try await TrackerFixture.run { f async throws in
            for name in ["w:1", "w:2", "w:3"] {
                try await f.send(f.claimMany(worker: WorkerName(trusted: name), wait: .seconds(1)))
            }
            #expect(try await f.dump().index("i:k").count == 3)
            try await f.enqueue("later", delay: .seconds(60))
            #expect(try await f.dump().index("i:k").count == 3)
            // Nobody listens here, so each told worker is passed over for the next.
            try await f.enqueue("now")
            #expect(try await f.dump().index("i:k").count == 0)
        }
    }

    @Test("leaves no partial write when a key of another type stands where the record belongs")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.command("RPUSH", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb([Self.item("a"), Self.item("b"), Self.item("c")])) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
