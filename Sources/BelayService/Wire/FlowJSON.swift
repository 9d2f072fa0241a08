package import Belay

/// What a task waits for, as a request says it.
struct AfterJSON: Documented {
    var tasks: [TaskRef]?
    var tags: [TaskTag]?
    var condition: Dependencies.Condition?
    var quorum: QuorumJSON?

    static let docs = [
        "tasks": "Tasks that exist, or stand before it in the request; with `tags` 1 to 100 in all, each once.",
        "tags": "Tags: all tasks of each, those too that are enqueued with it before they have all ended.",
        "condition":
            "Which ends count. `succeeded`, `failed`: only those; the task is cancelled when it cannot have as many "
            + "as it needs. `endedOrFirstFailure`: any, and at the first without success it runs at once. Default `ended`.",
        "quorum": "How many of them must end so. Default `all`.",
    ]

    var dependencies: Dependencies {
        Dependencies(
            (tasks ?? []).map { .task($0.id) } + (tags ?? []).map { .tag($0) },
            condition: condition ?? .ended,
            quorum: quorum?.quorum ?? .all
        )
    }
}

/// How many parents: a word, or a share.
struct QuorumJSON: Plain {
    var quorum: Dependencies.Quorum

    static var schema: JSONValue {
        [
            "oneOf": [
                ["type": "string", "enum": ["all", "any"]],
                ["type": "number", "exclusiveMinimum": 0, "maximum": 1],
            ]
        ]
    }
    static var label: String { "`all`, `any`, or a share above 0 to 1, rounded up" }
    static var example: JSONValue { "all" }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        switch (try? container.decode(String.self), try? container.decode(Double.self)) {
        case ("all"?, _): quorum = .all
        case ("any"?, _): quorum = .any
        case (_, let share?) where share > 0 && share <= 1: quorum = .share(share)
        default:
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a quorum; allowed: all, any, or a share above 0 to 1"
            )
        }
    }
}

/// What keeps a task out, as a request says it.
struct UniqueJSON: Documented {
    var key: String?
    var states: [TaskState]?
    var window: Seconds?
    var later: Uniqueness.Later?

    static let docs = [
        "key": "What the content is, any text; the payload's bytes unless said otherwise.",
        "states":
            "The other task counts while it is in one of these. Default: ready, blocked, running, paused, succeeded.",
        "window":
            "The other task counts for so long after it was enqueued, up to 3,650 days. Default: as long as it is kept.",
        "later":
            "What becomes of this one: `refuse` creates nothing, `record` creates it as cancelled. Default `refuse`.",
    ]

    var uniqueness: Uniqueness {
        var unique = Uniqueness(key: key, window: window?.duration, later: later ?? .refuse)
        if let states { unique.states = Set(states) }
        return unique
    }
}

/// A parent of a task: a task or a tag.
package struct ParentNameJSON: Documented, Encodable {
    var task: TaskID?
    var tag: TaskTag?

    static let typeName = "ParentName"
    static let docs = ["task": "The task, when it is one.", "tag": "The tag, when it is all tasks of one."]

    package init(_ parent: Dependencies.Parent) {
        switch parent {
        case .task(let id): task = id
        case .tag(let name): tag = name
        }
    }
}

/// A parent of a task and what came of it.
struct ParentJSON: Documented, Encodable {
    var task: TaskID?
    var tag: TaskTag?
    var state: TaskState?
    var result: BodyJSON?

    static let docs = [
        "task": "The task, when it is one.", "tag": "The tag, when it is all tasks of one.",
        "state":
            "Where it stands; absent when the task is gone. A tag is `blocked` while it goes on, `succeeded` when all of "
            + "its tasks ended well, else `exhausted`.",
        "result": "What it made; absent when there is nothing, and of a tag.",
    ]

    init(_ outcome: ParentOutcome) {
        let name = ParentNameJSON(outcome.parent)
        (task, tag) = (name.task, name.tag)
        state = outcome.state
        result = BodyJSON(outcome.result)
    }
}

/// Why a task was cancelled before it began.
package struct CauseJSON: Documented, Encodable {
    var cause: Word
    var of: TaskID?
    var parent: ParentNameJSON?

    /// The sort.
    enum Word: String, Words, Encodable, CaseIterable { case expired, deduplicated, parentFailed }

    static let docs = [
        "cause": "`expired`: its time to begin had passed. `deduplicated`: another task has the same content. "
            + "`parentFailed`: it could not have of its parents what it needs.",
        "of": "`deduplicated`: that task.", "parent": "`parentFailed`: the parent that was the last straw.",
    ]

    package init(_ cause: CancelCause) {
        switch cause {
        case .expired: self.cause = .expired
        case .deduplicated(let other): (self.cause, of) = (.deduplicated, other)
        case .parentFailed(let name): (self.cause, parent) = (.parentFailed, ParentNameJSON(name))
        }
    }
}

/// How many tasks of a tag are where.
package struct TagCountsJSON: Documented, Encodable {
    var tag: TaskTag
    var ready: Int
    var blocked: Int
    var running: Int
    var paused: Int
    var succeeded: Int
    var exhausted: Int
    var cancelled: Int
    var ignored: Int
    var total: Int
    var unfinished: Int
    var ended: Int
    var progress: Double

    static let docs = [
        "tag": "The tag.", "ready": "Waiting, due or not.", "blocked": "Waiting for their parents.",
        "running": "Held by a worker.", "paused": "Paused, by an operator or their holder.",
        "succeeded": "Ended well.", "exhausted": "Ended without success.",
        "cancelled": "Ended on request, or because they could not begin.", "ignored": "Set aside.",
        "total": "All of them.", "unfinished": "Those that have not ended.", "ended": "Those that have.",
        "progress": "The share of them that has ended, 0 to 1; 0 when there are none.",
    ]

    package init(_ counts: TagCounts) {
        tag = counts.tag
        ready = counts.ready
        blocked = counts.blocked
        running = counts.running
        paused = counts.paused
        succeeded = counts.succeeded
        exhausted = counts.exhausted
        cancelled = counts.cancelled
        ignored = counts.ignored
        total = counts.total
        unfinished = counts.unfinished
        ended = counts.ended
        progress = counts.progress
    }
}

extension TaskTag: Plain {
    static var schema: JSONValue {
        [
            "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
            "maxLength": .number("\(Limits.tagBytes)"),
        ]
    }
    static var label: String { "a tag" }
    static var example: JSONValue { "import-2030-01" }
}

extension Dependencies.Condition: Words {}
extension Uniqueness.Later: Words {}
