import Belay

extension VerbTable {
    static let operating = [
        VerbEntry("note", "Adds an operator's line to a task's log, whatever its state.", isWrite: true) {
            (call, request: NoteRequest) in
            WriteResponse(outcome: try await call.tracker.note(request.task.id, request.message))
        },
        VerbEntry(
            "pause",
            "Pauses waiting tasks as an operator (`tasks`), or a held one as its holder (`handle`), which keeps its lock.",
            isWrite: true
        ) { (call, request: PauseRequest) in
            let tracker = call.tracker
            return try await request.perform(
                { try await tracker.pause($0, message: $1) },
                { try await tracker.pause($0, message: $1) }
            )
        },
        VerbEntry(
            "resume",
            "Ends a pause, as an operator (`tasks`) or as the holder (`handle`).",
            isWrite: true
        ) { (call, request: PauseRequest) in
            let tracker = call.tracker
            return try await request.perform(
                { try await tracker.resume($0, message: $1) },
                { try await tracker.resume($0, message: $1) }
            )
        },
        VerbEntry("ignore", "Sets tasks aside for good (1 to 500): nothing claims them.", isWrite: true) {
            (call, request: IgnoreRequest) in
            let outcomes = try await call.tracker.ignore(request.tasks.ids, message: request.message ?? "")
            return TransitionResponse(tasks: zip(request.tasks, outcomes).map { TransitionJSON($0.id, $1) })
        },
        VerbEntry(
            "prioritise",
            "Gives tasks (1 to 500) that have not ended another priority; of a running one it is that of its next attempt.",
            isWrite: true
        ) { (call, request: PrioritiseRequest) in
            let outcomes = try await call.tracker.prioritise(request.tasks.ids, request.priority)
            return PrioritiseResponse(tasks: zip(request.tasks, outcomes).map { PrioritisedJSON($0.id, $1) })
        },
        VerbEntry(
            "cancel",
            "Ends tasks (1 to 500) that have not ended. A running one is asked to stop.",
            isWrite: true
        ) { (call, request: CancelRequest) in
            let outcomes = try await call.tracker.cancel(
                request.tasks.ids,
                reason: request.reason ?? "",
                signal: request.signal
            )
            return CancelResponse(tasks: zip(request.tasks, outcomes).map { CancelledJSON($0.id, $1) })
        },
        VerbEntry(
            "retry",
            "Runs tasks (1 to 500) again: an ended one anew, a waiting one now.",
            isWrite: true
        ) { (call, request: RetryRequest) in
            let outcomes = try await call.tracker.retry(
                request.tasks.ids,
                budget: request.budget ?? .fresh,
                force: request.force ?? false,
                message: request.message ?? ""
            )
            return RetryResponse(tasks: zip(request.tasks, outcomes).map { RetriedJSON(id: $0.id, outcome: $1) })
        },
        VerbEntry(
            "delete",
            "Deletes tasks (1 to 500) with all that is kept of them. There is no way back.",
            isWrite: true
        ) { (call, request: DeleteRequest) in
            let outcomes = try await call.tracker.delete(request.tasks.ids, force: request.force ?? false)
            return DeleteResponse(
                tasks: zip(request.tasks, outcomes).map { DeletedJSON(id: $0.id, outcome: .init($1)) }
            )
        },
    ]
}

struct NoteRequest: Documented {
    var task: TaskRef
    var message: String

    static let docs = ["task": "The task.", "message": "The line, at most 1,024 bytes."]
}

struct PauseRequest: Documented {
    var tasks: [TaskRef]?
    var handle: ClaimHandle?
    var message: String?

    static let docs = [
        "tasks": "As an operator: the tasks (1 to 500). Not together with `handle`.",
        "handle": "As the holder: what proves the claim.", "message": "Kept in the log.",
    ]

    func perform(
        _ operate: ([TaskID], String) async throws -> [TransitionOutcome],
        _ hold: (ClaimHandle, String) async throws -> TransitionOutcome
    ) async throws -> TransitionResponse {
        switch (tasks, handle) {
        case (let tasks?, nil):
            let outcomes = try await operate(tasks.ids, message ?? "")
            return TransitionResponse(tasks: zip(tasks, outcomes).map { TransitionJSON($0.id, $1) })
        case (nil, let handle?):
            let outcome = try await hold(handle, message ?? "")
            return TransitionResponse(tasks: [TransitionJSON(handle.id, outcome)])
        default:
            throw Problem(
                .invalidArgument,
                "give either tasks (as an operator) or handle (as the holder)",
                allowed: ["tasks", "handle"]
            )
        }
    }
}

struct IgnoreRequest: Documented {
    var tasks: [TaskRef]
    var message: String?

    static let docs = ["tasks": "The tasks.", "message": "Kept in their logs."]
}

