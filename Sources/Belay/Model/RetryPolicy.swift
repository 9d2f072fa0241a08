/// How long a task waits before it is tried again. It is data, stored with the kind; the server computes the moment.
///
/// The nth failure (or crash) waits `delay(n)`, then moved by the jitter. The jitter is drawn from the task's id and n, so
/// that the moment can be foretold and every language gets the same.
public struct RetryPolicy: Sendable, Hashable, Codable {
    /// The shape of the delays.
    public enum Backoff: Sendable, Hashable, Codable {
        /// `base × factor^(n-1)`, at most `cap`.
        case exponential(base: Duration, factor: Double, cap: Duration)
        /// Always the same.
        case fixed(Duration)
        /// The nth of the list; the last one repeats.
        case list([Duration])
    }

    /// The shape of the delays.
    public var backoff: Backoff
    /// Each delay is multiplied by a number between `1 - jitter` and `1 + jitter`; 0 to 1.
    public var jitter: Double

    /// A policy from its parts.
    public init(_ backoff: Backoff, jitter: Double = 0.1) {
        self.backoff = backoff
        self.jitter = jitter
    }

    /// Doubling from 1 s up to an hour, ±10 %.
    public static let `default` = RetryPolicy.exponential()
    /// `base × factor^(n-1)`, at most `cap`. Defaults: 1 s, 2, 1 h, ±10 %.
    public static func exponential(
        base: Duration = .seconds(1),
        factor: Double = 2,
        cap: Duration = .seconds(3600),
        jitter: Double = 0.1
    ) -> RetryPolicy {
        RetryPolicy(.exponential(base: base, factor: factor, cap: cap), jitter: jitter)
    }
    /// Always the same delay, exact by default.
    public static func fixed(_ delay: Duration, jitter: Double = 0) -> RetryPolicy {
        RetryPolicy(.fixed(delay), jitter: jitter)
    }
    /// The delays of a list (1 to 32), the last one repeats; exact by default.
    public static func list(_ delays: [Duration], jitter: Double = 0) -> RetryPolicy {
        RetryPolicy(.list(delays), jitter: jitter)
    }

    func validate() throws(TrackerError) {
        guard (0...1).contains(jitter) else { throw .invalid("jitter", jitter, allowed: "0 to 1") }
        switch backoff {
        case .exponential(let base, let factor, let cap):
            guard (1...1000).contains(factor) else { throw .invalid("backoff factor", factor, allowed: "1 to 1000") }
            try Self.check(base)
            try Self.check(cap)
            guard base <= cap else { throw .invalid("backoff base", base, allowed: "at most the cap, \(cap)") }
        case .fixed(let delay):
            try Self.check(delay)
        case .list(let delays):
            guard (1...32).contains(delays.count) else {
                throw .invalid("number of retry delays", delays.count, allowed: "1 to 32")
            }
            for delay in delays { try Self.check(delay) }
        }
    }

    private static func check(_ delay: Duration) throws(TrackerError) {
        guard Limits.delay.contains(delay) else { throw .invalid("retry delay", delay, allowed: "0 s to 3,650 days") }
    }
}
