import BelayScripts
package import RedisWire

/// Deletes tasks with everything kept of them.
package struct Delete: Verb {
    package static let script = RedisScript(.delete)
    package var targets: TaskTargets
    package var force: Bool

    package func validate() throws(TrackerError) { try targets.validate() }

    package func encode(into call: inout ScriptCall) {
        call.keys(targets.ids)
        call.append(force ? "force" : "")
        call.append(targets.tag)
        call.append(targets.letters)
        call.append(targets.limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> TargetedResponse<DeleteOutcome> {
        try targets.decode(reply) { word throws(TrackerError) in
            switch word {
            case "DELETED": .deleted
            case "RUNNING": .running
            case "GONE": .notFound
            default: throw reply.malformed("unknown answer “\(word)”")
            }
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> TargetedResponse<DeleteOutcome>
    {
        try await targets.spread(over: tracker) { part, targets throws(TrackerError) in
            var verb = self
            verb.targets = targets
            return try await part.perform(verb)
        }
    }
}
