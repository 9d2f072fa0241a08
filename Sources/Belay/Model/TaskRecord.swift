/// A snapshot of one task.
public struct TaskRecord: Sendable, Hashable {
    /// The task's id.
    public var id: TaskID
    /// Its kind.
    public var kind: KindName
    /// Where it stands.
    public var state: TaskState
    /// Attempts begun and not given back.
    public var attempts: Int
    /// Attempts that failed; a fresh retry begins at 0 again.
    public var failures: Int
    /// Leases that ran out.
    public var crashes: Int
    /// Times that a handler put it off.
    public var snoozes: Int
    /// The most attempts, when this task has a limit of its own.
    public var attemptLimit: Int?
    /// 0 to 9, 9 is claimed first.
    public var priority: Int
    /// When it was enqueued.
    public var created: Timestamp
    /// When its state last changed.
    public var updated: Timestamp
    /// When it may run (ready), was due (running), or last was due.
    public var due: Timestamp
    /// When its latest attempt began; nil when none has.
    public var began: Timestamp?
    /// The worker of its latest attempt.
    public var worker: String?
    /// The fencing number of its latest lock.
    public var fence: Int?
    /// When the lock ends; nil when it is not running.
    public var leaseExpires: Timestamp?
    /// How far its holder says it is, 0 to 1.
    public var progress: Double?
    /// What its holder says about that.
    public var progressMessage: String?
    /// Since when it has been asked to stop; nil when it has not.
    public var cancelRequested: Timestamp?
    /// Why it was cancelled.
    public var cancelReason: String?
    /// What it works on. Nil in listings, which leave it out.
    public var payload: Body?
    /// What it made. Nil unless it succeeded with a result.
    public var result: Body?
    /// The latest attempt that did not succeed. Nil in listings.
    public var lastFailure: Attempt?

    package init(id: TaskID, kind: KindName, state: TaskState, created: Timestamp) {
        self.id = id
        self.kind = kind
        self.state = state
        self.created = created
        attempts = 0
        failures = 0
        crashes = 0
        snoozes = 0
        priority = 5
        updated = created
        due = created
    }
}
