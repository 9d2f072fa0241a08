import BelayScripts
package import RedisWire

/// Ends pauses.
package struct Resume: Verb {
    package static let script = RedisScript(.resume)
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

    /// The states from which a resumption is legal; one that runs or waits already is told so.
    package var allowed: [TaskState] {
        if case .held = targets { [.paused, .running] } else { [.paused, .ready, .running] }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TransitionOutcome] {
        try await targets.spread(over: tracker) { Resume($0, actor: actor, message: message) }
    }
}
