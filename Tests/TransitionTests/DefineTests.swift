import RedisWire
import Testing

@testable import Belay

@Suite("define")
struct DefineTests {
    static let other = KindPolicy(lease: .seconds(1), attempts: 1)

    @Test("stores a policy for all to read")
    func stores() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            let verb = Define(kind: "k", policy: TrackerFixture.policy, replace: false)
            let events = try await f.events { try await f.twice(verb) }
            let text = PolicyText.encode(TrackerFixture.policy)
            #expect(events == ["defined k  | \(text)"])
            #expect(try await f.dump().header["k:k"] == text)
            #expect(try await f.dump().header["q:k"] == "5")
            #expect(try await f.tracker.kinds() == [DefinedKind(name: "k", policy: TrackerFixture.policy)])
        }
    }

    @Test("takes the same policy again, and refuses another, naming both")
    func conflict() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.unchanged(Define(kind: "k", policy: TrackerFixture.policy, replace: false))
            try await f.unchanged(Define(kind: "k", policy: TrackerFixture.policy, replace: true))
            for change in [\.timeout, \.keepOther] as [WritableKeyPath<KindPolicy, Duration?>] {
                var policy = TrackerFixture.policy
                policy[keyPath: change] = .seconds(1)
                await #expect(throws: TrackerError.self) {
                    try await f.unchanged(Define(kind: "k", policy: policy, replace: false))
                }
            }
            await #expect { try await f.unchanged(Define(kind: "k", policy: Self.other, replace: false)) } throws: {
                let error = $0 as? TrackerError
                return error?.code == .kindConflict && error?.message.contains(PolicyText.encode(Self.other)) == true
            }
        }
    }

    @Test("replaces a policy when asked; tasks that wait follow the new one")
    func replaces() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 7)
            try await f.twice(Define(kind: "k", policy: Self.other, replace: true))
            let claim = try #require(try await f.tracker.claim(["k"]).first)
            #expect(claim.lease == .seconds(1))
            #expect(try await f.tracker.fail(claim.handle, failure) == .exhausted)
        }
    }

    @Test("refuses a policy that is out of range before anything is sent")
    func invalid() async throws {
        try await TrackerFixture.run { f async throws in
            await #expect(throws: TrackerError.self) {
                try await f.tracker.define("new", policy: KindPolicy(lease: .zero))
            }
            #expect(try await f.tracker.kinds().map(\.name) == ["k"])
        }
    }

    @Test("holds 1,000 kinds and refuses the next, also after the clock jumped")
    func limit() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            try await f.send(Reap(limit: 1, estimatedNow: Timestamp(microseconds: 0)))
            #expect(try await f.dump().header["hold"] != nil)
            for number in 1...1000 {
                try await f.send(Define(kind: KindName(trusted: "k\(number)"), policy: Self.other, replace: false))
            }
            await #expect { try await f.unchanged(Define(kind: "more", policy: Self.other, replace: true)) } throws: {
                ($0 as? TrackerError)?.code == .full
            }
            try await f.send(Define(kind: "k1000", policy: TrackerFixture.policy, replace: true))
            #expect(try await f.tracker.kinds().count == 1000)
        }
    }
}
