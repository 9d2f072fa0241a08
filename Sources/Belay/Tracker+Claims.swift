extension Tracker {
    /// Takes up to `limit` due tasks (1 to 500): highest priority first, then the longest due, whatever the kind.
    /// - Parameters:
    ///   - kinds: 1 to 100 kinds; unknown ones hold nothing.
    ///   - lease: How long the locks hold; nil for each kind's own.
    /// - Returns: The claims, none when nothing is due.
    public func claim(_ kinds: [KindName], limit: Int = 1, lease: Duration? = nil) async throws(TrackerError) -> [Claim]
    {
        try await withLane { lane throws(TrackerError) in
            try await perform(
                ClaimMany(
                    token: Host.token(),
                    worker: workerName,
                    count: limit,
                    kinds: kinds,
                    lease: lease,
                    lane: lane,
                    estimatedNow: backend.estimatedNow
                )
            ).claims
        }
    }

    /// Takes the lock of one named task.
    /// - Parameters:
    ///   - id: The task.
    ///   - lease: How long the lock holds; nil for the kind's own.
    ///   - options: What to pass over.
    /// - Returns: The claim, or why there is none.
    public func claim(
        _ id: TaskID,
        lease: Duration? = nil,
        options: AcquireOptions = []
    ) async throws(TrackerError) -> AcquireOutcome {
        try await perform(Acquire(id: id, token: Host.token(), worker: workerName, lease: lease, options: options))
    }

    /// Extends locks (1 to 500) by a lease from now. A lock that ran out is not extended.
    /// - Returns: What became of each, in their order.
    public func renew(_ claims: [Claim]) async throws(TrackerError) -> [RenewOutcome] {
        try await perform(Renew(items: claims.map { ($0.handle, $0.lease) }))
    }

    /// Extends one lock by handle.
    public func renew(_ handle: ClaimHandle, for lease: Duration) async throws(TrackerError) -> RenewOutcome {
        try await perform(Renew(items: [(handle, lease)]))[0]
    }

    /// Says how far a held task is.
    /// - Parameters:
    ///   - fraction: 0 to 1, kept to a thousandth; nil when unknown.
    ///   - message: At most 64 bytes.
    public func progress(
        _ handle: ClaimHandle,
        _ fraction: Double?,
        message: String = ""
    ) async throws(TrackerError) -> WriteOutcome {
        try await perform(Progress(handle: handle, fraction: fraction, message: message))
    }

    /// Ends a held task with success. Accepted also after the lease ran out, as long as nobody took the task over.
    @discardableResult
    public func complete(_ handle: ClaimHandle, result: Body = .empty) async throws(TrackerError) -> WriteOutcome {
        try await complete([(handle, result)])[0]
    }

    /// Ends held tasks (1 to 500) with success, in one round trip.
    /// - Returns: What became of each, in their order.
    public func complete(_ items: [(handle: ClaimHandle, result: Body)]) async throws(TrackerError) -> [WriteOutcome] {
        try await perform(Complete(items: items, payloadLimit: try await backend.payloadLimit))
    }

    /// Ends a held task's attempt with an error; the task runs again as its kind's policy says, or is exhausted.
    @discardableResult
    public func fail(
        _ handle: ClaimHandle,
        _ failure: TaskFailure,
        _ disposition: FailureDisposition = .retry()
    ) async throws(TrackerError) -> HandBackOutcome {
        try await fail([(handle, failure, disposition)])[0]
    }

    /// Ends held tasks' attempts (1 to 500) with errors, in one round trip.
    /// - Returns: What became of each, in their order.
    public func fail(
        _ items: [(handle: ClaimHandle, failure: TaskFailure, disposition: FailureDisposition)]
    ) async throws(TrackerError) -> [HandBackOutcome] {
        let items = items.map { item in
            var failure = item.failure
            if failure.host == nil { failure.host = Host.name }
            if failure.pid == nil { failure.pid = Host.pid }
            return Fail.Item(handle: item.handle, failure: failure, disposition: item.disposition)
        }
        return try await perform(Fail(items: items))
    }

    /// Hands held tasks (1 to 500) back without spending their attempts.
    /// - Parameter delay: Run again after so long; nil to keep each task's place in the line.
    /// - Returns: What became of each, in their order.
    @discardableResult
    public func release(_ handles: [ClaimHandle], delay: Duration? = nil) async throws(TrackerError)
        -> [HandBackOutcome]
    {
        try await perform(Release(handles: handles, delay: delay))
    }

    /// Puts a held task off without spending its attempt.
    @discardableResult
    public func snooze(_ handle: ClaimHandle, for delay: Duration) async throws(TrackerError) -> HandBackOutcome {
        try await perform(SnoozeTasks(items: [(handle, delay)]))[0]
    }
}
