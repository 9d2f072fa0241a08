import Belay

/// A task as the in-memory tracker keeps it: its record whole, and what no query shows.
struct StoredTask: Sendable {
    /// The record; the payload, the result and the lease's end are always in it.
    var record: TaskRecord
    /// The token of the latest lock.
    var token: String?
    /// The request that made the task, when its id was the caller's.
    var nonce: String?
    /// The trace context of the enqueue.
    var trace: [String: String]
    /// The signal that a program is to get which was asked to stop.
    var signal: Int?
    /// What it waits or waited for.
    var wait: StoredWait?
    /// Whether any task ever waited for it.
    var hasChildren = false
    /// Its content, when that is unique.
    var content: StoredContent?
    /// The request that used its success again, the latest.
    var reusedBy: String?
    /// Attempts that ended in anything but success, oldest first; a success joins them when the task begins anew.
    private(set) var history: [Attempt] = []
    /// Fences of the attempts after which the task was set aside.
    private(set) var ignoredAfter: Set<Int> = []
    /// What operators did, pauses and messages, oldest first.
    private(set) var lines: [StoredLine] = []

    init(record: TaskRecord, nonce: String?, trace: [String: String]) {
        self.record = record
        self.nonce = nonce
        self.trace = trace
    }

    /// Whether somebody holds the lock: the task runs, or its holder paused it.
    var isHeld: Bool { record.leaseExpires != nil }

    /// The index that the task stands in.
    var index: TaskIndex {
        let letters = record.state.letters
        let letter = record.state == .paused && isHeld ? letters.last : letters.first
        return TaskIndex(letter: letter!, kind: record.kind, priority: record.state == .ready ? record.priority : nil)
    }

    /// The letter of its state.
    var letter: String { String(index.letter) }

    /// Whether a holder's handle is that of the latest lock.
    func isLatest(_ handle: ClaimHandle) -> Bool { token == handle.token && record.fence == handle.fence }

    /// Keeps the end of the latest attempt; the oldest are forgotten.
    mutating func remember(
        _ outcome: Attempt.Outcome,
        at now: Timestamp,
        nextRun: Timestamp? = nil,
        isIgnored: Bool = false,
        failure: TaskFailure? = nil
    ) {
        if isIgnored, let fence = record.fence { ignoredAfter.insert(fence) }
        history.append(
            Attempt(
                number: record.attempts,
                fence: record.fence ?? 0,
                outcome: outcome,
                worker: record.worker ?? "-",
                began: record.began ?? Timestamp(microseconds: 0),
                ended: now,
                nextRun: nextRun,
                failure: failure
            )
        )
        if history.count > Limits.attemptsRemembered { history.removeFirst() }
    }

    /// Adds a line to the log; the oldest are forgotten.
    mutating func log(_ line: LogLine, nonce: String = "-") {
        lines.append(StoredLine(line: line, nonce: nonce))
        if lines.count > Limits.logLines { lines.removeFirst() }
    }

    /// The attempt of a handle, when it is the last one remembered: a repeated call asks.
    func remembered(_ handle: ClaimHandle) -> Attempt? { history.last.flatMap { $0.fence == handle.fence ? $0 : nil } }

    /// The lock as its holder sees it; `softTimeout` is the kind's.
    func claim(by worker: WorkerName, softTimeout: Duration?) -> Claim {
        let began = record.began ?? record.created
        let expires = record.leaseExpires ?? began
        return Claim(
            id: record.id,
            kind: record.kind,
            attempt: record.attempts,
            token: token ?? "",
            fence: record.fence ?? 0,
            expires: expires,
            lease: expires - began,
            worker: worker,
            payload: record.payload ?? .empty,
            created: record.created,
            due: record.due,
            claimed: began,
            failures: record.failures,
            crashes: record.crashes,
            data: record.data ?? .empty,
            trace: trace,
            deadline: record.deadline,
            softDeadline: softTimeout.map { began + $0 }
        )
    }

    /// The record as `get` shows it.
    var shown: TaskRecord {
        var shown = row
        shown.snoozes = record.snoozes
        shown.attemptLimit = record.attemptLimit
        shown.fence = record.fence
        shown.leaseExpires = record.leaseExpires
        shown.renewals = record.renewals
        shown.cancelRequested = record.cancelRequested
        shown.cancelReason = record.cancelReason
        shown.cause = record.cause
        shown.expires = record.expires
        shown.tags = record.tags
        shown.awaited = record.state == .blocked ? wait?.needed ?? 0 : 0
        shown.reuses = record.reuses
        shown.payload = record.payload
        shown.deadline = record.state == .running ? record.deadline : nil
        shown.result = record.result
        shown.data = record.data
        shown.lastFailure = history.last { $0.outcome != .succeeded }
        return shown
    }

    /// The record as listings show it.
    var row: TaskRecord {
        var row = TaskRecord(id: record.id, kind: record.kind, state: record.state, created: record.created)
        row.attempts = record.attempts
        row.failures = record.failures
        row.crashes = record.crashes
        row.priority = record.priority
        row.updated = record.state == .running ? max(record.updated, record.began ?? record.updated) : record.updated
        row.due = record.due
        row.began = record.began
        row.worker = record.worker
        row.progress = record.progress
        row.progressMessage = record.progressMessage
        return row
    }

    /// Every attempt that is known, oldest first.
    var attempts: [Attempt] {
        guard isHeld || record.state == .succeeded, let began = record.began else { return history }
        let latest = Attempt(
            number: record.attempts,
            fence: record.fence ?? 0,
            outcome: isHeld ? .running : .succeeded,
            worker: record.worker ?? "",
            began: began,
            ended: isHeld ? nil : record.updated
        )
        return history + [latest]
    }
}

extension TaskState {
    /// The letter of a state that nobody holds, or that runs.
    var letter: String { String(letters.prefix(1)) }
}

/// A line of a task's log, as it is kept.
struct StoredLine: Sendable {
    let line: LogLine
    /// Tells a repeated request from a second one.
    let nonce: String
}

/// The name of an index: where a task stands, by the letter of its state and by kind; ready ones also by priority.
struct TaskIndex: Hashable, Sendable {
    let letter: Character
    let kind: KindName
    var priority: Int?
}

/// A kind as the in-memory tracker keeps it.
struct StoredKind: Sendable {
    /// The policy as text, by which two are compared.
    var text: String
    /// The policy.
    var policy: KindPolicy
    /// Priorities that any task of the kind ever had, in the order of their first use.
    private(set) var priorities = [5]

    init(_ policy: KindPolicy) throws(TrackerError) {
        text = PolicyText.encode(policy)
        self.policy = try PolicyText.decode(text)
    }
    /// Notes that a task has a priority.
    mutating func use(_ priority: Int) { if !priorities.contains(priority) { priorities.append(priority) } }

    /// The kind as it is when its first tasks are enqueued together with it.
    mutating func begin(with priorities: [Int]) {
        self.priorities = []
        for priority in priorities { use(priority) }
        if priorities.isEmpty { use(5) }
    }

    /// The kind with another policy.
    func replaced(by other: StoredKind) -> StoredKind {
        var kind = other
        kind.priorities = priorities
        return kind
    }
}
