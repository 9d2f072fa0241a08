import ArgumentParser
import Belay

/// The shape of the delays between attempts.
enum BackoffShape: String, ExpressibleByArgument, CaseIterable, Sendable {
    case exponential
    case fixed
    case list
}

/// When a task runs again after a failure or crash.
struct BackoffOptions: ParsableArguments {
    @Option(help: "Delays between attempts: exponential, fixed or list. Default: exponential, or list with --delays.")
    var backoff: BackoffShape?

    @Option(help: "The first delay of exponential, or the delay of fixed. Default: 1s.", transform: Span.parse)
    var base: Span?

    @Option(help: "Each exponential delay is so many times the one before. Default: 2.")
    var factor: Double?

    @Option(help: "The longest exponential delay. Default: 1h.", transform: Span.parse)
    var cap: Span?

    @Option(help: "Delays move by up to this part, 0 to 1. Default: 0.1 for exponential, else 0.")
    var jitter: Double?

    @Option(help: "The delays of list, such as 1s,5s,1m; the last repeats.", transform: Self.list)
    var delays: [Span] = []

    private static func list(_ text: String) throws -> [Span] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { try Span.parse(String($0)) }
    }

    /// The policy that the options say.
    func policy() throws -> RetryPolicy {
        let shape = backoff ?? (delays.isEmpty ? .exponential : .list)
        if shape != .exponential, factor != nil || cap != nil {
            throw ValidationError("--factor and --cap belong to --backoff exponential")
        }
        guard (shape == .list) != delays.isEmpty else {
            throw ValidationError("--backoff list and --delays belong together")
        }
        switch shape {
        case .exponential:
            let cap = cap?.duration ?? .seconds(3600)
            return .exponential(
                base: base?.duration ?? .seconds(1),
                factor: factor ?? 2,
                cap: cap,
                jitter: jitter ?? 0.1
            )
        case .fixed: return .fixed(base?.duration ?? .seconds(1), jitter: jitter ?? 0)
        case .list:
            guard base == nil else { throw ValidationError("--base does not belong to --backoff list") }
            return .list(delays.map(\.duration), jitter: jitter ?? 0)
        }
    }
}

/// A kind's whole policy.
struct PolicyOptions: ParsableArguments {
    @Option(help: "How long a lock holds without renewal, 50ms to 24h. Default: 30s.", transform: Span.parse)
    var lease: Span?

    @Option(help: "How often a task may be started, 1 to 10000. Default: 5.")
    var attempts: Int?

    @OptionGroup var retry: BackoffOptions

    @Option(help: "How long succeeded tasks are kept, or forever. Default: 7d.", transform: Self.keep)
    var keepSucceeded: Keep?

    @Option(help: "How long other ended tasks are kept, or forever. Default: 30d.", transform: Self.keep)
    var keepOther: Keep?

    /// Whether any option was given.
    var isGiven: Bool {
        let numbers = [attempts.map(Double.init), retry.factor, retry.jitter].contains { $0 != nil }
        let spans = [lease, retry.base, retry.cap].contains { $0 != nil }
        return numbers || spans || retry.backoff != nil || !retry.delays.isEmpty || keepSucceeded != nil
            || keepOther != nil
    }

    /// How long something is kept.
    enum Keep: Sendable {
        case forever
        case span(Duration)

        var duration: Duration? {
            switch self {
            case .forever: nil
            case .span(let duration): duration
            }
        }
    }

    private static func keep(_ text: String) throws -> Keep {
        text == "forever" ? .forever : .span(try Span.parse(text).duration)
    }

    /// The policy that the options say.
    func policy() throws -> KindPolicy {
        var policy = KindPolicy(retry: try retry.policy())
        if let lease { policy.lease = lease.duration }
        if let attempts { policy.attempts = attempts }
        if let keepSucceeded { policy.keepSucceeded = keepSucceeded.duration }
        if let keepOther { policy.keepOther = keepOther.duration }
        try policy.validate()
        return policy
    }
}

/// The parts of a policy that only `kinds define` sets: `work` has a time-out of its own, that of a program.
struct KindLimitOptions: ParsableArguments {
    @Option(
        help: "The most time of one attempt, however often its lock is renewed. Default: any.",
        transform: Span.parse
    )
    var timeout: Span?

    @Option(
        help: "When an attempt is asked to stop, less than --timeout; its result still counts. Default: never.",
        transform: Span.parse
    )
    var softTimeout: Span?

    @Option(help: "The most tasks that may wait, 1 to 1000000000; an enqueue beyond is refused. Default: any number.")
    var queueLimit: Int?

    @Option(help: "What becomes of a task whose attempts are used up: exhausted or ignored. Default: exhausted.")
    var whenExhausted = ExhaustedState.exhausted

    /// The policy with these parts.
    func applied(to policy: KindPolicy) throws -> KindPolicy {
        var policy = policy
        policy.timeout = timeout?.duration
        policy.softTimeout = softTimeout?.duration
        policy.queueLimit = queueLimit
        policy.whenExhausted = whenExhausted
        try policy.validate()
        return policy
    }
}
