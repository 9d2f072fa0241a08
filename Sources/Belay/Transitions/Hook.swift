import BelayScripts
package import RedisWire

/// Stores or removes a finished hook.
package struct DefineHook: Verb {
    package static let script = RedisScript(.hook)
    package var name: String
    /// Nil to remove it.
    package var rule: HookRule?

    package func validate() throws(TrackerError) {
        try HookRule.check(name: name)
        try rule?.validate()
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(name)
        // A rule that was validated can be written.
        call.append((try? rule?.text()) ?? "")
        if case .enqueue(let task)? = rule?.action { call.append(task.kind.description) } else { call.append("") }
    }

    /// Whether it is done; a hook that is not there cannot be removed.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Bool {
        switch reply.word {
        case "OK": return true
        case "GONE": return false
        case "FULL": throw .fullOfHooks()
        case "UNKNOWN_KIND": throw .unknownKind(try reply.string(2))
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Bool {
        try await tracker.first(self)
    }
}

extension TrackerError {
    package static func fullOfHooks() -> TrackerError {
        TrackerError(.full, "the tracker has \(Limits.hooks) hooks, which is the limit; remove one that is not needed")
    }
}
