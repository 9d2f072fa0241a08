import BelayScripts
package import RedisWire

/// Ends tasks on request.
package struct Cancel: Verb {
    package static let script = RedisScript(.cancel)
    package var ids: [TaskID]
    package var reason: String
    package var actor: String

    package func validate() throws(TrackerError) {
        try HolderBatch.check(ids.count)
        try Names.checkNote("reason", reason)
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(ids)
        call.append(reason)
        call.append(actor)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [CancelOutcome] {
        try reply.requireOK()
        var outcomes: [CancelOutcome] = []
        for answer in try reply.list(2) {
            switch try reply.text(answer) {
            case "CANCELLED": outcomes.append(.cancelled)
            case "REQUESTED": outcomes.append(.requested)
            case "GONE": outcomes.append(.notFound)
            case let letter: outcomes.append(.ended(try reply.state(letter)))
            }
        }
        guard outcomes.count == ids.count else {
            throw reply.malformed("\(outcomes.count) answers for \(ids.count) tasks")
        }
        return outcomes
    }
}
