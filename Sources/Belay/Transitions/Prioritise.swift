import BelayScripts
package import RedisWire

/// Gives tasks another priority.
package struct Prioritise: Verb {
    package static let script = RedisScript(.prioritise)
    package var ids: [TaskID]
    package var priority: Int
    package var actor: String

    package func validate() throws(TrackerError) {
        try HolderBatch.check(ids.count)
        guard Limits.priorities.contains(priority) else {
            throw .invalid("priority", priority, allowed: "0 to 9, 9 is claimed first")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(ids)
        call.append(priority)
        call.append(actor)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [PrioritiseOutcome] {
        try reply.requireOK()
        var outcomes: [PrioritiseOutcome] = []
        for answer in try reply.list(2) {
            switch try reply.text(answer) {
            case "OK": outcomes.append(.done)
            case "GONE": outcomes.append(.notFound)
            case let letter: outcomes.append(.ended(try reply.state(letter)))
            }
        }
        guard outcomes.count == ids.count else {
            throw reply.malformed("\(outcomes.count) answers for \(ids.count) tasks")
        }
        return outcomes
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [PrioritiseOutcome] {
        try await tracker.split(ids, by: { $0 }) { part, some throws(TrackerError) in
            try await part.perform(Prioritise(ids: some, priority: priority, actor: actor))
        }
    }
}
