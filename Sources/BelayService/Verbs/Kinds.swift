import Belay

extension VerbTable {
    static let kinds = [
        VerbEntry(
            "define",
            "Stores a kind's policy for all hosts.",
            isWrite: true,
            errors: [.kindConflict, .full]
        ) { (call, request: DefineRequest) in
            let policy = try request.policy?.policy() ?? .default
            try await call.tracker.define(request.kind, policy: policy, replacing: request.replacing ?? false)
            return DefineResponse(outcome: .defined, policy: PolicyJSON(policy))
        },
        VerbEntry("undefine", "Removes a kind; refused while tasks of it exist, unless forced.", isWrite: true) {
            (call, request: UndefineRequest) in
            UndefineResponse(try await call.tracker.undefine(request.kind, force: request.force ?? false))
        },
        VerbEntry("kinds", "All kinds with their policies, by name.", isWrite: false) { (call, _: KindsRequest) in
            KindsResponse(
                kinds: try await call.tracker.kinds().map { KindJSON(name: $0.name, policy: PolicyJSON($0.policy)) }
            )
        },
    ]
}

struct DefineRequest: Documented {
    var kind: KindName
    var policy: PolicyJSON?
    var replacing: Bool?

    static let docs = [
        "kind": "The kind.", "policy": "Its policy.",
        "replacing": "Overwrite a stored policy that differs, instead of `kindConflict`. Default false.",
    ]
}

struct DefineResponse: Documented, Encodable {
    var outcome: Outcome
    var policy: PolicyJSON

    enum Outcome: String, Words, Encodable, CaseIterable { case defined }

    static let docs = ["outcome": "It is stored.", "policy": "The whole policy."]
}

struct UndefineRequest: Documented {
    var kind: KindName
    var force: Bool?

    static let docs = ["kind": "The kind.", "force": "Delete its tasks with it, running ones too. Default false."]
}

struct UndefineResponse: Documented, Encodable {
    var outcome: Outcome
    var tasks: Int?

    enum Outcome: String, Words, Encodable, CaseIterable { case removed, inUse, notFound }

    static let docs = [
        "outcome": "`inUse`: refused, tasks of the kind exist.",
        "tasks": "`removed`: how many were deleted with it. `inUse`: how many there are.",
    ]

    init(_ outcome: UndefineOutcome) {
        switch outcome {
        case .removed(let tasks): (self.outcome, self.tasks) = (.removed, tasks)
        case .inUse(let tasks): (self.outcome, self.tasks) = (.inUse, tasks)
        case .notFound: self.outcome = .notFound
        }
    }
}

struct KindsRequest: Documented {
    static let docs: [String: String] = [:]
}

struct KindsResponse: Documented, Encodable {
    var kinds: [KindJSON]

    static let docs = ["kinds": "The kinds."]
}
