import BelayScripts
package import RedisWire

/// Ends tasks on request.
package struct Cancel: Verb {
    package static let script = RedisScript(.cancel)
    package var targets: TaskTargets
    package var reason: String
    /// The signal that a running program is to get; nil for what its worker uses.
    package var signal: Int?
    package var actor: String

    package func validate() throws(TrackerError) {
        try targets.validate()
        try Names.checkNote("reason", reason)
        if let signal, !Limits.signals.contains(signal) {
            throw .invalid("signal", signal, allowed: "1 to 64, for example 15 (SIGTERM) or 9 (SIGKILL)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(targets.ids)
        call.append(reason)
        call.append(actor)
        if let signal { call.append(signal) } else { call.append("") }
        call.append(targets.tag)
        call.append(targets.limit)
        call.append(targets.passed)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> TargetedResponse<CancelOutcome> {
        var response = try targets.decode(reply) { word throws(TrackerError) -> CancelOutcome in
            switch word {
            case "CANCELLED": .cancelled
            case "REQUESTED": .requested
            case "GONE": .notFound
            default: .ended(try reply.state(word))
            }
        }
        response.news = try reply.int(4)
        return response
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> TargetedResponse<CancelOutcome>
    {
        // How many held tasks of a tag were seen is counted in each partition, so one call goes through all of them.
        try await targets.spread(over: tracker) { part, targets throws(TrackerError) in
            var verb = self
            verb.targets = targets
            guard case .tag(let tag, let states, let limit, _) = targets else { return try await part.perform(verb) }
            var whole = TargetedResponse<CancelOutcome>(outcomes: [], more: true)
            while whole.more {
                let passed = whole.outcomes.count { $0 == .requested }
                verb.targets = .tag(tag, states, limit: limit, passed: passed)
                let step = try await part.perform(verb)
                whole.outcomes += step.outcomes
                whole.news += step.news
                whole.more = step.more
            }
            return whole
        }
    }
}

/// Which tasks an operator's call works on.
package enum TaskTargets: Sendable {
    /// These, 1 to 500.
    case tasks([TaskID])
    /// Those of a tag in some states, at most so many in one call; so many of its held tasks were seen by calls before.
    case tag(TaskTag, [TaskState], limit: Int = Limits.step, passed: Int = 0)

    package var ids: [TaskID] { if case .tasks(let ids) = self { ids } else { [] } }
    var tag: String { if case .tag(let tag, _, _, _) = self { tag.description } else { "" } }
    var letters: String { if case .tag(_, let states, _, _) = self { states.map(\.letters).joined() } else { "" } }
    package var limit: Int { if case .tag(_, _, let limit, _) = self { limit } else { Limits.batch } }
    package var passed: Int { if case .tag(_, _, _, let passed) = self { passed } else { 0 } }

    func validate() throws(TrackerError) {
        switch self {
        case .tasks(let ids): try HolderBatch.check(ids.count)
        case .tag(_, let states, let limit, _):
            try HolderBatch.check(limit)
            guard !states.isEmpty else { throw .invalid("states", "none", allowed: "at least one state") }
        }
    }

    /// Each task in its partition; those of a tag in every one.
    func spread<Outcome: Sendable>(
        over tracker: PartitionedBackend,
        _ call:
            @escaping @Sendable (any TrackerBackend, TaskTargets) async throws(TrackerError) ->
            TargetedResponse<Outcome>
    ) async throws(TrackerError) -> TargetedResponse<Outcome> {
        switch self {
        case .tasks(let ids):
            let outcomes = try await tracker.split(ids, by: { $0 }) { part, some throws(TrackerError) in
                try await call(part, .tasks(some)).outcomes
            }
            return TargetedResponse(outcomes: outcomes, more: false)
        case .tag:
            let answers = try await tracker.each(tracker.parts.indices) { _, part throws(TrackerError) in
                try await call(part, self)
            }
            return TargetedResponse(
                outcomes: answers.flatMap(\.outcomes),
                more: answers.contains(where: \.more),
                news: answers.reduce(0) { $0 + $1.news }
            )
        }
    }

    /// `OK now [word ...] more`
    func decode<Outcome>(
        _ reply: ScriptReply,
        _ outcome: (String) throws(TrackerError) -> Outcome
    ) throws(TrackerError) -> TargetedResponse<Outcome> {
        try reply.requireOK()
        var outcomes: [Outcome] = []
        for answer in try reply.list(2) { outcomes.append(try outcome(try reply.text(answer))) }
        if case .tasks(let ids) = self, outcomes.count != ids.count {
            throw reply.malformed("\(outcomes.count) answers for \(ids.count) tasks")
        }
        return TargetedResponse(outcomes: outcomes, more: try reply.int(3) != 0)
    }
}

/// What a call did with the tasks that it was to work on, in their order.
package struct TargetedResponse<Outcome: Sendable>: Sendable {
    package var outcomes: [Outcome]
    /// Whether more tasks of the tag may follow.
    package var more: Bool
    /// How many holders were asked to stop that had not been asked before.
    package var news = 0

    package init(outcomes: [Outcome], more: Bool, news: Int = 0) {
        self.outcomes = outcomes
        self.more = more
        self.news = news
    }
}
