import Belay

extension VerbTable {
    static let foreign = [
        VerbEntry(
            "ingest",
            "Merges events of Celery (1 to 500), in any order and as often as they come, into what is known of foreign tasks and "
                + "workers. All of them, or none when one is refused.",
            isWrite: true,
            errors: [.full]
        ) { (call, request: IngestRequest) in
            var events: [CeleryEvent] = []
            for (place, event) in request.events.enumerated() {
                do throws(TrackerError) {
                    events.append(try CeleryEvent(json: Array(event.text.utf8)))
                } catch {
                    throw Problem(.invalidArgument, "events[\(place)]: \(error.message)", field: "events[\(place)]")
                }
            }
            let outcome = try await call.tracker.ingest(events)
            return IngestResponse(applied: outcome.applied, unchanged: outcome.unchanged, evicted: outcome.evicted)
        },
        VerbEntry("foreignTask", "What is known of a task that Celery runs, with its children.", isWrite: false) {
            (call, request: ForeignTaskRequest) in
            let task = try await call.tracker.foreignTask(request.uuid)
            return ForeignTaskResponse(
                outcome: task == nil ? .notFound : .found,
                task: task.map { ForeignTaskJSON($0, withChildren: true) }
            )
        },
        VerbEntry(
            "foreignTasks",
            "A page of the tasks that Celery runs, the latest heard of first. Tasks that are heard of meanwhile neither hide nor "
                + "repeat others.",
            isWrite: false
        ) { (call, request: ForeignTasksRequest) in
            let page = try await call.tracker.foreignTasks(
                try request.filter(),
                limit: request.limit ?? 100,
                cursor: request.cursor
            )
            return ForeignTasksResponse(
                tasks: page.tasks.map { ForeignTaskJSON($0, withChildren: false) },
                cursor: page.cursor
            )
        },
        VerbEntry("foreignCounts", "How many tasks of Celery are known, by state and name.", isWrite: false) {
            (call, _: ForeignCountsRequest) in
            let counts = try await call.tracker.foreignCounts()
            return ForeignCountsResponse(
                tasks: counts.tasks,
                states: Dictionary(uniqueKeysWithValues: counts.states.map { ($0.key.name, $0.value) }),
                names: counts.names,
                events: counts.events,
                received: counts.received
            )
        },
        VerbEntry("foreignWorkers", "The workers of Celery, the latest heard of first.", isWrite: false) {
            (call, request: ForeignWorkersRequest) in
            ForeignWorkersResponse(
                workers: try await call.tracker.foreignWorkers(limit: request.limit ?? 100).map(ForeignWorkerJSON.init)
            )
        },
        VerbEntry(
            "clearForeign",
            "Forgets tasks of Celery. Those that go on come back with their next event.",
            isWrite: true
        ) { (call, request: ClearForeignRequest) in
            ClearForeignResponse(
                tasks: try await call.tracker.clearForeign(finishedOnly: request.finishedOnly ?? true)
            )
        },
    ]
}

struct IngestRequest: Documented {
    var events: [JSONValue]

    static let docs = [
        "events":
            "Events as Celery's monitors write them: objects with `type`, `timestamp` (seconds), `uuid` of tasks, `hostname` of "
            + "workers, and what else they tell."
    ]
}

struct IngestResponse: Documented, Encodable {
    var applied: Int
    var unchanged: Int
    var evicted: Int

    static let docs = [
        "applied": "Events that changed something.",
        "unchanged": "Events that were known, or older than what is known.",
        "evicted": "Tasks that made room: at most 10,000 are kept.",
    ]
}

struct ForeignTaskRequest: Documented {
    var uuid: TaskID

    static let docs = ["uuid": "The task's id in Celery."]
}

struct ForeignTaskResponse: Documented, Encodable {
    var outcome: FoundWord
    var task: ForeignTaskJSON?

    static let docs = ["outcome": "Whether it is known.", "task": "`found`: what is known of it."]
}

struct ForeignTasksRequest: Documented {
    var state: String?
    var name: String?
    var hostname: String?
    var limit: Int?
    var cursor: String?

    static let docs = [
        "state": "Only those in this state. At most one of `state`, `name` and `hostname` is given.",
        "name": "Only those that run something of this name.", "hostname": "Only those that were last on this worker.",
        "limit": "Tasks in a page, 1 to 500. Default 100.",
        "cursor": "Where the page begins: what the page before answered.",
    ]

    func filter() throws -> ForeignFilter {
        switch (state, name, hostname) {
        case (nil, nil, nil): return .all
        case (let state?, nil, nil): return .state(ForeignState(name: state))
        case (nil, let name?, nil): return .name(name)
        case (nil, nil, let hostname?): return .worker(hostname)
        default:
            throw Problem(
                .invalidArgument,
                "at most one of state, name and hostname is allowed",
                allowed: ["state", "name", "hostname"]
            )
        }
    }
}

struct ForeignTasksResponse: Documented, Encodable {
    var tasks: [ForeignTaskJSON]
    var cursor: String?

    static let docs = ["tasks": "The tasks.", "cursor": "Where the next page begins; absent when this is the last."]
}

struct ForeignCountsRequest: Documented {
    static let docs: [String: String] = [:]
}

struct ForeignCountsResponse: Documented, Encodable {
    var tasks: Int
    var states: [String: Int]
    var names: [String: Int]
    var events: Int
    var received: Int

    static let docs = [
        "tasks": "All.", "states": "By state; only states that are there.", "names": "By name, the first 500 names.",
        "events": "Events that changed something, ever.",
        "received": "Tasks received, ever; one that is received again counts again.",
    ]
}

struct ForeignWorkersRequest: Documented {
    var limit: Int?

    static let docs = ["limit": "The most workers, 1 to 500. Default 100."]
}

struct ForeignWorkersResponse: Documented, Encodable {
    var workers: [ForeignWorkerJSON]

    static let docs = ["workers": "The workers."]
}

struct ClearForeignRequest: Documented {
    var finishedOnly: Bool?

    static let docs = [
        "finishedOnly":
            "Only those in SUCCESS, FAILURE and REVOKED; false forgets all, and the workers and counts of events. Default true."
    ]
}

struct ClearForeignResponse: Documented, Encodable {
    var tasks: Int

    static let docs = ["tasks": "How many are forgotten."]
}
