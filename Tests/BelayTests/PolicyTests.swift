import Testing

@testable import Belay

@Suite("A policy")
struct PolicyTests {
    static let year = Duration.seconds(365 * 86_400)

    static let good: [KindPolicy] = [
        .default,
        KindPolicy(lease: .milliseconds(50), attempts: 1),
        KindPolicy(lease: .seconds(86_400), attempts: 10_000),
        KindPolicy(retry: .exponential(base: .zero, factor: 1, cap: .zero, jitter: 0)),
        KindPolicy(retry: .exponential(base: .microseconds(1), factor: 1000, cap: year * 10, jitter: 1)),
        KindPolicy(retry: .exponential(base: .seconds(1), factor: 1.5, cap: .seconds(1), jitter: 0.125)),
        KindPolicy(retry: .fixed(.zero)),
        KindPolicy(retry: .fixed(year * 10, jitter: 0.5)),
        KindPolicy(retry: .list([.seconds(1)])),
        KindPolicy(retry: .list((0..<32).map { .milliseconds($0) }, jitter: 0.001)),
        KindPolicy(keepSucceeded: nil, keepOther: nil),
        KindPolicy(keepSucceeded: .microseconds(1), keepOther: year * 10),
        KindPolicy(timeout: .milliseconds(50)),
        KindPolicy(timeout: year * 10, queueLimit: 1),
        KindPolicy(queueLimit: 1_000_000_000, whenExhausted: .ignored),
        KindPolicy(retry: .list([.zero]), whenExhausted: .ignored),
        KindPolicy(softTimeout: .milliseconds(10)),
        KindPolicy(timeout: .milliseconds(50), softTimeout: .microseconds(49_999)),
        KindPolicy(timeout: year * 10, softTimeout: year * 9, queueLimit: 7, whenExhausted: .ignored),
    ]

    static let bad: [(policy: KindPolicy, word: String)] = [
        (KindPolicy(lease: .zero), "lease"),
        (KindPolicy(lease: .seconds(-1)), "lease"),
        (KindPolicy(lease: .microseconds(49_999)), "lease"),
        (KindPolicy(lease: .seconds(86_400) + .microseconds(1)), "lease"),
        (KindPolicy(attempts: 0), "attempts"),
        (KindPolicy(attempts: -1), "attempts"),
        (KindPolicy(attempts: 10_001), "attempts"),
        (KindPolicy(retry: .exponential(jitter: -0.001)), "jitter"),
        (KindPolicy(retry: .exponential(jitter: 1.001)), "jitter"),
        (KindPolicy(retry: .exponential(jitter: .nan)), "jitter"),
        (KindPolicy(retry: .exponential(factor: 0.999)), "backoff factor"),
        (KindPolicy(retry: .exponential(factor: 1000.1)), "backoff factor"),
        (KindPolicy(retry: .exponential(factor: .nan)), "backoff factor"),
        (KindPolicy(retry: .exponential(factor: .infinity)), "backoff factor"),
        (KindPolicy(retry: .exponential(base: .seconds(2), cap: .seconds(1))), "backoff base"),
        (KindPolicy(retry: .exponential(base: .seconds(-1))), "retry delay"),
        (KindPolicy(retry: .exponential(cap: year * 10 + .microseconds(1))), "retry delay"),
        (KindPolicy(retry: .fixed(.microseconds(-1))), "retry delay"),
        (KindPolicy(retry: .fixed(year * 10 + .microseconds(1))), "retry delay"),
        (KindPolicy(retry: .list([])), "number of retry delays"),
        (KindPolicy(retry: .list(Array(repeating: .zero, count: 33))), "number of retry delays"),
        (KindPolicy(retry: .list([.zero, .seconds(-1)])), "retry delay"),
        (KindPolicy(keepSucceeded: .zero), "retention"),
        (KindPolicy(keepSucceeded: .nanoseconds(999)), "retention"),
        (KindPolicy(keepOther: .seconds(-1)), "retention"),
        (KindPolicy(keepOther: year * 10 + .microseconds(1)), "retention"),
        (KindPolicy(timeout: .zero), "timeout"),
        (KindPolicy(timeout: .microseconds(49_999)), "timeout"),
        (KindPolicy(timeout: year * 10 + .microseconds(1)), "timeout"),
        (KindPolicy(softTimeout: .zero), "soft timeout"),
        (KindPolicy(softTimeout: .microseconds(9_999)), "soft timeout"),
        (KindPolicy(softTimeout: year * 10 + .microseconds(1)), "soft timeout"),
        (KindPolicy(queueLimit: 0), "queue limit"),
        (KindPolicy(queueLimit: -1), "queue limit"),
        (KindPolicy(queueLimit: 1_000_000_001), "queue limit"),
    ]

