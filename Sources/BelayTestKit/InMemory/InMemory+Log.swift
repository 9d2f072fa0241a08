import Belay

extension Save: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> WriteOutcome {
        guard let task = state.tasks[handle.id] else { return .gone }
        guard task.isHeld, task.isLatest(handle) else { return .stale }
        try Enqueue.check(body, limit: state.payloadLimit, what: what)
        let kept = body.bytes.isEmpty ? nil : body
        let field: WritableKeyPath<TaskRecord, Body?> = place == .data ? \.data : \.result
        if task.record[keyPath: field] == kept { return .accepted }
        state.change(handle.id) { $0.record[keyPath: field] = kept }
        state.note(.saved, task, place == .data ? "v" : "r", by: task.record.worker)
        state.tick()
        return .accepted
    }
}

extension Log: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> WriteOutcome {
        guard let task = state.tasks[id] else { return .gone }
        if let handle, !task.isHeld || !task.isLatest(handle) { return .stale }
        if task.wasLogged(nonce) { return .accepted }
        let author = handle == nil ? actor : task.record.worker ?? ""
        state.log(id, "message", by: author, message, nonce: nonce)
        state.tick()
        return .accepted
    }
}

extension Logs: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [LogLine]? {
        guard let task = state.tasks[id] else { return nil }
        return LogLine.merged(
            created: task.record.created,
            attempts: task.attempts,
            ignored: task.ignoredAfter,
            lines: task.lines.map(\.line)
        )
    }
}

extension StoredTask {
    /// Whether a request stands among the last eight lines.
    func wasLogged(_ nonce: String) -> Bool { lines.suffix(8).contains { $0.nonce == nonce } }
}
