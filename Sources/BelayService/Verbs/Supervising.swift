import Belay

extension VerbTable {
    static let supervising = [
        VerbEntry(
            "pauseKind",
            "Pauses a kind, or the whole tracker: its tasks are not claimed, running ones go on, new ones wait. A claim of a "
                + "named task passes.",
            isWrite: true,
            errors: [.unknownKind]
        ) { (call, request: GateRequest) in
            try await call.tracker.pauseKind(request.kind, message: request.message ?? "")
            return GateResponse(kind: request.kind, outcome: .paused)
        },
        VerbEntry(
            "resumeKind",
            "Ends the pause of a kind, or of the whole tracker, which is apart from those of its kinds.",
            isWrite: true,
            errors: [.unknownKind]
        ) { (call, request: GateRequest) in
            try await call.tracker.resumeKind(request.kind, message: request.message ?? "")
            return GateResponse(kind: request.kind, outcome: .resumed)
        },
        VerbEntry(
            "beat",
            "Says that a worker lives, what it takes and how it fares. It counts as alive for two intervals.",
            isWrite: true
        ) { (call, request: BeatRequest) in
            let worker = request.worker ?? call.tracker.workerName
            try await call.tracker.beat(
                request.event ?? .heartbeat,
                as: worker,
                kinds: request.kinds,
                slots: request.slots ?? 1,
                active: request.active ?? 0,
                succeeded: request.succeeded ?? 0,
                failed: request.failed ?? 0,
                interval: request.interval?.duration ?? .seconds(10),
                software: request.software ?? "unknown",
                clock: request.clock
            )
            return BeatResponse(worker: worker)
        },
        VerbEntry("workers", "Who works, the latest seen first.", isWrite: false) { (call, request: WorkersRequest) in
            WorkersResponse(
                workers: try await call.tracker.workers(limit: request.limit ?? 100).map(WorkerJSON.init)
            )
        },
        VerbEntry("explain", "Why a task does not run, or did not, with numbers.", isWrite: false) {
            (call, request: TaskRequest) in
            let explanation = try await call.tracker.explain(request.task.id)
            return ExplainResponse(
                outcome: explanation == nil ? .notFound : .found,
                state: explanation?.state,
                kind: explanation?.kind,
                now: explanation?.now,
                reasons: explanation?.reasons.map(ReasonJSON.init)
            )
        },
        VerbEntry(
            "events",
            "A page of what happened, oldest first. Over HTTP `GET` at this address streams it, see above.",
            isWrite: false
        ) { (call, request: EventsRequest) in
            let page = try await call.tracker.events(
                from: request.from?.start ?? .oldest,
                limit: request.limit ?? Limits.batch
            )
            // After a loss nothing stands at the old position, so nobody can go on there.
            let isGone = page.isLost && page.events.isEmpty
            return EventsResponse(
                events: page.events.map(EventJSON.init),
                isLost: page.isLost,
                position: isGone ? nil : page.position,
                now: page.now
            )
        },
    ]
}

struct GateRequest: Documented {
    var kind: KindName?
    var message: String?

    static let docs = [
        "kind": "The kind; absent for the whole tracker.",
        "message": "Why, for `explain` and the event; at most 64 bytes.",
    ]
}

struct GateResponse: Documented, Encodable {
    var kind: KindName?
    var outcome: Outcome

    enum Outcome: String, Words, Encodable, CaseIterable { case paused, resumed }

    static let docs = ["kind": "The kind; absent for the whole tracker.", "outcome": "What it is now."]
}

struct BeatRequest: Documented {
    var event: BeatEvent?
    var worker: WorkerName?
    var kinds: [KindName]
    var slots: Int?
    var active: Int?
    var succeeded: Int?
    var failed: Int?
    var interval: Seconds?
    var software: String?
    var clock: Timestamp?

    static let docs = [
        "event": "Whether it begins, works on or leaves; `drained`: leaves because too much of what it ran failed. "
            + "Default `heartbeat`.",
        "worker": "Its name; the service's own unless said otherwise.", "kinds": "The kinds that it takes, 1 to 100.",
        "slots": "How many tasks it runs at once. Default 1.", "active": "How many it runs now. Default 0.",
        "succeeded": "How many it ended well since it began. Default 0.",
        "failed": "How many it ended otherwise. Default 0.",
        "interval": "When its next beat comes, 1 s to 1 h. Default 10 s.",
        "software": "What it is, such as `mailer/2.1`: 1 to 64 printable ASCII characters without spaces. "
            + "Default `unknown`.",
        "clock": "What its own clock shows, to tell how far that is off.",
    ]
}

struct BeatResponse: Documented, Encodable {
    var worker: WorkerName
    var outcome = Outcome.accepted

    enum Outcome: String, Words, Encodable, CaseIterable { case accepted }

    static let docs = ["worker": "Whose beat it was.", "outcome": "It is known."]

    init(worker: WorkerName) { self.worker = worker }
}

struct WorkersRequest: Documented {
    var limit: Int?

    static let docs = ["limit": "The most workers, 1 to 500. Default 100."]
}

struct WorkersResponse: Documented, Encodable {
    var workers: [WorkerJSON]

    static let docs = ["workers": "The workers that were seen within the last day."]
}

struct ExplainResponse: Documented, Encodable {
    var outcome: FoundWord
    var state: TaskState?
    var kind: KindName?
    var now: Timestamp?
    var reasons: [ReasonJSON]?

    static let docs = [
        "outcome": "Whether there is such a task.", "state": "`found`: where it stands.", "kind": "`found`: its kind.",
        "now": "`found`: the moment of the answer.", "reasons": "`found`: the reasons; begin with the first.",
    ]
}

struct EventsRequest: Documented {
    var from: EventFrom?
    var limit: Int?

    static let docs = [
        "from":
            "After that position; with the `oldest` event that is kept, or only to learn where the `newest` stands. "
            + "Default `oldest`.",
        "limit": "The most entries, 2 to 500. One entry tells of all tasks that one call moved. Default 500.",
    ]
}

struct EventsResponse: Documented, Encodable {
    var events: [EventJSON]
    var isLost: Bool
    var position: TrackerEvent.Position?
    var now: Timestamp

    static let docs = [
        "events": "The events.",
        "isLost": "Whether events after the position asked for are not kept any more; about the last 10,000 calls are.",
        "position": "Where to go on; absent when there is nothing to go on from: begin with `oldest`.",
        "now": "The moment of the answer.",
    ]
}
