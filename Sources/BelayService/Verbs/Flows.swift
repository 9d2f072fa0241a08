import Belay

extension VerbTable {
    static let flows = [
        VerbEntry(
            "counts",
            "How many tasks of each of these tags (1 to 100) are in each state.",
            isWrite: false
        ) { (call, request: CountsRequest) in
            CountsResponse(tags: try await call.tracker.counts(ofTags: request.tags).map(TagCountsJSON.init))
        },
        VerbEntry(
            "parents",
            "What a task waits or waited for, in the order given, with what its parents made.",
            isWrite: false
        ) { (call, request: TaskRequest) in
            let parents = try await call.tracker.parents(of: request.task.id)
            return ParentsResponse(
                outcome: parents == nil ? .notFound : .found,
                parents: parents?.map(ParentJSON.init)
            )
        },
        VerbEntry(
            "cancelTag",
            "Ends all tasks of a tag that have not ended. Running ones are asked to stop.",
            isWrite: true
        ) { (call, request: CancelTagRequest) in
            let change = try await call.tracker.cancel(
                tag: request.tag,
                reason: request.reason ?? "",
                signal: request.signal
            )
            return CancelTagResponse(changed: change.changed, requested: change.requested)
        },
        VerbEntry(
            "retryTag",
            "Runs the tasks of a tag again that ended. Those whose parents are run again, or have not ended, wait for them.",
            isWrite: true
        ) { (call, request: RetryTagRequest) in
            let change = try await call.tracker.retry(
                tag: request.tag,
                states: request.states ?? [.exhausted, .cancelled, .ignored],
                budget: request.budget ?? .fresh,
                message: request.message ?? ""
            )
            return TagChangeResponse(changed: change.changed)
        },
        VerbEntry(
            "recover",
            "Takes the running tasks of a tag from their holders and makes them ready, without waiting for the leases.",
            isWrite: true
        ) { (call, request: RecoverRequest) in
            let change = try await call.tracker.recover(tag: request.tag, message: request.message ?? "")
            return TagChangeResponse(changed: change.changed)
        },
        VerbEntry(
            "clean",
            "Deletes all tasks of a tag that have not ended, running ones too; what has ended stays.",
            isWrite: true
        ) { (call, request: CleanRequest) in
            TagChangeResponse(changed: try await call.tracker.clean(tag: request.tag).changed)
        },
    ]
}

struct CountsRequest: Documented {
    var tags: [TaskTag]

    static let docs = ["tags": "The tags."]
}

struct CountsResponse: Documented, Encodable {
    var tags: [TagCountsJSON]

    static let docs = ["tags": "The counts of each, in their order."]
}

struct ParentsResponse: Documented, Encodable {
    var outcome: FoundWord
    var parents: [ParentJSON]?

    static let docs = ["outcome": "Whether there is such a task.", "parents": "`found`: its parents."]
}

struct CancelTagRequest: Documented {
    var tag: TaskTag
    var reason: String?
    var signal: Int?

    static let docs = [
        "tag": "The tag.", "reason": "Kept with the tasks, at most 64 bytes.",
        "signal": "The signal that running programs are to get, 1 to 64. Default: what their workers use.",
    ]
}

struct CancelTagResponse: Documented, Encodable {
    var changed: Int
    var requested: Int

    static let docs = [
        "changed": "So many are cancelled now.", "requested": "So many run, and their holders were asked to stop.",
    ]
}

struct RetryTagRequest: Documented {
    var tag: TaskTag
    var states: [TaskState]?
    var budget: RetryBudget?
    var message: String?

    static let docs = [
        "tag": "The tag.",
        "states": "Ended states: succeeded, exhausted, cancelled, ignored. Default: all but succeeded.",
        "budget": "As of `retry`. Default `fresh`.", "message": "Kept in the tasks' logs.",
    ]
}

struct RecoverRequest: Documented {
    var tag: TaskTag
    var message: String?

    static let docs = ["tag": "The tag.", "message": "Kept in the tasks' logs."]
}

struct CleanRequest: Documented {
    var tag: TaskTag

    static let docs = ["tag": "The tag."]
}

struct TagChangeResponse: Documented, Encodable {
    var changed: Int

    static let docs = ["changed": "How many tasks it was."]
}
