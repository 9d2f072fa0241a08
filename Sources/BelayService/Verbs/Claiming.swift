import Belay

extension VerbTable {
    static let claiming = [
        VerbEntry("claim", "Takes the locks of due tasks.", isWrite: true) { (call, request: ClaimRequest) in
            let claims = try await call.tracker.claim(
                request.kinds,
                limit: request.limit ?? 1,
                lease: request.lease?.duration,
                order: request.order ?? .priority,
                as: request.worker,
                token: request.token
            )
            return ClaimResponse(claims: claims.map(ClaimJSON.init))
        },
        VerbEntry("acquire", "Takes the lock of one named task.", isWrite: true) { (call, request: AcquireRequest) in
            let outcome = try await call.tracker.claim(
                request.task.id,
                lease: request.lease?.duration,
                options: (request.options ?? []).reduce(into: []) { $0.insert($1.option) },
                reentering: request.reentering,
                as: request.worker,
                token: request.token
            )
            return AcquireResponse(outcome)
        },
    ]
}

struct ClaimRequest: Documented {
    var kinds: [KindName]
    var limit: Int?
    var lease: Seconds?
    var order: ClaimOrder?
    var worker: WorkerName?
    var token: String?

    static let docs = [
        "kinds": "1 to 100 kinds; unknown ones hold nothing.", "limit": "The most tasks, 1 to 500. Default 1.",
        "lease": "How long the locks hold, 50 ms to 24 h; each kind's own unless said otherwise.",
        "order": "`priority`: highest first, then longest due. `due`: longest due first. Default `priority`.",
        "worker": "Who works; the service's own name unless said otherwise.",
        "token": "1 to 64 bytes, fresh for every claim; the same again after a lost reply gives the same claims.",
    ]
}

struct ClaimResponse: Documented, Encodable {
    var claims: [ClaimJSON]

    static let docs = ["claims": "What is held now; none when nothing is due."]
}

struct AcquireRequest: Documented {
    var task: TaskRef
    var lease: Seconds?
    var options: [Option]?
    var reentering: String?
    var worker: WorkerName?
    var token: String?

    enum Option: String, Words, CaseIterable {
        case ignoreDue, ignoreLock, force, restart
        var option: AcquireOptions {
            switch self {
            case .ignoreDue: .ignoreDue
            case .ignoreLock: .ignoreLock
            case .force: .force
            case .restart: .restart
            }
        }
    }

    static let docs = [
        "task": "The task.", "lease": "How long the lock holds, 50 ms to 24 h; its kind's own unless said otherwise.",
        "options":
            "What to pass over: `ignoreDue` its due time, `ignoreLock` its holder, `force` that it is exhausted, "
            + "cancelled, ignored, or waits for its parents, `restart` that it has ended: it begins anew.",
        "reentering": "The token of the lock that the caller already holds; it gets a new token and fence.",
        "worker": "Who works; the service's own name unless said otherwise.",
        "token": "1 to 64 bytes, fresh for every claim; the same again after a lost reply gives the same claim.",
    ]
}

struct AcquireResponse: Documented, Encodable {
    var outcome: Outcome
    var claim: ClaimJSON?
    var until: Timestamp?
    var by: String?
    var at: Timestamp?
    var state: TaskState?

    enum Outcome: String, Words, Encodable, CaseIterable {
        case claimed, notFound, locked, notDue, ended, paused, blocked
    }

    static let docs = [
        "outcome": "Whether the lock is held, or why not. `blocked`: it waits for its parents.",
        "claim": "`claimed`: the claim.",
        "until": "`locked`: when the lock ends.", "by": "`locked`: who holds it.",
        "at": "`notDue`: when it is due.", "state": "`ended`: how it ended.",
    ]

    init(_ outcome: AcquireOutcome) {
        switch outcome {
        case .claimed(let claim): (self.outcome, self.claim) = (.claimed, ClaimJSON(claim))
        case .refused(.notFound): self.outcome = .notFound
        case .refused(.locked(let until, let by)): (self.outcome, self.until, self.by) = (.locked, until, by)
        case .refused(.notDue(let at)): (self.outcome, self.at) = (.notDue, at)
        case .refused(.ended(let state)): (self.outcome, self.state) = (.ended, state)
        case .refused(.paused): self.outcome = .paused
        case .refused(.blocked): self.outcome = .blocked
        }
    }
}

/// A held lock.
struct ClaimJSON: Documented, Encodable {
    var handle: ClaimHandle
    var kind: KindName
    var attempt: Int
    var expires: Timestamp
    var lease: Seconds
    var worker: WorkerName
    var payload: BodyJSON?
    var data: BodyJSON?
    var created: Timestamp
    var due: Timestamp
    var claimed: Timestamp
    var failures: Int
    var crashes: Int
    var deadline: Timestamp?
    var softDeadline: Timestamp?
    var trace: [String: String]?

    static let docs = [
        "handle": "What proves the claim in every further request.", "kind": "The task's kind.",
        "attempt": "Which attempt this is, from 1.", "expires": "When the lock ends unless it is renewed.",
        "lease": "How long each renewal holds.", "worker": "Who holds it.",
        "payload": "What the task is to work on; absent when it is empty.",
        "data": "What earlier holders saved; absent when there is nothing.",
        "created": "When the task was enqueued.", "due": "When it was due.", "claimed": "When the lock was taken.",
        "failures": "Failures in a row before this attempt.", "crashes": "Crashes before this attempt.",
        "deadline": "When the attempt is over however often the lock is renewed; absent when it is not limited.",
        "softDeadline": "When the work should be asked to stop; absent when it need not be.",
        "trace": "The trace context of the enqueue.",
    ]

    init(_ claim: Claim) {
        handle = claim.handle
        kind = claim.kind
        attempt = claim.attempt
        expires = claim.expires
        lease = Seconds(claim.lease)
        worker = claim.worker
        payload = BodyJSON(claim.payload as Body?)
        data = BodyJSON(claim.data as Body?)
        created = claim.created
        due = claim.due
        claimed = claim.claimed
        failures = claim.failures
        crashes = claim.crashes
        deadline = claim.deadline
        softDeadline = claim.softDeadline
        trace = claim.trace.isEmpty ? nil : claim.trace
    }
}
