import Belay

/// A kind's policy: what is absent in a request is the default.
struct PolicyJSON: Documented, Encodable {
    var lease: Seconds?
    var timeout: Seconds?
    var softTimeout: Seconds?
    var attempts: Int?
    var retry: RetryJSON?
    var whenExhausted: ExhaustedState?
    var queueLimit: Int?
    var keepSucceeded: Seconds?
    var keepOther: Seconds?

    static let docs = [
        "lease": "How long a lock holds without renewal, 50 ms to 24 h. Default 30 s.",
        "timeout": "The most time of one attempt however often renewed. Default: any.",
        "softTimeout": "When an attempt is asked to stop, 10 ms or more, and less than `timeout`. Default: never.",
        "attempts": "How often a task may be started, crashes included, 1 to 10,000. Default 5.",
        "retry": "When it runs again after a failure or crash. Default: doubling from 1 s to 1 h.",
        "whenExhausted": "What becomes of a task that has used up its attempts. Default `exhausted`.",
        "queueLimit": "The most waiting tasks, 1 to 1,000,000,000. Default: any number.",
        "keepSucceeded": "How long a succeeded task is kept, 0 for ever. Default 7 days.",
        "keepOther": "How long a task is kept that ended otherwise, 0 for ever. Default 30 days.",
    ]

    init(_ policy: KindPolicy) {
        lease = Seconds(policy.lease)
        timeout = Seconds(policy.timeout)
        softTimeout = Seconds(policy.softTimeout)
        attempts = policy.attempts
        retry = RetryJSON(policy.retry)
        whenExhausted = policy.whenExhausted
        queueLimit = policy.queueLimit
        keepSucceeded = Seconds(policy.keepSucceeded ?? .zero)
        keepOther = Seconds(policy.keepOther ?? .zero)
    }

    func policy() throws -> KindPolicy {
        var policy = KindPolicy.default
        if let lease { policy.lease = lease.duration }
        policy.timeout = timeout?.duration
        policy.softTimeout = softTimeout?.duration
        if let attempts { policy.attempts = attempts }
        if let retry { policy.retry = try retry.policy() }
        if let whenExhausted { policy.whenExhausted = whenExhausted }
        policy.queueLimit = queueLimit
        if let keep = keepSucceeded { policy.keepSucceeded = keep.duration == .zero ? nil : keep.duration }
        if let keep = keepOther { policy.keepOther = keep.duration == .zero ? nil : keep.duration }
        return policy
    }
}

/// When a task is tried again.
struct RetryJSON: Documented, Encodable {
    var backoff: Backoff
    var base: Seconds?
    var factor: Double?
    var cap: Seconds?
    var delays: [Seconds]?
    var jitter: Double?

    /// The shape of the delays.
    enum Backoff: String, Words, Encodable, CaseIterable { case exponential, fixed, list }

    static let docs = [
        "backoff": "The shape of the delays.",
        "base": "`exponential`: the first delay, default 1 s. `fixed`: every delay.",
        "factor": "`exponential`: each delay is so much longer than the one before, 1 to 1,000. Default 2.",
        "cap": "`exponential`: the longest delay. Default 1 h.",
        "delays": "`list`: 1 to 32 delays, the last one repeats.",
        "jitter": "Each delay is multiplied by a number between 1 - jitter and 1 + jitter, 0 to 1. "
            + "Default 0.1 for `exponential`, else 0.",
    ]

    init(_ policy: RetryPolicy) {
        jitter = policy.jitter
        switch policy.backoff {
        case .exponential(let base, let factor, let cap):
            (backoff, self.base, self.factor, self.cap) = (.exponential, Seconds(base), factor, Seconds(cap))
        case .fixed(let delay): (backoff, base) = (.fixed, Seconds(delay))
        case .list(let delays): (backoff, self.delays) = (.list, delays.map { Seconds($0) })
        }
    }

    func policy() throws -> RetryPolicy {
        switch backoff {
        case .exponential:
            try refuse(("delays", delays != nil))
            return .exponential(
                base: base?.duration ?? .seconds(1),
                factor: factor ?? 2,
                cap: cap?.duration ?? .seconds(3600),
                jitter: jitter ?? 0.1
            )
        case .fixed:
            try refuse(("delays", delays != nil), ("factor", factor != nil), ("cap", cap != nil))
            guard let base else { throw Problem(.invalidArgument, "fixed backoff needs base", field: "retry.base") }
            return .fixed(base.duration, jitter: jitter ?? 0)
        case .list:
            try refuse(("base", base != nil), ("factor", factor != nil), ("cap", cap != nil))
            return .list((delays ?? []).map(\.duration), jitter: jitter ?? 0)
        }
    }

    /// A field of another shape would be passed over in silence.
    private func refuse(_ others: (name: String, isGiven: Bool)...) throws {
        guard let wrong = others.first(where: \.isGiven) else { return }
        throw Problem(
            .invalidArgument,
            "\(wrong.name) does not go with backoff \(backoff.rawValue)",
            field: "retry.\(wrong.name)"
        )
    }
}

/// A kind as it is stored.
struct KindJSON: Documented, Encodable {
    var name: KindName
    var policy: PolicyJSON

    static let docs = ["name": "Its name.", "policy": "Its policy."]
}

/// The counts of one kind.
struct KindCountsJSON: Documented, Encodable {
    var kind: KindName
    var ready: Int
    var scheduled: Int
    var blocked: Int
    var running: Int
    var paused: Int
    var succeeded: Int
    var exhausted: Int
    var ignored: Int
    var cancelled: Int
    var total: Int
    var isPaused: Bool
    var oldestReadyAge: Seconds?
    var nextDue: Timestamp?

    static let docs = [
        "kind": "The kind.", "ready": "Ready and due.", "scheduled": "Ready with a later due time.",
        "blocked": "Waiting for their parents.", "running": "Held by a worker.",
        "paused": "Paused, by an operator or its holder.",
        "succeeded": "Ended well.", "exhausted": "Ended without success.",
        "ignored": "Set aside for good.", "cancelled": "Ended on request.", "total": "All of them.",
        "isPaused": "Whether the kind is paused.",
        "oldestReadyAge": "How long the oldest due task has been waiting.",
        "nextDue": "When the next scheduled task is due.",
    ]

    init(_ counts: TrackerStats.Kind) {
        kind = counts.kind
        ready = counts.ready
        scheduled = counts.scheduled
        blocked = counts.blocked
        running = counts.running
        paused = counts.paused
        succeeded = counts.succeeded
        exhausted = counts.exhausted
        ignored = counts.ignored
        cancelled = counts.cancelled
        total = counts.total
        isPaused = counts.isPaused
        oldestReadyAge = Seconds(counts.oldestReadyAge)
        nextDue = counts.nextDue
    }
}
