/// What holds for all tasks of a kind. It is stored in the tracker, so that every host and language sees the same.
public struct KindPolicy: Sendable, Hashable, Codable {
    /// How long a lock holds without renewal; a dead worker's task comes back after at most this. Default 30 s; 50 ms to 24 h.
    public var lease: Duration
    /// How often a task may be started before it is exhausted, crashes included. Default 5; 1 to 10,000.
    public var attempts: Int
    /// When it runs again after a failure or crash.
    public var retry: RetryPolicy
    /// How long a succeeded task is kept. Default 7 days; nil for ever.
    public var keepSucceeded: Duration?
    /// How long an exhausted, cancelled or ignored task is kept. Default 30 days; nil for ever.
    public var keepOther: Duration?
    /// The most time of one attempt, however often its lock is renewed; then it is taken back as if its worker had died.
    /// It is counted from the claim, and anew after a pause. Default nil, no limit; 50 ms to 3,650 days.
    public var timeout: Duration?
    /// The time after which an attempt is asked to stop, so that it can still put things in order before the time-out. It is
    /// counted like the time-out. Default nil, never; 10 ms to 3,650 days, and less than the time-out.
    public var softTimeout: Duration?
    /// The most tasks of the kind that may wait, due or not; an enqueue beyond is refused as `full`, an operator's retry is
    /// not. Default nil, no limit; 1 to 1,000,000,000. Of several partitions each keeps its share, at least 1, and refuses when
    /// that is used up; so a limit below their number counts as that number.
    public var queueLimit: Int?
    /// What becomes of a task whose attempts are used up. Default exhausted.
    public var whenExhausted: ExhaustedState

    /// A policy; every part has a default.
    public init(
        lease: Duration = .seconds(30),
        attempts: Int = 5,
        retry: RetryPolicy = .default,
        keepSucceeded: Duration? = .seconds(7 * 86_400),
        keepOther: Duration? = .seconds(30 * 86_400),
        timeout: Duration? = nil,
        softTimeout: Duration? = nil,
        queueLimit: Int? = nil,
        whenExhausted: ExhaustedState = .exhausted
    ) {
        self.lease = lease
        self.attempts = attempts
        self.retry = retry
        self.keepSucceeded = keepSucceeded
        self.keepOther = keepOther
        self.timeout = timeout
        self.softTimeout = softTimeout
        self.queueLimit = queueLimit
        self.whenExhausted = whenExhausted
    }

    /// All defaults.
    public static let `default` = KindPolicy()

    /// Refuses what is out of range, naming it.
    /// - Throws: `TrackerError` (`invalidArgument`).
    public func validate() throws(TrackerError) {
        guard Limits.lease.contains(lease) else { throw .invalid("lease", lease, allowed: "50 ms to 24 h") }
        guard Limits.attempts.contains(attempts) else { throw .invalid("attempts", attempts, allowed: "1 to 10,000") }
        try retry.validate()
        if let timeout, !Limits.timeout.contains(timeout) {
            throw .invalid("timeout", timeout, allowed: "50 ms to 3,650 days, or none")
        }
        if let softTimeout {
            guard (.milliseconds(10)...Limits.timeout.upperBound).contains(softTimeout) else {
                throw .invalid("soft timeout", softTimeout, allowed: "10 ms to 3,650 days, or none")
            }
            if let timeout, softTimeout >= timeout {
                throw .invalid("soft timeout", softTimeout, allowed: "less than the timeout, \(timeout)")
            }
        }
        if let queueLimit, !Limits.queueLimit.contains(queueLimit) {
            throw .invalid("queue limit", queueLimit, allowed: "1 to 1,000,000,000, or none")
        }
        for keep in [keepSucceeded, keepOther] {
            if let keep, keep < .microseconds(1) || keep > Limits.delay.upperBound {
                throw .invalid("retention", keep, allowed: "1 µs to 3,650 days, or none to keep for ever")
            }
        }
    }
}

/// What becomes of a task whose attempts are used up.
public enum ExhaustedState: String, Sendable, Hashable, Codable, CaseIterable {
    /// It counts as exhausted: somebody should look.
    case exhausted
    /// It is set aside: its failure was to be expected.
    case ignored
}
