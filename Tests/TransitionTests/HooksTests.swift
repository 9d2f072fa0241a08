import RedisWire
import Testing

@testable import Belay

@Suite("hooks")
struct HooksTests {
    private static let rules = [
        HookRule(
            "Z",
            when: HookCondition(states: [.succeeded, .ignored], kinds: ["thumb*", "!thumb-x"]),
            action: .webhook(Webhook(url: "https://host:8443/a?b=c", secret: "sëcret", headers: ["X-A": "b c"]))
        ),
        HookRule("a", action: .webhook(Webhook(url: "http://h/"))),
        HookRule(
            "b/c.d:e_f-1",
            when: HookCondition(
                kinds: ["j"],
                tags: ["x", "y"],
                field: HookField(
                    .result,
                    "/a~1b/0",
                    equals: .object(["é": .list([.null, .number(0.5), .integer(-7)])])
                )
            ),
            action: .enqueue(HookTask("k", payload: "{{id}} \u{1F600}\n", contentType: "text/plain"))
        ),
        HookRule("c", when: HookCondition(kinds: ["!k"]), action: .enqueue(HookTask("k"))),
    ]

    @Test("tells every rule as it was defined, by name, and how far the events were read")
    func all() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.twice(Hooks(name: nil, consumer: "hooks")).hooks == [])
            var expected: [DefinedHook] = []
            for rule in Self.rules.reversed() {
                f.clock.advance(by: .seconds(1))
                try await f.tracker.defineHook(rule)
                expected.insert(DefinedHook(rule: rule, since: f.clock.now), at: 0)
            }
            #expect(try await f.tracker.hooks() == HookList(hooks: expected, position: nil, now: f.clock.now))
            let position = TrackerEvent.Position(entry: "7-1", place: 2)
            try await f.send(Advance(consumer: "hooks", from: nil, to: position))
            #expect(try await f.twice(Hooks(name: nil, consumer: "hooks")).position == position)
            #expect(try await f.send(Hooks(name: nil, consumer: "other")).position == nil)
        }
    }

    @Test("tells one rule by name")
    func one() async throws {
        try await TrackerFixture.run { f async throws in
            for rule in Self.rules { try await f.tracker.defineHook(rule) }
            #expect(try await f.tracker.hook(named: "c")?.rule == Self.rules[3])
            #expect(try await f.tracker.hook(named: "d") == nil)
        }
    }

    @Test("does not guess at a rule that it cannot read")
    func unreadable() async throws {
        try await TrackerFixture.run { f async throws in
            for text in [
                "5 {}", #"5 {"condition":{}}"#, "5 none", #"5 {"condition":{"states":["new"]},"enqueue":{"kind":"k"}}"#,
            ] {
                try await f.command("HSET", "hooks", "a", text)
                await #expect(throws: TrackerError.self) { try await f.tracker.hooks() }
            }
        }
    }
}