    @Test("within its limits is taken and survives being stored", arguments: good)
    func roundTrip(policy: KindPolicy) throws {
        try policy.validate()
        let text = PolicyText.encode(policy)
        #expect(text.split(separator: " ").count == (policy.softTimeout == nil ? 13 : 14))
        #expect(try PolicyText.decode(text) == policy)
    }

    @Test("past a limit is refused, naming what and what is allowed", arguments: bad)
    func refused(policy: KindPolicy, word: String) {
        NamesTests.refused([word]) { try policy.validate() }
    }

    @Test("whose attempts are to stop when or after they are taken back is refused, naming both times")
    func contradiction() {
        for soft in [Duration.seconds(30), .seconds(31)] {
            NamesTests.refused(["soft timeout", "\(soft)", "less than the timeout, \(Duration.seconds(30))"]) {
                try KindPolicy(timeout: .seconds(30), softTimeout: soft).validate()
            }
        }
    }

    @Test(
        "is read as the scripts read it",
        arguments: [
            (KindPolicy.default, "30000000 5 e 1000000 3600000000 2000 100 604800000000 2592000000000 - 0 0 x"),
            (
                KindPolicy(retry: .fixed(.seconds(2)), keepOther: nil, timeout: .seconds(9), queueLimit: 7),
                "30000000 5 f 2000000 2000000 1000 0 604800000000 0 - 9000000 7 x"
            ),
            (
                KindPolicy(
                    retry: .list([.zero, .microseconds(7)], jitter: 1),
                    keepSucceeded: nil,
                    whenExhausted: .ignored
                ),
                "30000000 5 l 0 0 1000 1000 0 2592000000000 0,7 0 0 n"
            ),
            (
                KindPolicy(timeout: .seconds(9), softTimeout: .seconds(8)),
                "30000000 5 e 1000000 3600000000 2000 100 604800000000 2592000000000 - 9000000 0 x 8000000"
            ),
        ]
    )
    func text(policy: KindPolicy, text: String) { #expect(PolicyText.encode(policy) == text) }

    @Test("of ten words was stored before time-out, queue limit and end state existed, and has none")
    func older() throws {
        let text = "30000000 5 e 1000000 3600000000 2000 100 604800000000 2592000000000 -"
        #expect(try PolicyText.decode(text) == .default)
        #expect(try PolicyText.decode(text + " 9000000 7 n").softTimeout == nil, "so were those of thirteen")
        let list = "30000000 5 l 0 0 1000 0 604800000000 2592000000000 0,7"
        #expect(try PolicyText.decode(list) == KindPolicy(retry: .list([.zero, .microseconds(7)])))
    }

    @Test(
        "that is stored in another form is a protocol error",
        arguments: [
            "", "1 2 3", "30000000 5 z 1 1 1 1 1 1 -", "30000000 5 e 1 1 1 1 1 1", "x 5 e 1 1 1 1 1 1 -",
            "30000000 5 l 0 0 1000 0 0 0 -", "30000000 5 l 0 0 1000 0 0 0 1,x", "30000000 5 e 1 1 1 1 1 -1 -",
            "30000000 5 e 1 1 1 1 1 1 - 0", "30000000 5 e 1 1 1 1 1 1 - 0 0", "30000000 5 e 1 1 1 1 1 1 - 0 0 y",
            "30000000 5 e 1 1 1 1 1 1 - x 0 x", "30000000 5 e 1 1 1 1 1 1 - 0 -1 x",
            "30000000 5 e 1 1 1 1 1 1 - 0 0 x -1", "30000000 5 e 1 1 1 1 1 1 - 0 0 x y",
            "30000000 5 e 1 1 1 1 1 1 - 0 0 x 1 1",
        ]
    )
    func malformed(text: String) {
        #expect {
            try PolicyText.decode(text)
        } throws: {
            ($0 as? TrackerError)?.code == .protocolViolation
        }
    }
}
