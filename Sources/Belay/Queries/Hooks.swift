import BelayScripts
package import RedisWire

/// The finished hooks, and how far a consumer has read the events.
package struct Hooks: Verb {
    package static let script = RedisScript(.hooks)
    /// Nil for all.
    package var name: String?
    package var consumer: String

    package func validate() throws(TrackerError) { if let name { try HookRule.check(name: name) } }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(name ?? "")
        call.append(consumer)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> HookList {
        try reply.requireOK()
        var hooks: [DefinedHook] = []
        for item in try reply.list(3) {
            let parts = try reply.items(item)
            guard parts.count == 3, let since = reply.optionalMoment(parts[1]) else {
                throw reply.malformed("a hook of \(parts.count) parts")
            }
            let rule = try HookRule(name: reply.text(parts[0]), text: reply.bytes(parts[2]))
            hooks.append(DefinedHook(rule: rule, since: since))
        }
        return HookList(hooks: hooks, position: try reply.position(2), now: try reply.moment())
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> HookList {
        try await tracker.first(self)
    }
}
