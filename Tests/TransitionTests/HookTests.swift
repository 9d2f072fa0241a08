import RedisWire
import Testing

@testable import Belay

@Suite("hook")
struct HookTests {
    static let rule = HookRule(
        "alarm",
        when: HookCondition(states: [.exhausted]),
        action: .webhook(Webhook(url: "http://h/"))
    )

    private func define(_ rule: HookRule) -> DefineHook { DefineHook(name: rule.name, rule: rule) }

    @Test("stores a rule with the moment since when it stands")
    func stores() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(5))
            let events = try await f.events { try await f.twice(define(Self.rule)) }
            #expect(events == [])
            let text = #"{"condition":{"states":["exhausted"]},"webhook":{"headers":{},"url":"http://h/"}}"#
            #expect(try await f.dump().hash("hooks") == ["alarm": "\(f.now) \(text)"])
            let list = try await f.tracker.hooks()
            #expect(list.hooks == [DefinedHook(rule: Self.rule, since: f.clock.now)])
        }
    }

    @Test("keeps that moment when the rule is replaced, and forgets it when the rule was removed")
    func replaces() async throws {
        try await TrackerFixture.run { f async throws in
            let first = f.clock.now
            try await f.tracker.defineHook(Self.rule)
            f.clock.advance(by: .seconds(5))
            try await f.unchanged(define(Self.rule))
            var other = Self.rule
            other.condition = HookCondition()
            #expect(try await f.twice(define(other)))
            #expect(try await f.tracker.hooks().hooks == [DefinedHook(rule: other, since: first)])
            _ = try await f.tracker.removeHook("alarm")
            try await f.tracker.defineHook(other)
            #expect(try await f.tracker.hooks().hooks.map(\.since) == [f.clock.now])
        }
    }

    @Test("removes a rule, and says when there is none")
    func removes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.tracker.defineHook(Self.rule)
            #expect(try await f.send(DefineHook(name: "alarm", rule: nil)))
            #expect(try await f.dump().hash("hooks") == nil)
            #expect(try await f.unchanged(DefineHook(name: "alarm", rule: nil)) == false)
            #expect(try await f.tracker.removeHook("alarm") == .notFound)
        }
    }

    @Test("refuses the task of a kind that is not defined")
    func unknownKind() async throws {
        try await TrackerFixture.run { f async throws in
            let condition = HookCondition(kinds: ["k"])
            let unknown = HookRule("more", when: condition, action: .enqueue(HookTask("none")))
            await #expect { try await f.unchanged(define(unknown)) } throws: {
                ($0 as? TrackerError)?.code == .unknownKind && "\($0)".contains("none")
            }
            try await f.tracker.define("l")
            #expect(try await f.send(define(HookRule("more", when: condition, action: .enqueue(HookTask("l"))))))
        }
    }

    @Test("holds 100 rules and refuses the next")
    func limit() async throws {
        try await TrackerFixture.run { f async throws in
            for number in 1...Limits.hooks {
                try await f.tracker.defineHook(HookRule("h\(number)", action: Self.rule.action))
            }
            await #expect { try await f.unchanged(define(Self.rule)) } throws: { ($0 as? TrackerError)?.code == .full }
            try await f.tracker.defineHook(HookRule("h7", when: Self.rule.condition, action: Self.rule.action))
            #expect(try await f.tracker.hooks().hooks.count == Limits.hooks)
        }
    }

    @Test("refuses a rule that is out of range before anything is sent")
    func invalid() async throws {
        try await TrackerFixture.run { f async throws in
            await #expect(throws: TrackerError.self) {
                try await f.tracker.defineHook(HookRule("a b", action: Self.rule.action))
            }
            await #expect(throws: TrackerError.self) { _ = try await f.tracker.removeHook("") }
            #expect(try await f.dump().hash("hooks") == nil)
        }
    }
}
