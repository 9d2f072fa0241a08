#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Belay
import BelayService

/// Payload, result or data in JSON: text, or base64 when it is not UTF-8.
struct BodyView: Encodable {
    var contentType: String
    var text: String?
    var base64: String?

    init?(_ body: Body?) {
        guard let body else { return nil }
        contentType = body.contentType
        text = String(validating: body.bytes, as: UTF8.self)
        if text == nil { base64 = Data(body.bytes).base64EncodedString() }
    }
}

/// A failure in JSON.
struct FailureView: Encodable {
    var type: String
    var message: String
    var backtrace: [String]
    var host: String?
    var pid: Int32?

    init?(_ failure: TaskFailure?) {
        guard let failure else { return nil }
        type = failure.type
        message = failure.message
        backtrace = failure.backtrace
        host = failure.host
        pid = failure.pid
    }
}

/// An attempt in JSON.
struct AttemptView: Encodable {
    var number: Int
    var fence: Int
    var outcome: Attempt.Outcome
    var worker: String
    var began: Timestamp
    var ended: Timestamp?
    var duration: Double?
    var nextRun: Timestamp?
    var failure: FailureView?

    init(_ attempt: Attempt) {
        number = attempt.number
        fence = attempt.fence
        outcome = attempt.outcome
        worker = attempt.worker
        began = attempt.began
        ended = attempt.ended
        duration = attempt.ended.map { ($0 - attempt.began).seconds }
        nextRun = attempt.nextRun
        failure = FailureView(attempt.failure)
    }
}

/// A task in JSON.
struct TaskView: Encodable {
    var id: TaskID
    var identifier: String?
    var kind: KindName
    var state: TaskState
    var status: String
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
    var payload: BodyView?
    var result: BodyView?
    var data: BodyView?
    var lastFailure: AttemptView?

    init(_ task: TaskRecord) {
        id = task.id
        identifier = task.identifier
        kind = task.kind
        state = task.state
        status = task.status.name
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
        payload = BodyView(task.payload)
        result = BodyView(task.result)
        data = BodyView(task.data)
        lastFailure = task.lastFailure.map(AttemptView.init)
    }
}

/// The counts of one kind in JSON.
struct KindStatsView: Encodable {
    var kind: KindName
    var ready: Int
    var scheduled: Int
    var blocked: Int
    var running: Int
    var paused: Int
    var succeeded: Int
    var exhausted: Int
    var cancelled: Int
    var ignored: Int
    var total: Int
    var isPaused: Bool
    var oldestReadyAge: Double?
    var nextDue: Timestamp?

    init(_ counts: TrackerStats.Kind) {
        kind = counts.kind
        ready = counts.ready
        scheduled = counts.scheduled
        blocked = counts.blocked
        running = counts.running
        paused = counts.paused
        succeeded = counts.succeeded
        exhausted = counts.exhausted
        cancelled = counts.cancelled
        ignored = counts.ignored
        total = counts.total
        isPaused = counts.isPaused
        oldestReadyAge = counts.oldestReadyAge?.seconds
        nextDue = counts.nextDue
    }
}

/// All counts in JSON.
struct StatsView: Encodable {
    var now: Timestamp
    var isPaused: Bool
    var workers: Int
    var kinds: [KindStatsView]

    init(_ stats: TrackerStats) {
        now = stats.now
        isPaused = stats.isPaused
        workers = stats.workers
        kinds = stats.kinds.map(KindStatsView.init)
    }
}

/// A retry policy in JSON: the fields of its shape.
struct RetryView: Encodable {
    var backoff: String
    var base: Double?
    var factor: Double?
    var cap: Double?
    var delays: [Double]?
    var jitter: Double

    init(_ policy: RetryPolicy) {
        jitter = policy.jitter
        switch policy.backoff {
        case .exponential(let base, let factor, let cap):
            (backoff, self.base, self.factor, self.cap) = ("exponential", base.seconds, factor, cap.seconds)
        case .fixed(let delay):
            (backoff, base) = ("fixed", delay.seconds)
        case .list(let delays):
            (backoff, self.delays) = ("list", delays.map(\.seconds))
        }
    }
}

/// A kind with its policy in JSON.
struct KindView: Encodable {
    var name: KindName
    var lease: Double
    var attempts: Int
    var retry: RetryView
    var keepSucceeded: Double?
    var keepOther: Double?
    var timeout: Double?
    var softTimeout: Double?
    var queueLimit: Int?
    var whenExhausted: ExhaustedState
    /// Whether it is paused; nil where nobody asked.
    var isPaused: Bool?

    init(_ name: KindName, _ policy: KindPolicy, isPaused: Bool? = nil) {
        self.name = name
        lease = policy.lease.seconds
        attempts = policy.attempts
        retry = RetryView(policy.retry)
        keepSucceeded = policy.keepSucceeded?.seconds
        keepOther = policy.keepOther?.seconds
        timeout = policy.timeout?.seconds
        softTimeout = policy.softTimeout?.seconds
        queueLimit = policy.queueLimit
        whenExhausted = policy.whenExhausted
        self.isPaused = isPaused
    }
}

/// A held lock in JSON.
struct ClaimView: Encodable {
    var id: TaskID
    var kind: KindName
    var token: String
    var fence: Int
    var attempt: Int
    var expires: Timestamp
    var lease: Double
    var worker: String
    var created: Timestamp
    var due: Timestamp
    var claimed: Timestamp
    var failures: Int
    var crashes: Int
    var deadline: Timestamp?
    var softDeadline: Timestamp?
    var payload: BodyView?
    var data: BodyView?
    var trace: [String: String]?

    init(_ claim: Claim) {
        id = claim.id
        kind = claim.kind
        token = claim.token
        fence = claim.fence
        attempt = claim.attempt
        expires = claim.expires
        lease = claim.lease.seconds
        worker = claim.worker.description
        created = claim.created
        due = claim.due
        claimed = claim.claimed
        failures = claim.failures
        crashes = claim.crashes
        deadline = claim.deadline
        softDeadline = claim.softDeadline
        payload = claim.payload.bytes.isEmpty ? nil : BodyView(claim.payload)
        data = claim.data.bytes.isEmpty ? nil : BodyView(claim.data)
        trace = claim.trace.isEmpty ? nil : claim.trace
    }
}

/// What was done with one task, or why not.
struct OutcomeView: Encodable {
    var id: TaskID
    var kind: KindName?
    var outcome: String
    /// When it runs again, or when its attempt ends.
    var at: Timestamp?
    /// Of a refusal: the state found, and those from which it is allowed.
    var found: TaskState?
    var allowed: [TaskState]?
    /// Of an enqueue: the task that has the same content.
    var of: TaskID?
    /// Of a renewal: the signal that a program is to get.
    var signal: Int?
}

/// Where the next page begins.
struct CursorView: Encodable { var cursor: String }
