import Belay

/// A pause of a kind, or of the whole tracker.
struct StoredGate: Sendable {
    let since: Timestamp
    let actor: String
    let message: String
}

extension Gate: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) {
        if let kind, state.kinds[kind] == nil { throw .unknownKind(kind.description) }
        guard pause != (state.gates[kind] != nil) else { return }
        state.gates[kind] = pause ? StoredGate(since: state.now, actor: actor, message: message) : nil
        state.note(pause ? .kindPaused : .kindResumed, kind: kind, message)
        state.tick()
        if !pause { for kind in kind.map({ [$0] }) ?? Array(state.kinds.keys) { state.wakeIdle(kind) } }
    }
}

extension InMemoryState {
    /// Those of some kinds that are not paused.
    func open(_ kinds: [KindName]) -> [KindName] {
        gates[nil] == nil ? kinds.filter { gates[$0] == nil } : []
    }
}
