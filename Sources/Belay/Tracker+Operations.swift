extension Tracker {
    /// Stores a kind's policy for all hosts, in every partition; a call that was cut short is completed by a repeat.
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
    /// - Parameters:
    ///   - reason: Kept with the task, at most 64 bytes.
    ///   - signal: The signal that a running program is to get, 1 to 64; nil for what its worker uses (SIGTERM, then SIGKILL).
    /// - Returns: What became of each, in their order.
    public func cancel(
        _ ids: [TaskID],
        reason: String = "",
        signal: Int? = nil
    ) async throws(TrackerError) -> [CancelOutcome] {
        try await perform(Cancel(targets: .tasks(ids), reason: reason, signal: signal, actor: actor)).outcomes
    }

    /// Ends all tasks of a tag that have not ended, in steps of 50. Running ones are asked to stop.
    /// - Parameters:
    ///   - reason: Kept with the tasks, at most 64 bytes.
    ///   - signal: The signal that running programs are to get, 1 to 64; nil for what their workers use.
    public func cancel(
        tag: TaskTag,
        reason: String = "",
        signal: Int? = nil
    ) async throws(TrackerError) -> TagChange {
        var change = TagChange()
        while true {
            // A held task that ends between two steps moves the others up, so that some would be passed over: look again
            // until nobody is left who was not asked.
            var (passed, news) = (0, 0)
            while true {
                let targets = TaskTargets.tag(tag, TaskState.unfinished, passed: passed)
                let step = try await perform(Cancel(targets: targets, reason: reason, signal: signal, actor: actor))
                change.changed += step.outcomes.count { $0 == .cancelled }
                passed += step.outcomes.count { $0 == .requested }
                news += step.news
                if !step.more { break }
            }
            change.requested = max(change.requested, passed)
            if news == 0 || passed < Limits.step { return change }
        }
    }

    /// Runs tasks (1 to 500) again: an ended or paused one anew, a waiting one now, whatever their kind's queue limit.
    /// - Parameters:
    ///   - budget: What attempts an ended task has left.
    ///   - force: Whether to take running tasks from their holders, too.
    ///   - message: For the tasks' logs, at most 1,024 bytes.
    /// - Returns: What became of each, in their order.
    public func retry(
        _ ids: [TaskID],
        budget: RetryBudget = .fresh,
        force: Bool = false,
        message: String = ""
    ) async throws(TrackerError) -> [RetryOutcome] {
        try await perform(
            Retry(targets: .tasks(ids), budget: budget, force: force, actor: actor, message: message)
        ).outcomes
    }

    /// Runs the tasks of a tag again that ended in some states, in steps of 50: a whole flow, or what failed of it. Those whose
    /// parents are run again, or have not ended, wait for them.
    /// - Parameters:
    ///   - states: Ended states; without success unless said otherwise.
    ///   - budget: What attempts they have left.
    ///   - message: For the tasks' logs, at most 1,024 bytes.
    /// - Throws: ``TrackerError`` (`invalidArgument` for a state that is no end).
    public func retry(
        tag: TaskTag,
        states: [TaskState] = [.exhausted, .cancelled, .ignored],
        budget: RetryBudget = .fresh,
        message: String = ""
    ) async throws(TrackerError) -> TagChange {
        if let state = states.first(where: { !$0.isTerminal }) {
            throw .invalid("state to retry", state, allowed: "succeeded, exhausted, cancelled, ignored")
        }
        return try await requeue(tag, states, budget, force: false, message)
    }

    /// Takes the running tasks of a tag from their holders and makes them ready, in steps of 50: after a crash of everything
    /// that worked on it, without waiting for the leases. What waits already stays. Compare ``clean(tag:)``.
    /// - Parameter message: For the tasks' logs, at most 1,024 bytes.
    public func recover(tag: TaskTag, message: String = "") async throws(TrackerError) -> TagChange {
        try await requeue(tag, [.running], .kept, force: true, message)
    }

    private func requeue(
        _ tag: TaskTag,
        _ states: [TaskState],
        _ budget: RetryBudget,
        force: Bool,
        _ message: String
    ) async throws(TrackerError) -> TagChange {
        var change = TagChange()
        while true {
            let step = try await perform(
                Retry(targets: .tag(tag, states), budget: budget, force: force, actor: actor, message: message)
            )
            change.changed += step.outcomes.count { $0 == .ready || $0 == .waiting }
            if !step.more { return change }
        }
    }

    /// Deletes all tasks of a tag that have not ended, running ones too, in steps of 50; what has ended stays. Their holders
    /// are refused from then on. Compare ``recover(tag:message:)``.
    public func clean(tag: TaskTag) async throws(TrackerError) -> TagChange {
        var change = TagChange()
        while true {
            let step = try await perform(Delete(targets: .tag(tag, TaskState.unfinished), force: true))
            change.changed += step.outcomes.count { $0 == .deleted }
            if !step.more { return change }
        }
    }

    /// Keeps waiting tasks (1 to 500) from being claimed until they are resumed.
    /// - Parameter message: For the tasks' logs, at most 1,024 bytes.
    /// - Returns: What became of each, in their order; a running or ended one is refused.
    public func pause(_ ids: [TaskID], message: String = "") async throws(TrackerError) -> [TransitionOutcome] {
        try await perform(Pause(.tasks(ids), actor: actor, message: message))
    }

    /// Ends the pause of tasks (1 to 500): waiting ones are ready and keep their place, held ones run on.
    /// - Parameter message: For the tasks' logs, at most 1,024 bytes.
    /// - Returns: What became of each, in their order; an ended one is refused.
    public func resume(_ ids: [TaskID], message: String = "") async throws(TrackerError) -> [TransitionOutcome] {
        try await perform(Resume(.tasks(ids), actor: actor, message: message))
    }

    /// Sets tasks (1 to 500) aside: they are not run. A retry, or a claim with ``AcquireOptions/force``, brings them back.
    /// - Parameter message: For the tasks' logs, at most 1,024 bytes.
    /// - Returns: What became of each, in their order; a running or succeeded one is refused.
    public func ignore(_ ids: [TaskID], message: String = "") async throws(TrackerError) -> [TransitionOutcome] {
        try await perform(Ignore(ids: ids, actor: actor, message: message))
    }

    /// Gives tasks (1 to 500) that have not ended another priority. A waiting one keeps its due time; of a running one it is the
    /// priority of its next attempt.
    /// - Parameter priority: 0 to 9, 9 is claimed first.
    /// - Returns: What became of each, in their order.
    public func prioritise(_ ids: [TaskID], _ priority: Int) async throws(TrackerError) -> [PrioritiseOutcome] {
        try await perform(Prioritise(ids: ids, priority: priority, actor: actor))
    }

    /// Adds a line to a task's log, in the name of the tracker's ``actor``.
    /// - Parameter message: At most 1,024 bytes; control characters but line feeds and tabs are refused.
    public func note(_ id: TaskID, _ message: String) async throws(TrackerError) -> WriteOutcome {
        try await perform(Log(id: id, actor: actor, nonce: Host.nonce(), message: message))
    }

    /// Deletes tasks (1 to 500) with everything kept of them.
    /// - Parameter force: Whether to delete running ones, too; their holders are refused from then on.
    /// - Returns: What became of each, in their order.
    public func delete(_ ids: [TaskID], force: Bool = false) async throws(TrackerError) -> [DeleteOutcome] {
        try await perform(Delete(targets: .tasks(ids), force: force)).outcomes
    }

    /// Removes a kind. While tasks of it exist that is refused unless forced; then they are deleted with it, in steps of 50.
    /// - Parameter force: Whether to delete the kind's tasks, running ones too.
    public func undefine(_ kind: KindName, force: Bool = false) async throws(TrackerError) -> UndefineOutcome {
        var removed = 0
        while true {
            switch try await perform(Undefine(kind: kind, force: force)) {
            case .inUse(let tasks): return .inUse(tasks: tasks)
            // Another call took the last step.
            case .notFound: return removed > 0 ? .removed(tasks: removed) : .notFound
            case .step(let deleted, let more):
                removed += deleted
                if !more { return .removed(tasks: removed) }
            }
        }
    }

    /// Says that a worker lives, what it takes and how it fares. A ``Worker`` does this by itself.
    /// - Parameters:
    ///   - event: Whether it begins, works on or leaves.
    ///   - worker: Its name; nil for the tracker's own ``workerName``.
    ///   - kinds: The kinds it takes, 1 to 100.
    ///   - slots: How many tasks it runs at once.
    ///   - active: How many it runs now.
    ///   - succeeded: How many it ended well since it began.
    ///   - failed: How many it ended otherwise.
    ///   - interval: When its next beat comes, 1 s to 1 h; it counts as alive for two of them.
    ///   - software: What it is, at most 64 printable ASCII characters without spaces.
    ///   - clock: What its own clock shows, to tell how far that is off; nil when it has none.
    public func beat(
        _ event: BeatEvent = .heartbeat,
        as worker: WorkerName? = nil,
        kinds: [KindName],
        slots: Int = 1,
        active: Int = 0,
        succeeded: Int = 0,
        failed: Int = 0,
        interval: Duration = .seconds(10),
        software: String = "belay",
        clock: Timestamp? = nil
    ) async throws(TrackerError) {
        try await perform(
            Beat(
                worker: worker ?? workerName,
                event: event,
                interval: interval,
                slots: slots,
                active: active,
                succeeded: succeeded,
                failed: failed,
                software: software,
                clock: clock,
                kinds: kinds
            )
        )
    }

    /// Pauses a kind: its tasks are not claimed, new ones wait, running ones go on. A claim of a named task passes.
    /// - Parameters:
    ///   - kind: The kind; nil pauses the whole tracker.
    ///   - message: Why, for ``explain(_:)``; at most 64 bytes.
    /// - Throws: ``TrackerError`` (`unknownKind`, `invalidArgument`, or of the server).
    public func pauseKind(_ kind: KindName?, message: String = "") async throws(TrackerError) {
        try await perform(Gate(kind: kind, pause: true, actor: actor, message: message))
    }

    /// Ends the pause of a kind, or of the whole tracker, and wakes idle workers.
    /// - Parameters:
    ///   - kind: The kind; nil for the whole tracker, whose pause is apart from those of its kinds.
    ///   - message: For the event; at most 64 bytes.
    /// - Throws: ``TrackerError`` (`unknownKind`, `invalidArgument`, or of the server).
    public func resumeKind(_ kind: KindName?, message: String = "") async throws(TrackerError) {
        try await perform(Gate(kind: kind, pause: false, actor: actor, message: message))
    }

    /// Takes back running tasks whose lease ran out, at most `limit` (1 to 500). Any number of reapers may run at once.
    public func reap(limit: Int = Limits.step) async throws(TrackerError) -> SweepStep<ReapedTask> {
        try await perform(Reap(limit: limit, estimatedNow: backend.estimatedNow))
    }

    /// Deletes ended tasks that were kept as long as their kind says, at most `limit` (1 to 500).
    public func purge(limit: Int = Limits.step) async throws(TrackerError) -> SweepStep<PurgedTask> {
        try await perform(Purge(limit: limit))
    }

    /// Deletes the tracker with all its tasks, kinds and events, in steps of about 1,000 keys. There is no way back.
    public func destroy() async throws(TrackerError) {
        var step = Destroy()
        while let cursor = try await perform(step) { step.cursor = cursor }
    }
}
