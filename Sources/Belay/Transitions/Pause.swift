import BelayScripts
package import RedisWire

/// Keeps tasks from running: an operator waiting ones, a holder its own.
package struct Pause: Verb {
    package static let script = RedisScript(.pause)
    package var targets: ShiftTargets
    package var actor: String
    package var message: String

    package init(_ targets: ShiftTargets, actor: String, message: String) {
        self.targets = targets
        self.actor = actor
        self.message = message
    }

    package func validate() throws(TrackerError) { try targets.validate(message) }
    package func encode(into call: inout ScriptCall) { targets.encode(into: &call, actor: actor, message: message) }
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [TransitionOutcome] {
        try targets.decode(reply, allowed: allowed)
    }

    /// The states from which a pause is legal.
    package var allowed: [TaskState] { if case .held = targets { [.running, .paused] } else { [.ready, .paused] } }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TransitionOutcome] {
        try await targets.spread(over: tracker) { Pause($0, actor: actor, message: message) }
    }
}

/// Whose tasks change their state.
package enum ShiftTargets: Sendable {
    /// An operator asks.
    case tasks([TaskID])
    /// The holder asks.
    case held(ClaimHandle)

    package var ids: [TaskID] {
        switch self {
        case .tasks(let ids): ids
        case .held(let handle): [handle.id]
        }
    }

    func validate(_ message: String) throws(TrackerError) {
        try HolderBatch.check(ids.count)
        try Names.checkMessage(message)
    }

    func encode(into call: inout ScriptCall, actor: String, message: String) {
        call.keys(ids)
        switch self {
        case .tasks(let ids):
            for _ in ids {
                call.append("")
                call.append("")
            }
        case .held(let handle): call.append(handle)
        }
        call.append(actor)
        call.append(message)
    }

    /// Each task in its partition.
    func spread<V: Verb>(
        over tracker: PartitionedBackend,
        _ verb: @escaping @Sendable (ShiftTargets) -> V
    ) async throws(TrackerError) -> [TransitionOutcome] where V.Response == [TransitionOutcome] {
        switch self {
        case .held(let handle): return try await tracker.one(verb(self), of: handle.id)
        case .tasks(let ids):
            return try await tracker.split(ids, by: { $0 }) { part, some throws(TrackerError) in
                try await part.perform(verb(.tasks(some)))
            }
        }
    }

    /// `[[OK state] | [ILLEGAL state] | [STALE] | [GONE] ...]`
    func decode(_ reply: ScriptReply, allowed: [TaskState]) throws(TrackerError) -> [TransitionOutcome] {
        try reply.requireOK()
        var outcomes: [TransitionOutcome] = []
        for answer in try reply.list(2) {
            let parts = try reply.items(answer)
            switch parts.first?.string {
            case "OK" where parts.count == 2: outcomes.append(.done(try reply.state(reply.text(parts[1]))))
            case "ILLEGAL" where parts.count == 2:
                let found = try reply.state(reply.text(parts[1]))
                outcomes.append(.refused(IllegalTransition(found: found, allowed: allowed)))
            case "STALE": outcomes.append(.stale)
            case "GONE": outcomes.append(.notFound)
            default: throw reply.malformed("\(answer) is not an outcome")
            }
        }
        guard outcomes.count == ids.count else {
            throw reply.malformed("\(outcomes.count) answers for \(ids.count) tasks")
        }
        return outcomes
    }
}
