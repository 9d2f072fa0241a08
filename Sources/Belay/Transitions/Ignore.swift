import BelayScripts
package import RedisWire

/// Sets tasks aside.
package struct Ignore: Verb {
    package static let script = RedisScript(.ignore)
    package var targets: ShiftTargets
    package var actor: String
    package var message: String

    package init(ids: [TaskID], actor: String, message: String) {
        targets = .tasks(ids)
        self.actor = actor
        self.message = message
    }

    package func validate() throws(TrackerError) { try targets.validate(message) }
    package func encode(into call: inout ScriptCall) { targets.encode(into: &call, actor: actor, message: message) }
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [TransitionOutcome] {
        try targets.decode(reply, allowed: Self.allowed)
    }

    /// The states from which a task may be set aside. One that its holder paused is its holder's.
    package static let allowed: [TaskState] = [.ready, .blocked, .paused, .exhausted, .cancelled, .ignored]

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TransitionOutcome] {
        try await targets.spread(over: tracker) { Ignore(ids: $0.ids, actor: actor, message: message) }
    }
}
