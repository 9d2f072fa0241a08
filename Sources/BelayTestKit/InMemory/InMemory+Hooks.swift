import Belay

extension DefineHook: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> Bool {
        let stored = state.hooks[name]
        guard let rule else {
            guard stored != nil else { return false }
            state.hooks[name] = nil
            state.tick()
            return true
        }
        if case .enqueue(let task) = rule.action, state.kinds[task.kind] == nil {
            throw .unknownKind(task.kind.description)
        }
        guard stored != nil || state.hooks.count < Limits.hooks else { throw .fullOfHooks() }
        let text = try rule.text()
        if let stored, try stored.rule.text() == text { return true }
        // What comes back is what was written, as if it had been read from the server.
        let kept = try HookRule(name: name, text: Array(text.utf8))
        state.hooks[name] = DefinedHook(rule: kept, since: stored?.since ?? state.now)
        state.tick()
        return true
    }
}

extension Advance: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> Response {
        let stored = state.cursors[consumer]
        if stored == to { return .kept }
        guard stored == from else { return .stale(stored) }
        state.cursors[consumer] = to
        state.tick()
        return .kept
    }
}

extension Hooks: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> HookList {
        let found = state.hooks.values.filter { name == nil || $0.rule.name == name }
        return HookList(
            hooks: found.sorted { $0.rule.name.utf8.lexicographicallyPrecedes($1.rule.name.utf8) },
            position: state.cursors[consumer],
            now: state.now
        )
    }
}
