extension Tracker {
    /// The record of a task; nil when there is none.
    public func get(_ id: TaskID) async throws(TrackerError) -> TaskRecord? { try await get([id])[0] }

    /// The records of tasks (1 to 500), in their order; nil where there is none.
    public func get(_ ids: [TaskID]) async throws(TrackerError) -> [TaskRecord?] { try await perform(Get(ids: ids)) }

    /// The attempts of a task that are remembered (the last 20 and the current one), oldest first; nil when there is none.
    public func attempts(of id: TaskID) async throws(TrackerError) -> [Attempt]? { try await perform(Attempts(id: id)) }

    /// A page of tasks by kind and state, without payloads. The cursor is stable: tasks that move meanwhile neither hide
    /// nor repeat others.
    /// - Parameters:
    ///   - kinds: Nil for all.
    ///   - states: In the order wanted.
    ///   - limit: Tasks in a page, 1 to 500.
    ///   - cursor: Where the page begins: nil, or what the page before returned.
    public func find(
        kinds: [KindName]? = nil,
        states: [TaskState] = TaskState.allCases,
        limit: Int = 100,
        cursor: String? = nil
    ) async throws(TrackerError) -> TaskPage {
        try await perform(Find(kinds: kinds ?? [], states: states, limit: limit, cursor: cursor))
    }

    /// The tasks that a claim of these kinds would take now, in its order, at most `limit` (1 to 500).
    public func peek(_ kinds: [KindName], limit: Int = 10) async throws(TrackerError) -> [TaskRecord] {
        try await perform(Peek(kinds: kinds, limit: limit))
    }

    /// How many tasks are where.
    public func stats() async throws(TrackerError) -> TrackerStats { try await perform(Stats()) }

    /// All kinds with their policies, by name.
    public func kinds() async throws(TrackerError) -> [DefinedKind] { try await perform(Kinds()) }
}
