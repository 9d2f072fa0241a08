import Belay

/// A task.
struct TaskJSON: Documented, Encodable {
    var id: TaskID
    var identifier: String?
    var kind: KindName
    var state: TaskState
    var status: StatusWord
    var statusCode: Int
    var attempts: Int
    var failures: Int
    var crashes: Int
    var snoozes: Int
    var attemptLimit: Int?
    var priority: Int
    var created: Timestamp
    var updated: Timestamp
    var due: Timestamp
    var began: Timestamp?
    var worker: String?
    var fence: Int?
    var leaseExpires: Timestamp?
    var renewals: Int
    var deadline: Timestamp?
    var progress: Double?
    var progressMessage: String?
    var cancelRequested: Timestamp?
    var cancelReason: String?
    var cause: CauseJSON?
    var expires: Timestamp?
    var tags: [TaskTag]
    var awaited: Int
    var reuses: Int
    var payload: BodyJSON?
    var result: BodyJSON?
    var data: BodyJSON?
    var lastFailure: AttemptJSON?

    static let docs = [
        "id": "Its id.", "identifier": "Its identifier, when its id was made of kind and identifier.",
        "kind": "Its kind.", "state": "Where it stands.",
        "status": "The same in the words of older trackers: `failed` is ready with failures or crashes.",
        "statusCode": "The status as a number.", "attempts": "Attempts begun and not given back.",
        "failures": "Failures in a row.", "crashes": "Leases that ran out.",
        "snoozes": "Times that a handler put it off.",
        "attemptLimit": "The most attempts, when it has a limit of its own.",
        "priority": "0 to 9, 9 is claimed first.", "created": "When it was enqueued.",
        "updated": "When its state last changed.",
        "due": "When it may run (ready), was due (running), or last was due.",
        "began": "When its latest attempt began.", "worker": "Who ran its latest attempt.",
        "fence": "The fence of its latest lock.", "leaseExpires": "When the lock ends.",
        "renewals": "How often the lock of its latest attempt was renewed; 0 in listings.",
        "deadline": "When the attempt ends however often the lock is renewed.",
        "progress": "How far its holder says it is, 0 to 1.", "progressMessage": "What its holder says about that.",
        "cancelRequested": "Since when it has been asked to stop.", "cancelReason": "Why it was cancelled.",
        "cause": "Why it was cancelled before it began, other than by somebody's wish; absent in listings.",
        "expires": "When it was no longer to be started; absent when that does not matter, and in listings.",
        "tags": "Its tags; none in listings.",
        "awaited": "How many of its parents it needs still, while it is blocked; 0 in listings.",
        "reuses": "How often its success was used again by an enqueue; 0 in listings.",
        "payload": "What it works on; absent in listings.", "result": "What it made, or its response so far.",
        "data": "What its holders saved.",
        "lastFailure": "Its latest attempt that did not succeed; absent in listings.",
    ]

    init(_ task: TaskRecord) {
        id = task.id
        identifier = task.identifier
        kind = task.kind
        state = task.state
        status = StatusWord(task.status)
        statusCode = task.status.rawValue
        attempts = task.attempts
        failures = task.failures
        crashes = task.crashes
        snoozes = task.snoozes
        attemptLimit = task.attemptLimit
        priority = task.priority
        created = task.created
        updated = task.updated
        due = task.due
        began = task.began
        worker = task.worker
        fence = task.fence
        leaseExpires = task.leaseExpires
        renewals = task.renewals
        deadline = task.deadline
        progress = task.progress
        progressMessage = task.progressMessage
        cancelRequested = task.cancelRequested
        cancelReason = task.cancelReason
        cause = task.cause.map(CauseJSON.init)
        expires = task.expires
        tags = task.tags
        awaited = task.awaited
        reuses = task.reuses
        payload = BodyJSON(task.payload)
        result = BodyJSON(task.result)
        data = BodyJSON(task.data)
        lastFailure = task.lastFailure.map(AttemptJSON.init)
    }
}

/// A status of older trackers, by name.
struct StatusWord: Words, Encodable {
    var rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }
    init(_ status: StatusCode) { rawValue = status.name }
    static var words: [String] { StatusCode.allNames }
}

/// One attempt of a task.
struct AttemptJSON: Documented, Encodable {
    var number: Int
    var fence: Int
    var outcome: Outcome
    var worker: String
    var began: Timestamp
    var ended: Timestamp?
    var duration: Seconds?
    var nextRun: Timestamp?
    var failure: FailureJSON?

    /// How it ended.
    struct Outcome: Words, Encodable {
        var rawValue: String
        static let words = [Attempt.Outcome]([
            .running, .succeeded, .failed, .crashed, .released, .snoozed, .cancelled, .superseded, .timedOut,
        ]).map(\.rawValue)
    }

    static let docs = [
        "number": "Which attempt, from 1.", "fence": "The fence of its lock.", "outcome": "How it ended.",
        "worker": "Who ran it.", "began": "When the lock was taken.", "ended": "When it ended.",
        "duration": "How long it ran.", "nextRun": "When the task was to run again after it.",
        "failure": "What its holder reported.",
    ]

    init(_ attempt: Attempt) {
        number = attempt.number
        fence = attempt.fence
        outcome = Outcome(rawValue: attempt.outcome.rawValue)
        worker = attempt.worker
        began = attempt.began
        ended = attempt.ended
        duration = Seconds(attempt.ended.map { $0 - attempt.began })
        nextRun = attempt.nextRun
        failure = attempt.failure.map(FailureJSON.init)
    }
}

/// An error that a holder reported.
struct FailureJSON: Documented, Encodable {
    var type: String?
    var message: String
    var backtrace: [String]?
    var host: String?
    var pid: Int?

    static let docs = [
        "type": "The error's type or class; `error` unless said otherwise.", "message": "What happened, for people.",
        "backtrace": "Lines of a backtrace, or the tail of a program's error output.",
        "host": "Where it ran; the service's host unless said otherwise.", "pid": "The process that ran it.",
    ]

    init(_ failure: TaskFailure) {
        type = failure.type
        message = failure.message
        backtrace = failure.backtrace.isEmpty ? nil : failure.backtrace
        host = failure.host
        pid = failure.pid.map(Int.init)
    }

    func failure() throws -> TaskFailure {
        guard let pid = Int32(exactly: pid ?? 0) else {
            throw Problem(.invalidArgument, "pid \(self.pid ?? 0) is no process id", field: "pid")
        }
        return TaskFailure(
            type: type ?? "error",
            message: message,
            backtrace: backtrace ?? [],
            host: host,
            pid: self.pid == nil ? nil : pid
        )
    }
}

/// One line of a task's log.
struct LogLineJSON: Documented, Encodable {
    var time: Timestamp
    var event: String
    var state: TaskState?
    var actor: String
    var message: String

    static let docs = [
        "time": "When.", "event": "What happened.", "state": "The task's state from then on.",
        "actor": "Who did it: a worker or an operator.", "message": "What they said; may be empty.",
    ]

    init(_ line: LogLine) {
        time = line.time
        event = line.event
        state = line.state
        actor = line.actor
        message = line.message
    }
}
