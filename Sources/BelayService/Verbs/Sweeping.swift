import Belay

extension VerbTable {
    static let sweeping = [
        VerbEntry("reap", "Takes back running tasks whose lease ran out.", isWrite: true) {
            (call, request: SweepRequest) in
            let step = try await call.tracker.reap(limit: request.limit ?? 100)
            return ReapResponse(tasks: step.items.map(ReapedJSON.init), more: step.more)
        },
        VerbEntry("purge", "Deletes ended tasks that were kept as long as their kind says.", isWrite: true) {
            (call, request: SweepRequest) in
            let step = try await call.tracker.purge(limit: request.limit ?? 100)
            return PurgeResponse(tasks: step.items.map(PurgedJSON.init), more: step.more)
        },
        VerbEntry(
            "destroy",
            "Deletes the tracker with all its tasks, kinds and events. There is no way back.",
            isWrite: true
        ) { (call, request: DestroyRequest) in
            guard request.confirm == call.tracker.namespace else {
                throw Problem(
                    .invalidArgument,
                    "confirm must be the namespace that is to be deleted, “\(call.tracker.namespace)”",
                    field: "confirm",
                    found: request.confirm,
                    allowed: [call.tracker.namespace]
                )
            }
            try await call.tracker.destroy()
            return DestroyResponse(outcome: .destroyed)
        },
    ]
}

struct SweepRequest: Documented {
    var limit: Int?

    static let docs = ["limit": "The most tasks, 1 to 500. Default 100."]
}

struct ReapResponse: Documented, Encodable {
    var tasks: [ReapedJSON]
    var more: Bool

    static let docs = ["tasks": "What was taken back.", "more": "Whether more waits: call again."]
}

struct ReapedJSON: Documented, Encodable {
    var id: TaskID
    var kind: KindName
    var state: TaskState
    var due: Timestamp?
    var worker: String

    static let docs = [
        "id": "The task.", "kind": "Its kind.", "state": "Where it stands now.", "due": "When it runs again.",
        "worker": "Who held it.",
    ]

    init(_ task: ReapedTask) {
        (id, kind, state, due, worker) = (task.id, task.kind, task.state, task.due, task.worker)
    }
}

struct PurgeResponse: Documented, Encodable {
    var tasks: [PurgedJSON]
    var more: Bool

    static let docs = ["tasks": "What was deleted.", "more": "Whether more waits: call again."]
}

struct PurgedJSON: Documented, Encodable {
    var id: TaskID
    var kind: KindName
    var state: TaskState

    static let docs = ["id": "The task.", "kind": "Its kind.", "state": "The state it had."]

    init(_ task: PurgedTask) { (id, kind, state) = (task.id, task.kind, task.state) }
}

struct DestroyRequest: Documented {
    var confirm: String

    static let docs = ["confirm": "The namespace once more, so that no slip deletes a tracker."]
}

struct DestroyResponse: Documented, Encodable {
    var outcome: Outcome

    enum Outcome: String, Words, Encodable, CaseIterable { case destroyed }

    static let docs = ["outcome": "It is gone."]
}
