import BelayTestKit
import Synchronization
import Testing

@testable import Belay

/// Finished hooks on every backend: what is stored, what sets a rule off, and that it acts once.
@Suite("hooks")
struct HookContract {
    private static let note: KindName = "note"
    private static let failure = TaskFailure(type: "e", message: "m")

    /// A runner whose documents are short texts.
    private static func runner(_ tracker: Tracker, _ bytes: Int = 0) throws -> HookRunner {
        try HookRunner(tracker) { firing in
            let payload = firing.task.map { $0.payload?.text ?? "no payload" } ?? "no task"
            return Body(text: "\(firing.hook) \(firing.event.name) \(firing.state) \(payload) \(firing.isShortened)")
        }
    }

    /// The payloads of the tasks that hooks made of a kind, by id.
    private static func made(_ tracker: Tracker, _ kind: KindName) async throws -> [String: String] {
        let ids = try await tracker.find(kinds: [kind], limit: 500).tasks.map(\.id)
        guard !ids.isEmpty else { return [:] }
        var made: [String: String] = [:]
        for record in try await tracker.get(ids) { made["\(record!.id)"] = record!.payload?.text }
        return made
    }

    private static func run(_ backend: TestedBackend, _ body: (Tracker, ManualClock) async throws -> Void) async throws
    {
        try await backend.run(KindPolicy(lease: .seconds(10), attempts: 1)) { tracker, clock in
            try await tracker.define(note)
            try await body(tracker, clock)
        }
    }