struct TransitionResponse: Documented, Encodable {
    var tasks: [TransitionJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct TransitionJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome
    var state: TaskState?
    var found: TaskState?
    var allowed: [TaskState]?

    enum Outcome: String, Words, Encodable, CaseIterable { case done, refused, stale, notFound }

    static let docs = [
        "id": "The task.", "outcome": "`refused`: not from the state that it is in. `stale`: the lock is lost.",
        "state": "`done`: where it stands now.", "found": "`refused`: where it stands.",
        "allowed": "`refused`: the states from which this is allowed.",
    ]

    init(_ id: TaskID, _ outcome: TransitionOutcome) {
        self.id = id
        switch outcome {
        case .done(let state): (self.outcome, self.state) = (.done, state)
        case .refused(let illegal): (self.outcome, found, allowed) = (.refused, illegal.found, illegal.allowed)
        case .stale: self.outcome = .stale
        case .notFound: self.outcome = .notFound
        }
    }
}

struct PrioritiseRequest: Documented {
    var tasks: [TaskRef]
    var priority: Int

    static let docs = ["tasks": "The tasks.", "priority": "0 to 9, 9 is claimed first."]
}

struct PrioritiseResponse: Documented, Encodable {
    var tasks: [PrioritisedJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct PrioritisedJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome
    var state: TaskState?

    enum Outcome: String, Words, Encodable, CaseIterable { case done, ended, notFound }

    static let docs = [
        "id": "The task.", "outcome": "`done`: it has that priority. `ended`: refused, it has ended.",
        "state": "`ended`: how.",
    ]

    init(_ id: TaskID, _ outcome: PrioritiseOutcome) {
        self.id = id
        switch outcome {
        case .done: self.outcome = .done
        case .ended(let state): (self.outcome, self.state) = (.ended, state)
        case .notFound: self.outcome = .notFound
        }
    }
}

struct CancelRequest: Documented {
    var tasks: [TaskRef]
    var reason: String?
    var signal: Int?

    static let docs = [
        "tasks": "The tasks.", "reason": "Kept with them, at most 64 bytes.",
        "signal": "The signal that a running program is to get, 1 to 64. Default: what its worker uses.",
    ]
}

struct CancelResponse: Documented, Encodable {
    var tasks: [CancelledJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct CancelledJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome
    var state: TaskState?

    enum Outcome: String, Words, Encodable, CaseIterable { case cancelled, requested, ended, notFound }

    static let docs = [
        "id": "The task.",
        "outcome": "`requested`: it runs, and its holder was asked to stop. `ended`: it had ended before.",
        "state": "`ended`: how.",
    ]

    init(_ id: TaskID, _ outcome: CancelOutcome) {
        self.id = id
        switch outcome {
        case .cancelled: self.outcome = .cancelled
        case .requested: self.outcome = .requested
        case .ended(let state): (self.outcome, self.state) = (.ended, state)
        case .notFound: self.outcome = .notFound
        }
    }
}

extension RetryOutcome: Words {
    static var words: [String] { [Self.ready, .waiting, .blocked, .running, .notFound].map(\.rawValue) }
}

struct RetryRequest: Documented {
    var tasks: [TaskRef]
    var budget: RetryBudget?
    var force: Bool?
    var message: String?

    static let docs = [
        "tasks": "The tasks.",
        "budget": "`fresh`: attempts, failures and crashes are counted from 0 again. `kept`: those that are left, "
            + "and one more when none is. Default `fresh`.",
        "force": "Take a running task from its holder too, and run a blocked one without its parents. Default false.",
        "message": "Kept in their logs.",
    ]
}

struct RetryResponse: Documented, Encodable {
    var tasks: [RetriedJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct RetriedJSON: Documented, Encodable {
    var id: TaskID
    var outcome: RetryOutcome

    static let docs = [
        "id": "The task.",
        "outcome": "`waiting`: its parents have not ended, and it waits for them. `blocked`: refused, it waits "
            + "for its parents. `running`: refused, somebody holds it.",
    ]
}

struct DeleteRequest: Documented {
    var tasks: [TaskRef]
    var force: Bool?

    static let docs = ["tasks": "The tasks.", "force": "Delete running ones too. Default false."]
}

struct DeleteResponse: Documented, Encodable {
    var tasks: [DeletedJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct DeletedJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome

    enum Outcome: String, Words, Encodable, CaseIterable {
        case deleted, running, notFound
        init(_ outcome: DeleteOutcome) {
            switch outcome {
            case .deleted: self = .deleted
            case .running: self = .running
            case .notFound: self = .notFound
            }
        }
    }

    static let docs = ["id": "The task.", "outcome": "`running`: refused, somebody holds it."]
}
