import Belay

extension VerbTable {
    static let enqueueing = [
        VerbEntry(
            "enqueue",
            "Creates tasks (1 to 500), atomically: all that are not refused, or none.",
            isWrite: true,
            errors: [.unknownKind, .unknownParent, .tooLarge, .full]
        ) { (call, request: EnqueueRequest) in
            var tasks: [NewTask] = []
            for (place, task) in request.tasks.enumerated() { tasks.append(try task.task("tasks[\(place)]")) }
            let policy = try request.policy?.policy()
            let outcomes = try await call.tracker.enqueue(tasks, policy: policy, message: request.message ?? "")
            return EnqueueResponse(tasks: outcomes.map(EnqueuedJSON.init))
        }
    ]
}

struct EnqueueRequest: Documented {
    var tasks: [NewTaskJSON]
    var policy: PolicyJSON?
    var message: String?

    static let docs = [
        "tasks": "The tasks, of any kinds.",
        "policy": "What to define unknown kinds with; without it they are refused.",
        "message": "Kept in the tasks' logs.",
    ]
}

struct NewTaskJSON: Documented {
    var kind: KindName
    var id: TaskID?
    var identifier: String?
    var payload: NewBodyJSON?
    var delay: Seconds?
    var runAt: Timestamp?
    var priority: Int?
    var attempts: Int?
    var ifExists: DuplicatePolicy?
    var tags: [TaskTag]?
    var after: AfterJSON?
    var expiresAfter: Seconds?
    var expiresAt: Timestamp?
    var unique: UniqueJSON?
    var reuse: Bool?

    static let docs = [
        "kind": "Its kind.",
        "id": "Its id; one that sorts by time is made where neither this nor `identifier` is given.",
        "identifier": "Its identifier, unique in its kind; the id is then `kind#identifier`.",
        "payload": "What it is to work on.", "delay": "Not before so much later, up to 3,650 days.",
        "runAt": "Not before that moment; not together with `delay`.",
        "priority": "0 to 9, 9 is claimed first. Default 5.",
        "attempts": "The most attempts of this task; its kind's unless said otherwise.",
        "ifExists": "What to answer when the id is taken. Default `refuse`.",
        "tags": "At most 8 tags, each once.", "after": "What it waits for. Default: nothing.",
        "expiresAfter":
            "Not to be started when so much time has passed, up to 3,650 days; it is cancelled when its turn comes.",
        "expiresAt": "Not to be started from that moment on; not together with `expiresAfter`.",
        "unique":
            "Keeps it out when another task of its kind has the same content; `{}` for all defaults. Default: nothing does.",
        "reuse": "Use a task of the same id again that succeeded; needs `id` or `identifier`. Default false.",
    ]

    func task(_ field: String) throws -> NewTask {
        var options = EnqueueOptions(
            id: id,
            ifExists: ifExists ?? .refuse,
            delay: delay?.duration,
            runAt: runAt,
            priority: priority ?? 5,
            attempts: attempts,
            tags: tags ?? [],
            after: after?.dependencies,
            expiresAfter: expiresAfter?.duration,
            expiresAt: expiresAt,
            unique: unique?.uniqueness,
            reuse: reuse ?? false
        )
        if let identifier {
            guard id == nil else {
                throw Problem(.invalidArgument, "\(field) has both id and identifier; allowed: one", field: field)
            }
            options.id = try TaskID(kind: kind, identifier: identifier)
        }
        return NewTask(kind, payload: try payload.body("\(field).payload"), options: options)
    }
}

struct EnqueueResponse: Documented, Encodable {
    var tasks: [EnqueuedJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct EnqueuedJSON: Documented, Encodable {
    var outcome: Outcome
    var id: TaskID
    var limit: Int?
    var of: TaskID?

    enum Outcome: String, Words, Encodable, CaseIterable {
        case created, existing, duplicate, reused, deduplicated, full
    }

    static let docs = [
        "outcome":
            "`existing`, `duplicate`: a task of this id exists. `reused`: one of this id that succeeded is used again. "
            + "`deduplicated`: another task has the same content; this one was not created, or recorded as cancelled. "
            + "`full`: too many tasks of its kind wait.",
        "id": "The task.", "limit": "`full`: the most waiting tasks of the kind.",
        "of": "`deduplicated`: the task that has the same content.",
    ]

    init(_ outcome: EnqueueOutcome) {
        id = outcome.id
        switch outcome {
        case .created: self.outcome = .created
        case .existing: self.outcome = .existing
        case .duplicate: self.outcome = .duplicate
        case .reused: self.outcome = .reused
        case .deduplicated(_, let other): (self.outcome, of) = (.deduplicated, other)
        case .full(_, let limit): (self.outcome, self.limit) = (.full, limit)
        }
    }
}
