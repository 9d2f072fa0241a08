import Belay

extension VerbTable {
    static let queries = [
        VerbEntry("get", "The records of tasks (1 to 500).", isWrite: false) { (call, request: GetRequest) in
            let records = try await call.tracker.get(request.tasks.ids)
            return GetResponse(
                tasks: zip(request.tasks, records).map { reference, record in
                    GotJSON(
                        id: reference.id,
                        outcome: record == nil ? .notFound : .found,
                        task: record.map(TaskJSON.init)
                    )
                }
            )
        },
        VerbEntry(
            "attempts",
            "The attempts of a task that are remembered (the last 20 and the current one), oldest first.",
            isWrite: false
        ) { (call, request: TaskRequest) in
            let attempts = try await call.tracker.attempts(of: request.task.id)
            return AttemptsResponse(
                outcome: attempts == nil ? .notFound : .found,
                attempts: attempts?.map(AttemptJSON.init)
            )
        },
        VerbEntry("logs", "The lines of a task's log, oldest first.", isWrite: false) { (call, request: TaskRequest) in
            let lines = try await call.tracker.log(of: request.task.id)
            return LogsResponse(outcome: lines == nil ? .notFound : .found, lines: lines?.map(LogLineJSON.init))
        },
        VerbEntry(
            "find",
            "A page of tasks by kind, state, tag, worker and time, without payloads. Tasks that move meanwhile neither hide nor repeat others.",
            isWrite: false
        ) { (call, request: FindRequest) in
            let page = try await call.tracker.find(
                kinds: request.kinds,
                states: request.states ?? TaskState.allCases,
                order: request.order ?? .oldestFirst,
                limit: request.limit ?? 100,
                cursor: request.cursor,
                tag: request.tag,
                worker: request.worker?.description,
                created: try request.created()
            )
            return FindResponse(tasks: page.tasks.map(TaskJSON.init), cursor: page.cursor)
        },
        VerbEntry("peek", "The tasks that a claim would take now, in its order.", isWrite: false) {
            (call, request: PeekRequest) in
            let tasks = try await call.tracker.peek(
                request.kinds,
                limit: request.limit ?? 10,
                order: request.order ?? .priority,
                scheduled: request.scheduled ?? false
            )
            return PeekResponse(tasks: tasks.map(TaskJSON.init))
        },
        VerbEntry("stats", "How many tasks are where.", isWrite: false) { (call, _: StatsRequest) in
            let stats = try await call.tracker.stats()
            return StatsResponse(
                now: stats.now,
                isPaused: stats.isPaused,
                workers: stats.workers,
                kinds: stats.kinds.map(KindCountsJSON.init)
            )
        },
    ]
}

/// Whether a named thing is there.
enum FoundWord: String, Words, Encodable, CaseIterable { case found, notFound }

struct GetRequest: Documented {
    var tasks: [TaskRef]

    static let docs = ["tasks": "The tasks."]
}

struct GetResponse: Documented, Encodable {
    var tasks: [GotJSON]

    static let docs = ["tasks": "Each task, in their order."]
}

struct GotJSON: Documented, Encodable {
    var id: TaskID
    var outcome: FoundWord
    var task: TaskJSON?

    static let docs = ["id": "The task.", "outcome": "Whether there is one.", "task": "`found`: its record."]
}

struct TaskRequest: Documented {
    var task: TaskRef

    static let docs = ["task": "The task."]
}

struct AttemptsResponse: Documented, Encodable {
    var outcome: FoundWord
    var attempts: [AttemptJSON]?

    static let docs = ["outcome": "Whether there is such a task.", "attempts": "`found`: its attempts."]
}

struct LogsResponse: Documented, Encodable {
    var outcome: FoundWord
    var lines: [LogLineJSON]?

    static let docs = ["outcome": "Whether there is such a task.", "lines": "`found`: its log."]
}

struct FindRequest: Documented, CreatedWithin {
    var kinds: [KindName]?
    var states: [TaskState]?
    var order: FindOrder?
    var limit: Int?
    var cursor: String?
    var tag: TaskTag?
    var worker: WorkerName?
    var createdFrom: Timestamp?
    var createdTo: Timestamp?

    static let docs = [
        "kinds": "Only these kinds. Default: all.", "states": "Only these states, in this order. Default: all.",
        "order": "By time within a state. Default `oldestFirst`.", "limit": "Tasks in a page, 1 to 500. Default 100.",
        "cursor": "Where the page begins: what the page before answered.", "tag": "Only tasks of this tag.",
        "worker": "Only tasks whose latest attempt was that worker's; with states `running` what it does now.",
        "createdFrom": "Only tasks enqueued then or later.", "createdTo": "Only tasks enqueued before then.",
    ]
}

/// A request for what was created within a time.
protocol CreatedWithin {
    var createdFrom: Timestamp? { get }
    var createdTo: Timestamp? { get }
}

extension CreatedWithin {
    /// The time; nil for whenever.
    func created() throws -> Range<Timestamp>? {
        guard createdFrom != nil || createdTo != nil else { return nil }
        let from = createdFrom ?? Timestamp(microseconds: 0)
        let before = createdTo ?? max(from, Timestamp(microseconds: 1 << 53))
        guard from <= before else {
            throw Problem(
                .invalidArgument,
                "createdFrom \(from) is after createdTo \(before); allowed: at or before it",
                field: "createdFrom",
                found: from.description
            )
        }
        return from..<before
    }
}

struct FindResponse: Documented, Encodable {
    var tasks: [TaskJSON]
    var cursor: String?

    static let docs = ["tasks": "The tasks.", "cursor": "Where the next page begins; absent when this is the last."]
}

struct PeekRequest: Documented {
    var kinds: [KindName]
    var limit: Int?
    var order: ClaimOrder?
    var scheduled: Bool?

    static let docs = [
        "kinds": "1 to 100 kinds.", "limit": "The most tasks, 1 to 500. Default 10.",
        "order": "As of a claim. Default `priority`.", "scheduled": "Those too that are not due yet. Default false.",
    ]
}

struct PeekResponse: Documented, Encodable {
    var tasks: [TaskJSON]

    static let docs = ["tasks": "The tasks."]
}

struct StatsRequest: Documented {
    static let docs: [String: String] = [:]
}

struct StatsResponse: Documented, Encodable {
    var now: Timestamp
    var isPaused: Bool
    var workers: Int
    var kinds: [KindCountsJSON]

    static let docs = [
        "now": "The moment of the counts.", "isPaused": "Whether the whole tracker is paused.",
        "workers": "Workers seen within the last day.",
        "kinds": "Every kind, by name.",
    ]
}
