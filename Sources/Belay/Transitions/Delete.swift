import BelayScripts
package import RedisWire

/// Deletes tasks with everything kept of them.
package struct Delete: Verb {
    package static let script = RedisScript(.delete)
    package var ids: [TaskID]
    package var force: Bool

    package func validate() throws(TrackerError) { try HolderBatch.check(ids.count) }

    package func encode(into call: inout ScriptCall) {
        call.keys(ids)
        call.append(force ? "force" : "")
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [DeleteOutcome] {
        try reply.requireOK()
        var outcomes: [DeleteOutcome] = []
        for answer in try reply.list(2) {
            switch try reply.text(answer) {
            case "DELETED": outcomes.append(.deleted)
            case "RUNNING": outcomes.append(.running)
            case "GONE": outcomes.append(.notFound)
            case let word: throw reply.malformed("unknown answer “\(word)”")
            }
        }
        guard outcomes.count == ids.count else {
            throw reply.malformed("\(outcomes.count) answers for \(ids.count) tasks")
        }
        return outcomes
    }
}
