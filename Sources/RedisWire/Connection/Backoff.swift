import NIOCore

extension RedisConfiguration.Backoff {
    /// The pause after a number of failures in a row: `random` times a limit that doubles with each failure.
    ///
    /// - Parameters:
    ///   - failures: How many tries have failed, from 1.
    ///   - random: A number from 0 to 1.
    func pause(afterFailures failures: Int, random: Double) -> Duration {
        let doublings = min(max(failures - 1, 0), 30)
        return min(cap, base * (1 << doublings)) * random
    }
}

extension TimeAmount {
    /// A duration, rounded to nanoseconds.
    init(rounding duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self = overflow ? .hours(24 * 365) : .nanoseconds(whole + attoseconds / 1_000_000_000)
    }
}
