import Belay

extension VerbTable {
    static let holding = [
        VerbEntry(
            "renew",
            "Extends locks (1 to 500) by a lease from now. A lock that ran out is not extended.",
            isWrite: true
        ) { (call, request: RenewRequest) in
            let outcomes = try await call.tracker.renew(request.handles, for: request.lease.duration)
            return RenewResponse(tasks: zip(request.handles, outcomes).map { RenewedJSON($0, $1) })
        },
        VerbEntry("progress", "Says how far a held task is.", isWrite: true) { (call, request: ProgressRequest) in
            WriteResponse(
                outcome: try await call.tracker.progress(
                    request.handle,
                    request.fraction,
                    message: request.message ?? ""
                )
            )
        },
        VerbEntry(
            "save",
            "Keeps data with a held task for whoever holds it next.",
            isWrite: true,
            errors: [.tooLarge]
        ) { (call, request: SaveRequest) in
            WriteResponse(outcome: try await call.tracker.save(request.handle, data: try request.data.body("data")))
        },
        VerbEntry(
            "respond",
            "Writes a held task's result so far; replaces bytes and content type.",
            isWrite: true,
            errors: [.tooLarge]
        ) { (call, request: RespondRequest) in
            WriteResponse(
                outcome: try await call.tracker.respond(request.handle, try request.response.body("response"))
            )
        },
        VerbEntry("log", "Adds a line to a held task's log.", isWrite: true) { (call, request: LogRequest) in
            WriteResponse(outcome: try await call.tracker.log(request.handle, request.message))
        },
        VerbEntry(
            "complete",
            "Ends held tasks (1 to 500) with success. Accepted also after the lease ran out, as long as nobody took over.",
            isWrite: true,
            errors: [.tooLarge]
        ) { (call, request: CompleteRequest) in
            var items: [(handle: ClaimHandle, result: Body)] = []
            for (place, item) in request.tasks.enumerated() {
                items.append((item.handle, try item.result.body("tasks[\(place)].result")))
            }
            let outcomes = try await call.tracker.complete(items)
            return CompleteResponse(tasks: zip(items, outcomes).map { CompletedJSON(id: $0.handle.id, outcome: $1) })
        },
        VerbEntry(
            "fail",
            "Ends held tasks' attempts (1 to 500) with errors; each runs again as its kind's policy says.",
            isWrite: true
        ) { (call, request: FailRequest) in
            let items = try request.tasks.enumerated().map { try $1.item("tasks[\($0)]") }
            let outcomes = try await call.tracker.fail(items)
            return HandBackResponse(tasks: zip(items, outcomes).map { HandedBackJSON($0.handle.id, $1) })
        },
        VerbEntry(
            "release",
            "Hands held tasks (1 to 500) back without spending their attempts.",
            isWrite: true
        ) { (call, request: ReleaseRequest) in
            let outcomes = try await call.tracker.release(request.handles, delay: request.delay?.duration)
            return HandBackResponse(tasks: zip(request.handles, outcomes).map { HandedBackJSON($0.id, $1) })
        },
        VerbEntry(
            "snooze",
            "Puts held tasks (1 to 500) off without spending their attempts.",
            isWrite: true
        ) { (call, request: SnoozeRequest) in
            let outcomes = try await call.tracker.snooze(request.handles, for: request.delay.duration)
            return HandBackResponse(tasks: zip(request.handles, outcomes).map { HandedBackJSON($0.id, $1) })
        },
    ]
}

struct RenewRequest: Documented {
    var handles: [ClaimHandle]
    var lease: Seconds

    static let docs = ["handles": "What proves the claims.", "lease": "How long the locks hold from now."]
}

struct RenewResponse: Documented, Encodable {
    var tasks: [RenewedJSON]

    static let docs = ["tasks": "What became of each lock, in their order."]
}

struct RenewedJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome
    var at: Timestamp?
    var signal: Int?

    enum Outcome: String, Words, Encodable, CaseIterable {
        case renewed, ending, cancelRequested, terminateRequested, stale, gone
    }

    static let docs = [
        "id": "The task.",
        "outcome":
            "`ending`: no renewal holds longer than the attempt's timeout. `cancelRequested`: renewed, but stop. "
            + "`terminateRequested`: the same, and a program is to get a signal. `stale`: the lock is lost. `gone`: the task is.",
        "at": "`ending`: when the attempt ends.", "signal": "`terminateRequested`: the signal, 1 to 64.",
    ]

    init(_ handle: ClaimHandle, _ outcome: RenewOutcome) {
        id = handle.id
        switch outcome {
        case .renewed: self.outcome = .renewed
        case .ending(let at): (self.outcome, self.at) = (.ending, at)
        case .cancelRequested: self.outcome = .cancelRequested
        case .terminateRequested(let number): (self.outcome, signal) = (.terminateRequested, number)
        case .stale: self.outcome = .stale
        case .gone: self.outcome = .gone
        }
    }
}

