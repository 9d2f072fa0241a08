extension Tracker {
    /// The record of a task; nil when there is none.
    public func get(_ id: TaskID) async throws(TrackerError) -> TaskRecord? { try await get([id])[0] }

    /// The records of tasks (1 to 500), in their order; nil where there is none.
    public func get(_ ids: [TaskID]) async throws(TrackerError) -> [TaskRecord?] { try await perform(Get(ids: ids)) }

    /// The attempts of a task that are remembered (the last 20 and the current one), oldest first; nil when there is none.
    public func attempts(of id: TaskID) async throws(TrackerError) -> [Attempt]? { try await perform(Attempts(id: id)) }

    /// The log of a task, oldest first: its transitions and messages, as far as they are kept (the last 20 attempts, the last
    /// 100 lines); nil when there is no such task.
    public func log(of id: TaskID) async throws(TrackerError) -> [LogLine]? { try await perform(Logs(id: id)) }

    /// A page of tasks by kind, state, tag, worker and time, without payloads. The cursor is stable: tasks that move meanwhile neither hide
    /// nor repeat others. Running tasks of several partitions stand among each other by when they began.
    /// - Parameters:
    ///   - kinds: Nil for all.
    ///   - states: In the order wanted.
    ///   - order: Of the tasks in one state, by due time, end of the lease, or when they were paused or ended, whatever the
    ///     kind.
    ///   - limit: Tasks in a page, 1 to 500.
    ///   - cursor: Where the page begins: nil, or what the page before returned. A page may hold fewer tasks than the limit
    ///     although a cursor follows.
    ///   - tag: Only tasks of that tag.
    ///   - worker: Only tasks whose latest attempt was that worker's; with `states: [.running]` what it does now.
    ///   - created: Only tasks enqueued from then to before then. These last two look through up to 500 tasks a page.
    public func find(
        kinds: [KindName]? = nil,
        states: [TaskState] = TaskState.allCases,
        order: FindOrder = .oldestFirst,
        limit: Int = 100,
        cursor: String? = nil,
        tag: TaskTag? = nil,
        worker: String? = nil,
        created: Range<Timestamp>? = nil
    ) async throws(TrackerError) -> TaskPage {
        try await perform(
            Find(
                kinds: kinds ?? [],
                states: states,
                order: order,
                limit: limit,
                cursor: cursor,
                tag: tag,
                worker: worker,
                created: created
            )
        )
    }

    /// What a task waits or waited for, in the order given, with what its parents made; nil when there is no such task.
    public func parents(of id: TaskID) async throws(TrackerError) -> [ParentOutcome]? {
        try await perform(Parents(id: id))
    }

    /// How many tasks of each of these tags (1 to 100) are in each state, in their order.
    public func counts(ofTags tags: [TaskTag]) async throws(TrackerError) -> [TagCounts] {
        try await perform(Tags(tags: tags))
    }

    /// The tasks that a claim of these kinds would take now, in its order, at most `limit` (1 to 500).
    /// - Parameters:
    ///   - order: Whether priorities count; by ``ClaimOrder/due`` it is one queue of all the kinds.
    ///   - scheduled: Whether to show those that are not due yet, too.
    public func peek(
        _ kinds: [KindName],
        limit: Int = 10,
        order: ClaimOrder = .priority,
        scheduled: Bool = false
    ) async throws(TrackerError) -> [TaskRecord] {
        try await perform(Peek(kinds: kinds, limit: limit, order: order, scheduled: scheduled))
    }

    /// Why a task does not run, or did not, with numbers; nil when there is no such task.
    public func explain(_ id: TaskID) async throws(TrackerError) -> Explanation? { try await perform(Explain(id: id)) }

    /// Who works, the latest seen first.
    /// - Parameter limit: The most workers, 1 to 500.
    public func workers(limit: Int = 100) async throws(TrackerError) -> [WorkerInfo] {
        try await perform(Workers(limit: limit))
    }

    /// A page of events in their order.
    /// - Parameters:
    ///   - start: Where to begin.
    ///   - limit: The most entries of the stream, 2 to 500; an entry tells of all tasks that one call moved.
    public func events(
        from start: EventStart,
        limit: Int = Limits.batch
    ) async throws(TrackerError) -> EventPage {
        try await perform(Stream(start: start, limit: limit))
    }

    /// The events of the tracker as they happen, without an end; it survives a server that is away.
    /// - Parameters:
    ///   - start: Where to begin; with what comes from now on unless said otherwise.
    ///   - pollInterval: How often to look while nothing happens.
    public func events(
        following start: EventStart = .newest,
        pollInterval: Duration = .milliseconds(250)
    ) -> TrackerEvents {
        TrackerEvents(tracker: self, start: start, pollInterval: pollInterval)
    }

    /// How many tasks are where.
    public func stats() async throws(TrackerError) -> TrackerStats { try await perform(Stats()) }

    /// All kinds with their policies, by name.
    public func kinds() async throws(TrackerError) -> [DefinedKind] { try await perform(Kinds()) }
}
