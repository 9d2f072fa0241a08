/// Why a task was cancelled before it began, other than by somebody's wish.
public enum CancelCause: Sendable, Hashable {
    /// Its time to begin had passed.
    case expired
    /// That task of its kind has the same content.
    case deduplicated(of: TaskID)
    /// It could not have of its parents what it needs; that one was the last straw.
    case parentFailed(Dependencies.Parent)

    package init?(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        switch (words.first, words.count) {
        case ("expired", 1): self = .expired
        case ("deduplicated", 2): self = .deduplicated(of: TaskID(trusted: words[1]))
        case ("parent", 2):
            guard let parent = Dependencies.Parent(words[1]) else { return nil }
            self = .parentFailed(parent)
        default: return nil
        }
    }
}

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
    /// Attempts that failed in a row; a success or a fresh retry begins at 0 again.
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
    /// When the lock ends; nil when nobody holds it. A paused task with one is paused by its holder.
    public var leaseExpires: Timestamp?
    /// How often the lock of the latest attempt was renewed. 0 in listings.
    public var renewals: Int
    /// When the running attempt's time is over, however often its lock is renewed; nil when it is not limited.
    public var deadline: Timestamp?
    /// How far its holder says it is, 0 to 1.
    public var progress: Double?
    /// What its holder says about that.
    public var progressMessage: String?
    /// Since when it has been asked to stop; nil when it has not.
    public var cancelRequested: Timestamp?
    /// Why it was cancelled.
    public var cancelReason: String?
    /// Why it could not begin, when it was cancelled for that; nil otherwise, and in listings.
    public var cause: CancelCause?
    /// When it was no longer to be started; nil when that does not matter, and in listings.
    public var expires: Timestamp?
    /// Its tags, in the order given. Empty in listings.
    public var tags: [TaskTag]
    /// How many of its parents it needs still, while it is blocked. 0 in listings.
    public var awaited: Int
    /// How often its success was used again by an enqueue. 0 in listings.
    public var reuses: Int
    /// What it works on. Nil in listings, which leave it out.
    public var payload: Body?
    /// What it made: its holder's response so far, and its result once it succeeded. Nil when there is none, and in listings.
    public var result: Body?
    /// What its holders saved for it. Nil when there is none, and in listings.
    public var data: Body?
    /// The latest attempt that did not succeed. Nil in listings.
    public var lastFailure: Attempt?

    /// What the task is called among those of its kind, when its id was made from that; see ``TaskID/init(kind:identifier:)``.
    public var identifier: String? {
        let start = "\(kind)#"
        return id.description.hasPrefix(start) ? String(id.description.dropFirst(start.count)) : nil
    }

    package init(id: TaskID, kind: KindName, state: TaskState, created: Timestamp) {
        self.id = id
        self.kind = kind
        self.state = state
        self.created = created
        attempts = 0
        failures = 0
        crashes = 0
        snoozes = 0
        renewals = 0
        tags = []
        awaited = 0
        reuses = 0
        priority = 5
        updated = created
        due = created
    }
}