extension WriteOutcome: Words {
    static var words: [String] { [Self.accepted, .stale, .gone].map(\.rawValue) }
}

struct WriteResponse: Documented, Encodable {
    var outcome: WriteOutcome

    static let docs = ["outcome": "`stale`: the lock is lost, nothing changed. `gone`: the task is."]
}

struct ProgressRequest: Documented {
    var handle: ClaimHandle
    var fraction: Double?
    var message: String?

    static let docs = [
        "handle": "What proves the claim.", "fraction": "0 to 1, kept to a thousandth; absent when unknown.",
        "message": "At most 64 bytes.",
    ]
}

struct SaveRequest: Documented {
    var handle: ClaimHandle
    var data: NewBodyJSON

    static let docs = ["handle": "What proves the claim.", "data": "The data; replaces what was saved before."]
}

struct RespondRequest: Documented {
    var handle: ClaimHandle
    var response: NewBodyJSON

    static let docs = ["handle": "What proves the claim.", "response": "The result so far."]
}

struct LogRequest: Documented {
    var handle: ClaimHandle
    var message: String

    static let docs = ["handle": "What proves the claim.", "message": "The line, at most 1,024 bytes."]
}

struct CompleteRequest: Documented {
    var tasks: [ItemJSON]

    struct ItemJSON: Documented {
        var handle: ClaimHandle
        var result: NewBodyJSON?

        static let typeName = "CompleteItem"
        static let docs = ["handle": "What proves the claim.", "result": "What the task made."]
    }

    static let docs = ["tasks": "The tasks with their results."]
}

struct CompleteResponse: Documented, Encodable {
    var tasks: [CompletedJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct CompletedJSON: Documented, Encodable {
    var id: TaskID
    var outcome: WriteOutcome

    static let docs = [
        "id": "The task.", "outcome": "`stale`: the lock is lost, nothing changed. `gone`: the task is.",
    ]
}

struct FailRequest: Documented {
    var tasks: [ItemJSON]

    struct ItemJSON: Documented {
        var handle: ClaimHandle
        var failure: FailureJSON
        var then: Then?
        var after: Seconds?

        enum Then: String, Words, CaseIterable { case retry, exhaust, cancelled }

        static let typeName = "FailItem"
        static let docs = [
            "handle": "What proves the claim.", "failure": "What went wrong.",
            "then": "`retry`: as its kind's policy says. `exhaust`: trying again is of no use. "
                + "`cancelled`: it was cancelled, and its holder has stopped. Default `retry`.",
            "after": "`retry`: so much later, instead of the policy's delay.",
        ]

        func item(_ field: String) throws -> (
            handle: ClaimHandle, failure: TaskFailure, disposition: FailureDisposition
        ) {
            let disposition: FailureDisposition
            switch then ?? .retry {
            case .retry: disposition = .retry(after: after?.duration)
            case .exhaust: disposition = .exhaust
            case .cancelled: disposition = .cancelled
            }
            guard after == nil || (then ?? .retry) == .retry else {
                throw Problem(.invalidArgument, "\(field).after goes with then = retry only", field: "\(field).after")
            }
            return (handle, try failure.failure(), disposition)
        }
    }

    static let docs = ["tasks": "The tasks with their errors."]
}

struct ReleaseRequest: Documented {
    var handles: [ClaimHandle]
    var delay: Seconds?

    static let docs = [
        "handles": "What proves the claims.",
        "delay": "Run again after so long; without it each task keeps its place in the line.",
    ]
}

struct SnoozeRequest: Documented {
    var handles: [ClaimHandle]
    var delay: Seconds

    static let docs = ["handles": "What proves the claims.", "delay": "How long, up to 3,650 days."]
}

struct HandBackResponse: Documented, Encodable {
    var tasks: [HandedBackJSON]

    static let docs = ["tasks": "What became of each, in their order."]
}

struct HandedBackJSON: Documented, Encodable {
    var id: TaskID
    var outcome: Outcome
    var due: Timestamp?

    enum Outcome: String, Words, Encodable, CaseIterable { case ready, exhausted, ignored, cancelled, stale, gone }

    static let docs = [
        "id": "The task.",
        "outcome": "Where it stands. `stale`: refused, the lock is lost. `gone`: refused, the task is.",
        "due": "`ready`: when it runs again.",
    ]

    init(_ id: TaskID, _ outcome: HandBackOutcome) {
        self.id = id
        switch outcome {
        case .ready(let due): (self.outcome, self.due) = (.ready, due)
        case .exhausted: self.outcome = .exhausted
        case .ignored: self.outcome = .ignored
        case .cancelled: self.outcome = .cancelled
        case .stale: self.outcome = .stale
        case .gone: self.outcome = .gone
        }
    }
}