    @Test("are stored, replaced and removed", arguments: TestedBackend.spread)
    func stored(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, clock in
            let since = clock.now
            let webhook = HookRule("w", action: .webhook(Webhook(url: "http://h/", secret: "s")))
            var rule = HookRule("b", when: HookCondition(kinds: ["mail"]), action: .enqueue(HookTask(Self.note)))
            try await tracker.defineHook(webhook)
            try await tracker.defineHook(rule)
            clock.advance(by: .seconds(9))
            rule.condition.field = HookField(.payload, "/a", equals: .integer(1))
            try await tracker.defineHook(rule)
            let expected = [DefinedHook(rule: rule, since: since), DefinedHook(rule: webhook, since: since)]
            #expect(try await tracker.hooks() == HookList(hooks: expected, position: nil, now: clock.now))
            #expect(try await tracker.removeHook("b") == .removed)
            #expect(try await tracker.removeHook("b") == .notFound)
            #expect(try await tracker.hooks().hooks.map(\.rule.name) == ["w"])
            rule.action = .enqueue(HookTask("none"))
            #expect(await code { try await tracker.defineHook(rule) } == .unknownKind)
            for number in 2...Limits.hooks {
                try await tracker.defineHook(HookRule("h\(number)", action: webhook.action))
            }
            #expect(await code { try await tracker.defineHook(HookRule("b", action: webhook.action)) } == .full)
        }
    }

    @Test("create a task for each end that they are about, once", arguments: TestedBackend.spread)
    func everyEnd(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, clock in
            try await tracker.add("early")
            try await tracker.complete(tracker.take("early").handle)
            clock.advance(by: .seconds(1))
            let others = HookCondition(kinds: ["!note"])
            try await tracker.defineHook(HookRule("all", when: others, action: .enqueue(HookTask(Self.note))))
            var bad = others
            bad.states = [.exhausted, .ignored]
            let told = HookTask(Self.note, payload: #"{"{{id}}":["{{kind}}","{{state}}"]}"#)
            try await tracker.defineHook(HookRule("bad", when: bad, action: .enqueue(told)))
            for id: TaskID in ["ok", "fails", "crashes", "cancelled", "igno\"red", "waits"] {
                try await tracker.add(id)
            }
            try await tracker.complete(tracker.take("ok").handle)
            try await tracker.fail(tracker.take("fails").handle, Self.failure)
            _ = try await tracker.take("crashes")
            clock.advance(by: .seconds(10))
            _ = try await tracker.reap()
            _ = try await tracker.cancel(["cancelled"])
            _ = try await tracker.ignore(["igno\"red"])
            let runner = try Self.runner(tracker)
            #expect(try await runner.catchUp() == 8)
            let made = try await Self.made(tracker, Self.note)
            let documents = Set(made.filter { $0.key.hasPrefix("hook/all/") }.values)
            #expect(
                documents == [
                    "all succeeded succeeded payload of ok false", "all exhausted exhausted payload of fails false",
                    "all reaped exhausted payload of crashes false",
                    "all cancelled cancelled payload of cancelled false",
                    "all ignored ignored payload of igno\"red false",
                ]
            )
            #expect(
                Set(made.filter { $0.key.hasPrefix("hook/bad/") }.values) == [
                    #"{"fails":["mail","exhausted"]}"#, #"{"crashes":["mail","exhausted"]}"#,
                    #"{"igno\"red":["mail","ignored"]}"#,
                ]
            )
            #expect(made.keys.contains { $0.hasPrefix("hook/all/ok/") })
            #expect(try await runner.catchUp() == 0)
            // A second end of the same task is another one.
            _ = try await tracker.retry(["ok"])
            try await tracker.complete(tracker.take("ok").handle)
            #expect(try await Self.runner(tracker).catchUp() == 1)
            if backend.partitions == 1 {
                #expect(try await tracker.hooks().position == tracker.events(from: .newest).position)
            }
        }
    }

    @Test("are not set off twice by a runner that begins before the position", arguments: TestedBackend.spread)
    func repeated(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, _ in
            try await tracker.defineHook(
                HookRule(
                    "all",
                    when: HookCondition(kinds: [KindPattern("mail")]),
                    action: .enqueue(HookTask(Self.note))
                )
            )
            for number in 0..<50 {
                let id = TaskID(trusted: "t\(number)")
                try await tracker.add(id)
                try await tracker.complete(tracker.take(id).handle)
            }
            let runner = try Self.runner(tracker)
            #expect(try await runner.catchUp() == 50)
            // As if every position had been lost: the tasks are there.
            let stored = try #require(try await tracker.hooks().position)
            let oldest = try #require(try await tracker.events(from: .oldest, limit: 2).events.first).position
            #expect(try await tracker.perform(Advance(consumer: "hooks", from: stored, to: oldest)) == .kept)
            #expect(try await runner.catchUp() == 0)
            #expect(try await Self.made(tracker, Self.note).count == 50)
            // Two at once.
            for number in 50..<100 {
                let id = TaskID(trusted: "t\(number)")
                try await tracker.add(id)
                try await tracker.complete(tracker.take(id).handle)
            }
            async let one = runner.catchUp()
            async let other = Self.runner(tracker).catchUp()
            let counts = try await (one, other)
            #expect(counts.0 + counts.1 == 50)
        }
    }

    @Test("look at tags and fields of the record, and pass over what is gone", arguments: TestedBackend.spread)
    func records(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, _ in
            let others: [KindPattern] = ["!note"]
            let high = HookField(.payload, "/priority", equals: .text("high"))
            let tagged = HookCondition(kinds: others, tags: ["red", "blue"])
            let done = HookCondition(kinds: others, field: HookField(.result, "/n", equals: .integer(1)))
            try await tracker.defineHook(
                HookRule("any", when: HookCondition(kinds: others), action: .enqueue(HookTask(Self.note)))
            )
            try await tracker.defineHook(
                HookRule("high", when: HookCondition(kinds: others, field: high), action: .enqueue(HookTask(Self.note)))
            )
            try await tracker.defineHook(HookRule("tagged", when: tagged, action: .enqueue(HookTask(Self.note))))
            try await tracker.defineHook(HookRule("done", when: done, action: .enqueue(HookTask(Self.note))))
            func end(_ id: TaskID, _ payload: String, _ tags: [TaskTag], _ result: String) async throws {
                var options = EnqueueOptions(id: id)
                options.tags = tags
                try await tracker.enqueue([NewTask(mail, payload: Body(text: payload), options: options)])
                try await tracker.complete(tracker.take(id).handle, result: Body(text: result))
            }
            try await end("a", #"{"priority":"high"}"#, [], "")
            try await end("b", "high", ["blue"], #"{"n":1.0}"#)
            try await end("c", #"{"priority":"high"}"#, ["red"], #"{"n":1}"#)
            try await end("d", #"{"priority":"low"}"#, ["green"], #"{"n":"1"}"#)
            _ = try await tracker.delete(["c"])
            try await Self.runner(tracker).catchUp()
            let ids = try await Self.made(tracker, Self.note)
            let pairs = Set(ids.keys.map { $0.split(separator: "/")[1...2].joined(separator: " ") })
            #expect(pairs == ["any a", "any b", "any c", "any d", "high a", "tagged b", "done b"])
            #expect(ids.values.contains("any succeeded succeeded no task false"))
        }
    }

    @Test("make webhooks tasks of their own kind, whose ends set off nothing", arguments: TestedBackend.spread)
    func webhooks(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, _ in
            try await tracker.defineHook(HookRule("w", action: .webhook(Webhook(url: "http://h/", secret: "s"))))
            try await tracker.add("a")
            try await tracker.complete(tracker.take("a").handle)
            let runner = try Self.runner(tracker)
            #expect(try await runner.catchUp() == 1)
            let kind = try #require(try await tracker.kinds().first { $0.name == Webhook.kind })
            #expect(kind.policy == Webhook.policy)
            let claim = try #require(try await tracker.claim([Webhook.kind]).first)
            #expect(claim.payload.text == "w succeeded succeeded payload of a false")
            try await tracker.complete(claim.handle)
            #expect(try await runner.catchUp() == 0)
        }
    }

    @Test("wait for room in a full queue, and pass over what can never be done", arguments: TestedBackend.allCases)
    func refused(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, _ in
            try await tracker.define("one", policy: KindPolicy(queueLimit: 1))
            try await tracker.define("gone")
            let mails = HookCondition(kinds: ["mail"])
            try await tracker.defineHook(HookRule("full", when: mails, action: .enqueue(HookTask("one"))))
            try await tracker.defineHook(HookRule("gone", when: mails, action: .enqueue(HookTask("gone"))))
            try await tracker.defineHook(HookRule("noted", when: mails, action: .enqueue(HookTask(Self.note))))
            #expect(try await tracker.undefine("gone") == .removed(tasks: 0))
            for id: TaskID in ["a", "b"] {
                try await tracker.add(id)
                try await tracker.complete(tracker.take(id).handle)
            }
            let runner = try Self.runner(tracker)
            #expect(await code { try await runner.catchUp() } == .full)
            #expect(try await Self.made(tracker, "one").count == 1)
            let held = try #require(try await tracker.claim(["one"]).first)
            try await tracker.complete(held.handle)
            try await runner.catchUp()
            #expect(try await Self.made(tracker, "one").count == 2)
            #expect(try await Self.made(tracker, Self.note).count == 2)
        }
    }

    @Test("keep within the limits of ids and payloads", arguments: TestedBackend.spread)
    func limits(backend: TestedBackend) async throws {
        try await Self.run(backend) { tracker, _ in
            let name = String(repeating: "n", count: 64)
            try await tracker.defineHook(
                HookRule(name, when: HookCondition(kinds: ["mail"]), action: .enqueue(HookTask(Self.note)))
            )
            let limit = try await tracker.backend.payloadLimit
            let ids = ["1", "2"].map { TaskID(trusted: String(repeating: "é", count: 127) + $0) }
            for id in ids {
                let payload = Body(bytes: Array(repeating: UInt8(ascii: "x"), count: limit))
                try await tracker.enqueue([NewTask(mail, payload: payload, options: EnqueueOptions(id: id))])
                try await tracker.complete(tracker.take(id).handle)
            }
            #expect(try await Self.runner(tracker).catchUp() == 2)
            let made = try await Self.made(tracker, Self.note)
            #expect(made.count == 2)
            #expect(made.keys.allSatisfy { $0.utf8.count <= Limits.idBytes && $0.contains("é…/") })
            #expect(made.values.allSatisfy { $0 == "\(name) succeeded succeeded no payload true" })
        }
    }
}
