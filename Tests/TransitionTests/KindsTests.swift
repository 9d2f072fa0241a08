import RedisWire
import Testing

@testable import Belay

@Suite("kinds")
struct KindsTests {
    @Test("tells every kind with its policy, by name")
    func all() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            #expect(try await f.twice(Kinds()) == [])
            let policies: [(KindName, KindPolicy)] = [
                ("b", .default), ("a:x/y.z-1_", KindPolicy(retry: .list([.zero, .seconds(1)]), keepSucceeded: nil)),
                ("D", KindPolicy(timeout: .milliseconds(50), queueLimit: 7, whenExhausted: .ignored)),
                ("C", KindPolicy(lease: .milliseconds(50), attempts: 10_000, retry: .fixed(.seconds(9), jitter: 1))),
                (KindName(trusted: String(repeating: "k", count: 64)), .default),
            ]
            for (name, policy) in policies { try await f.tracker.define(name, policy: policy) }
            let stored = try await f.twice(Kinds())
            #expect(stored.map(\.name) == policies.map(\.0).sorted())
            for (name, policy) in policies { #expect(stored.first { $0.name == name }?.policy == policy) }
        }
    }
}
