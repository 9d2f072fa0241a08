/// A held lock on one task: who holds it is proved by the token, in which order by the fence.
///
/// Every write of a holder carries both, and is refused once another holder has taken the task. The fence grows with every
/// acquisition of a task for ever; hand it to outside resources so that they can refuse a superseded holder too.
public struct Claim: Sendable, Hashable {
    /// The task.
    public let id: TaskID
    /// Its kind.
    public let kind: KindName
    /// Which attempt this is, from 1.
    public let attempt: Int
    /// 128 random bits, as 32 hexadecimal digits: the lock's identity.
    public let token: String
    /// The lock's place in the order of all locks on this task.
    public let fence: Int
    /// When the lock ends unless it is renewed, by the server's clock.
    public let expires: Timestamp
    /// How long each renewal holds.
    public let lease: Duration
    /// Who holds it.
    public let worker: WorkerName
    /// What the task is to work on.
    public let payload: Body
    /// When the task was enqueued.
    public let created: Timestamp
    /// When it was due.
    public let due: Timestamp
    /// When the lock was taken.
    public let claimed: Timestamp
    /// When the attempt's time is over, however often the lock is renewed; nil when it is not limited.
    public let deadline: Timestamp?
    /// When the work should be asked to stop, so that it can end before the deadline; nil when it need not.
    public let softDeadline: Timestamp?
    /// Failures in a row before this attempt.
    public let failures: Int
    /// Crashes before this attempt.
    public let crashes: Int
    /// What holders saved for the task; empty when none did.
    public let data: Body
    /// The trace context that was injected at enqueue, for example a W3C `traceparent`; empty when there was none.
    public let trace: [String: String]

    package init(
        id: TaskID,
        kind: KindName,
        attempt: Int,
        token: String,
        fence: Int,
        expires: Timestamp,
        lease: Duration,
        worker: WorkerName,
        payload: Body,
        created: Timestamp,
        due: Timestamp,
        claimed: Timestamp,
        failures: Int,
        crashes: Int,
        data: Body,
        trace: [String: String],
        deadline: Timestamp? = nil,
        softDeadline: Timestamp? = nil
    ) {
        self.id = id
        self.kind = kind
        self.attempt = attempt
        self.token = token
        self.fence = fence
        self.expires = expires
        self.lease = lease
        self.worker = worker
        self.payload = payload
        self.created = created
        self.due = due
        self.claimed = claimed
        self.failures = failures
        self.crashes = crashes
        self.data = data
        self.trace = trace
        self.deadline = deadline
        self.softDeadline = softDeadline
    }

    /// The claim as a request carries it: task, token and fence.
    public var handle: ClaimHandle { ClaimHandle(id: id, token: token, fence: fence) }
}

/// What proves a claim: enough to renew, complete, fail or release it, for example from another process.
public struct ClaimHandle: Sendable, Hashable, Codable {
    /// The task.
    public var id: TaskID
    /// The lock's token.
    public var token: String
    /// The lock's fence.
    public var fence: Int

    /// A handle from its parts.
    public init(id: TaskID, token: String, fence: Int) {
        self.id = id
        self.token = token
        self.fence = fence
    }
}
