import Belay

extension VerbTable {
    static let hooks = [
        VerbEntry(
            "defineHook",
            "Stores a finished hook: a task to create, or a webhook to send, whenever a task ends. One of the same name is "
                + "replaced, and goes on from where it was. A hook runner must run.",
            isWrite: true,
            errors: [.unknownKind, .full]
        ) { (call, request: DefineHookRequest) in
            try await call.tracker.defineHook(try request.rule())
            return DefineHookResponse()
        },
        VerbEntry("removeHook", "Removes a finished hook; its webhooks that wait are given up.", isWrite: true) {
            (call, request: RemoveHookRequest) in
            RemoveHookResponse(outcome: try await call.tracker.removeHook(request.name))
        },
        VerbEntry("hooks", "All finished hooks, by name, and how far they have acted.", isWrite: false) {
            (call, _: HooksRequest) in
            let list = try await call.tracker.hooks()
            return HooksResponse(hooks: list.hooks.map(HookJSON.init), position: list.position, now: list.now)
        },
    ]
}

struct DefineHookRequest: Documented {
    var name: String
    var states: [TaskState]?
    var kinds: [String]?
    var tags: [String]?
    var field: HookFieldJSON?
    var enqueue: NewHookTaskJSON?
    var webhook: NewWebhookJSON?

    static let docs = [
        "name": "Its name, 1 to 64 of A-Z a-z 0-9 . _ : / -.",
        "states": "The ends that it is about: `succeeded`, `exhausted`, `cancelled`, `ignored`. Default: all.",
        "kinds":
            "Kinds, or begins of their names with `*` behind; with `!` before those that are left out. Default: all.",
        "tags": "Tags of which a task must have one. Default: any task.",
        "field": "What the task's payload or result must hold. Default: anything.",
        "enqueue": "The task to create; of a kind that the hook is not about. One of this and `webhook` is given.",
        "webhook": "The request to send.",
    ]

    func rule() throws -> HookRule {
        let condition = HookCondition(
            states: states ?? [],
            kinds: try (kinds ?? []).map { try KindPattern($0) },
            tags: try (tags ?? []).map { try TaskTag($0) },
            field: try field?.field("field")
        )
        switch (enqueue, webhook) {
        case (let task?, nil): return HookRule(name, when: condition, action: .enqueue(try task.task()))
        case (nil, let request?): return HookRule(name, when: condition, action: .webhook(request.webhook))
        default:
            throw Problem(
                .invalidArgument,
                "a hook has exactly one of enqueue and webhook",
                field: "enqueue",
                allowed: ["enqueue", "webhook"]
            )
        }
    }
}

struct DefineHookResponse: Documented, Encodable {
    var outcome = Outcome.defined

    enum Outcome: String, Words, Encodable, CaseIterable { case defined }

    static let docs = ["outcome": "It is stored."]

    init() {}
}

struct RemoveHookRequest: Documented {
    var name: String

    static let docs = ["name": "Its name."]
}

struct RemoveHookResponse: Documented, Encodable {
    var outcome: HookRemoval

    static let docs = ["outcome": "Whether there was one."]
}

extension HookRemoval: Words {}

struct HooksRequest: Documented {
    static let docs: [String: String] = [:]
}

struct HooksResponse: Documented, Encodable {
    var hooks: [HookJSON]
    var position: TrackerEvent.Position?
    var now: Timestamp

    static let docs = [
        "hooks": "The hooks.",
        "position": "The last event that they acted on; absent when no hook runner ever ran.",
        "now": "The moment of the answer.",
    ]
}
