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
    package var ids: [TaskID]
    package var budget: RetryBudget
    /// Whether to take running tasks from their holders.
    package var force = false
    package var actor: String
    package var message = ""
    /// Tells a repeated request from a second one.
    package var nonce = Host.nonce()

    package func validate() throws(TrackerError) {
        try HolderBatch.check(ids.count)
        try Names.checkMessage(message)
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(ids)
        call.append(budget.rawValue)
        call.append(force ? "force" : "")
        call.append(actor)
        call.append(message)
        call.append(nonce)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [RetryOutcome] {
        try reply.requireOK()
        var outcomes: [RetryOutcome] = []
        for answer in try reply.list(2) {
            switch try reply.text(answer) {
            case "READY": outcomes.append(.ready)
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
