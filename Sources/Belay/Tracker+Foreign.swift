extension Tracker {
    /// Merges events of Celery, in any order and as often as they come, into what is known of foreign tasks and workers.
    ///
    /// The state of a task is the highest that its events tell: SUCCESS, FAILURE, a state of the program's own, REVOKED, STARTED,
    /// RECEIVED, REJECTED, RETRY, PENDING. An event of a lower state that comes late adds its fields, but not its timestamp,
    /// clock and host; a late `task-received` adds only name, args, kwargs, parent_id, root_id, retries, eta and expires. If
    /// either is RETRY the newest wins, by Lamport clock, then timestamp. An event that is known, or older than the newest of
    /// its sort, changes nothing.
    /// - Parameter events: 1 to 500.
    /// - Returns: How many changed something, and how many foreign tasks made room: at most 10,000 are kept.
    /// - Throws: ``TrackerError`` (`invalidArgument`; `full` when 100 states of programs' own are in use; or of the server).
    @discardableResult
    public func ingest(_ events: [CeleryEvent]) async throws(TrackerError) -> IngestOutcome {
        try await perform(Ingest(events: events))
    }

    /// What is known of a foreign task; nil when there is none.
    public func foreignTask(_ uuid: TaskID) async throws(TrackerError) -> ForeignTask? {
        try await perform(ForeignOne(uuid: uuid))
    }

    /// A page of foreign tasks, the latest heard of first. Tasks that are heard of meanwhile neither hide nor repeat others.
    /// - Parameters:
    ///   - filter: Which; all unless said otherwise.
    ///   - limit: Tasks in a page, 1 to 500.
    ///   - cursor: Where the page begins: nil, or what the page before returned.
    public func foreignTasks(
        _ filter: ForeignFilter = .all,
        limit: Int = 100,
        cursor: String? = nil
    ) async throws(TrackerError) -> ForeignPage {
        try await perform(ForeignMany(filter: filter, limit: limit, cursor: cursor))
    }

    /// How many foreign tasks there are, by state and name.
    public func foreignCounts() async throws(TrackerError) -> ForeignCounts { try await perform(ForeignCount()) }

    /// The workers of Celery, the latest heard of first.
    /// - Parameter limit: The most workers, 1 to 500.
    public func foreignWorkers(limit: Int = 100) async throws(TrackerError) -> [ForeignWorker] {
        try await perform(Fleet(limit: limit))
    }

    /// Forgets foreign tasks, in steps of 500. Those that go on come back with their next event.
    /// - Parameter finishedOnly: Only those in SUCCESS, FAILURE and REVOKED; otherwise all, with the foreign workers and the
    ///   counts of events.
    /// - Returns: How many tasks are forgotten.
    @discardableResult
    public func clearForeign(finishedOnly: Bool = true) async throws(TrackerError) -> Int {
        var forgotten = 0
        while true {
            let step = try await perform(Clear(finishedOnly: finishedOnly))
            forgotten += step.deleted
            if !step.more { return forgotten }
        }
    }
}
