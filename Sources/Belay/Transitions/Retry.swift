import BelayScripts
package import RedisWire

/// What attempts an operator's retry leaves a task.
public enum RetryBudget: String, Sendable, Hashable, Codable {
    /// All of them: attempts, failures and crashes are counted from 0 again. The history stays.
    case fresh
    /// Those that are left, and one more when none is.
    case kept
}

/// Runs tasks again: an ended or paused one anew, a waiting one now.
package struct Retry: Verb {
    package static let script = RedisScript(.retry)
    package var targets: TaskTargets
    package var budget: RetryBudget
    /// Whether to take running tasks from their holders.
    package var force = false
    package var actor: String
    package var message = ""
    /// Tells a repeated request from a second one.
    package var nonce = Host.nonce()

    package func validate() throws(TrackerError) {
        try targets.validate()
        try Names.checkMessage(message)
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(targets.ids)
        call.append(budget.rawValue)
        call.append(force ? "force" : "")
        call.append(actor)
        call.append(message)
        call.append(nonce)
        call.append(targets.tag)
        call.append(targets.letters)
        call.append(targets.limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> TargetedResponse<RetryOutcome> {
        try targets.decode(reply) { word throws(TrackerError) in
            switch word {
            case "READY": .ready
            case "WAITING": .waiting
            case "RUNNING": .running
            case "BLOCKED": .blocked
            case "GONE": .notFound
            default: throw reply.malformed("unknown answer “\(word)”")
            }
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> TargetedResponse<RetryOutcome> {
        try await targets.spread(over: tracker) { part, targets throws(TrackerError) in
            var verb = self
            verb.targets = targets
            return try await part.perform(verb)
        }
    }
}
