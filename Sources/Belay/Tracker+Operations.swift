extension Tracker {
    /// Stores a kind's policy for all hosts.
    /// - Parameters:
    ///   - kind: The kind's name.
    ///   - policy: Its policy.
    ///   - replacing: Whether to overwrite a stored policy that differs.
    /// - Throws: ``TrackerError`` (`kindConflict`) when another policy is stored and `replacing` is false;
    ///   `invalidArgument` for a policy out of range; `full` at 1,000 kinds.
    public func define(_ kind: KindName, policy: KindPolicy = .default, replacing: Bool = false)
        async throws(TrackerError)
    {
        try await perform(Define(kind: kind, policy: policy, replace: replacing))
    }

    /// Ends tasks (1 to 500) that have not ended. A running one is asked to stop: its worker hears it at once.
    /// - Parameter reason: Kept with the task, at most 64 bytes.
    /// - Returns: What became of each, in their order.
    public func cancel(_ ids: [TaskID], reason: String = "") async throws(TrackerError) -> [CancelOutcome] {
        try await perform(Cancel(ids: ids, reason: reason))
    }

    /// Runs tasks (1 to 500) again: an ended one anew, a waiting one now.
    /// - Returns: What became of each, in their order.
    public func retry(_ ids: [TaskID], budget: RetryBudget = .fresh) async throws(TrackerError) -> [RetryOutcome] {
        try await perform(Retry(ids: ids, budget: budget))
    }

    /// Takes back running tasks whose lease ran out, at most `limit` (1 to 500). Any number of reapers may run at once.
    public func reap(limit: Int = 100) async throws(TrackerError) -> SweepStep<ReapedTask> {
        try await perform(Reap(limit: limit, estimatedNow: backend.estimatedNow))
    }

    /// Deletes ended tasks that were kept as long as their kind says, at most `limit` (1 to 500).
    public func purge(limit: Int = 100) async throws(TrackerError) -> SweepStep<PurgedTask> {
        try await perform(Purge(limit: limit))
    }

    /// Deletes the tracker with all its tasks, kinds and events, in steps of about 1,000 keys. There is no way back.
    public func destroy() async throws(TrackerError) {
        var step = Destroy()
        while let cursor = try await perform(step) { step.cursor = cursor }
    }
}
