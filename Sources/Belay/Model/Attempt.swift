/// One run of a task, from the moment its lock was taken.
public struct Attempt: Sendable, Hashable, Codable {
    /// How a run ended.
    public enum Outcome: String, Sendable, Hashable, Codable {
        /// It goes on.
        case running
        /// Its result was accepted.
        case succeeded
        /// The holder reported an error.
        case failed
        /// The lease ran out: the worker died, hung or lost the network.
        case crashed
        /// It took longer than its kind allows.
        case timedOut
        /// Handed back without spending the attempt, as at a planned stop.
        case released
        /// Put off by the handler without spending the attempt.
        case snoozed
        /// Stopped because the task was cancelled.
        case cancelled
        /// Another holder took the lock by force.
        case superseded
    }

    /// Which attempt, from 1. A released or snoozed attempt is not spent, so its number comes again.
    public var number: Int
    /// The fencing number of the lock.
    public var fence: Int
    /// How it ended.
    public var outcome: Outcome
    /// Who ran it (`host:pid:nonce`).
    public var worker: String
    /// When the lock was taken.
    public var began: Timestamp
    /// When it ended; nil while it runs.
    public var ended: Timestamp?
    /// When the task was to run again after it; nil when it was not.
    public var nextRun: Timestamp?
    /// What the holder reported; nil when there was no report.
    public var failure: TaskFailure?

    /// An attempt from its parts.
    public init(
        number: Int,
        fence: Int,
        outcome: Outcome,
        worker: String,
        began: Timestamp,
        ended: Timestamp? = nil,
        nextRun: Timestamp? = nil,
        failure: TaskFailure? = nil
    ) {
        self.number = number
        self.fence = fence
        self.outcome = outcome
        self.worker = worker
        self.began = began
        self.ended = ended
        self.nextRun = nextRun
        self.failure = failure
    }
}
