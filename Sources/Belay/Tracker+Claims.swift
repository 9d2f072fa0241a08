import RedisWire

extension Tracker {
    /// Takes up to `limit` due tasks (1 to 500): highest priority first, then the longest due, whatever the kind.
    ///
    /// On a tracker of several partitions that is the order within each; they are asked one after the other, each time beginning
    /// with another, until there are enough.
    /// - Parameters:
    ///   - kinds: 1 to 100 kinds; unknown ones hold nothing.
    ///   - lease: How long the locks hold; nil for each kind's own.
    ///   - order: Whether priorities count.
    ///   - worker: Who takes them; nil for the tracker's own ``workerName``.
    ///   - token: The locks' token: 1 to 64 printable ASCII characters, fresh for every claim. A claim that is sent again
    ///     with the same token by the same worker, because its answer was lost, gives the same tasks. Nil to have one made.
    /// - Returns: The claims, none when nothing is due.
    public func claim(
        _ kinds: [KindName],
        limit: Int = 1,
        lease: Duration? = nil,
        order: ClaimOrder = .priority,
        as worker: WorkerName? = nil,
        token: String? = nil
    ) async throws(TrackerError) -> [Claim] {
        var verb = ClaimMany(
            token: token ?? Host.token(),
            worker: worker ?? workerName,
            count: limit,
            kinds: kinds,
            lease: lease,
            order: order
        )
        verb.isFresh = token == nil
        // The worker's last claim is remembered by lane. A caller with a token of its own must find it again in the same.
        if token != nil || worker != nil {
            verb.estimatedNow = backend.estimatedNow
            return try await perform(verb).claims
        }
        return try await withLane { lane throws(TrackerError) in
            verb.lane = lane + 1
            verb.estimatedNow = backend.estimatedNow
            return try await perform(verb).claims
        }
    }

    /// Takes the lock of one named task.
    /// - Parameters:
    ///   - id: The task.
    ///   - lease: How long the lock holds; nil for the kind's own.
    ///   - options: What to pass over.
    ///   - held: The token of the lock that the caller holds on the task already: it gets a new lock, with a new token and
    ///     fence, as the next attempt. Nil when it holds none.
    ///   - worker: Who takes it; nil for the tracker's own ``workerName``.
    ///   - token: The lock's token: 1 to 64 printable ASCII characters, fresh for every claim; a claim that is sent again
    ///     with the same token gives the same lock. Nil to have one made.
    /// - Returns: The claim, or why there is none. A lock is looked at first, then the end of the task.
    public func claim(
        _ id: TaskID,
        lease: Duration? = nil,
        options: AcquireOptions = [],
        reentering held: String? = nil,
        as worker: WorkerName? = nil,
        token: String? = nil
    ) async throws(TrackerError) -> AcquireOutcome {
        try await perform(
            Acquire(
                id: id,
                token: token ?? Host.token(),
                worker: worker ?? workerName,
                lease: lease,
                options: options,
                held: held
            )
        )
    }

    /// Extends locks (1 to 500) by a lease from now. A lock that ran out is not extended.
    /// - Returns: What became of each, in their order.
    public func renew(_ claims: [Claim]) async throws(TrackerError) -> [RenewOutcome] {
        try await perform(Renew(claims)).map(\.outcome)
    }

    /// Extends locks (1 to 500) by handle, each by a lease from now. A lock that ran out is not extended.
    /// - Returns: What became of each, in their order.
    public func renew(_ handles: [ClaimHandle], for lease: Duration) async throws(TrackerError) -> [RenewOutcome] {
        try await perform(Renew(items: handles.map { ($0, lease) })).map(\.outcome)
    }

    /// Extends one lock by handle.
    public func renew(_ handle: ClaimHandle, for lease: Duration) async throws(TrackerError) -> RenewOutcome {
        try await renew([handle], for: lease)[0]
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

    /// Keeps data with a held task: a checkpoint, a cursor, what the next attempt is to know. It replaces what was saved.
    ///
    /// Only the holder of the lock may. The data stays with the task whatever becomes of its attempts.
    /// - Throws: ``TrackerError`` (`tooLarge`, `invalidArgument`, or of the server).
    public func save(_ handle: ClaimHandle, data: Body) async throws(TrackerError) -> WriteOutcome {
        try await perform(
            Save(handle: handle, place: .data, body: data, payloadLimit: try await backend.payloadLimit)
        )
    }

    /// Sets a held task's response so far: it shows as the task's result at once, and stays if the task is completed
    /// without another. It replaces bytes and content type.
    /// - Throws: ``TrackerError`` (`tooLarge`, `invalidArgument`, or of the server).
    public func respond(_ handle: ClaimHandle, _ response: Body) async throws(TrackerError) -> WriteOutcome {
        try await perform(
            Save(handle: handle, place: .response, body: response, payloadLimit: try await backend.payloadLimit)
        )
    }

    /// Adds a line to a held task's log.
    /// - Parameter message: At most 1,024 bytes; control characters but line feeds and tabs are refused.
    public func log(_ handle: ClaimHandle, _ message: String) async throws(TrackerError) -> WriteOutcome {
        try await perform(
            Log(id: handle.id, handle: handle, actor: actor, nonce: Host.nonce(), message: message)
        )
    }

    /// Pauses a held task: it keeps its lock, which must be renewed on, but its kind's time-out stands still.
    /// - Parameter message: For the task's log.
    public func pause(_ handle: ClaimHandle, message: String = "") async throws(TrackerError) -> TransitionOutcome {
        try await perform(Pause(.held(handle), actor: actor, message: message))[0]
    }

    /// Ends the pause of a held task; its kind's time-out begins anew.
    /// - Parameter message: For the task's log.
    public func resume(_ handle: ClaimHandle, message: String = "") async throws(TrackerError) -> TransitionOutcome {
        try await perform(Resume(.held(handle), actor: actor, message: message))[0]
    }

    /// Ends a held task with success. Accepted also after the lease ran out, as long as nobody took the task over.
    ///
    /// Ends that many callers write at the same moment share a script once two are under way.
    @discardableResult
    public func complete(_ handle: ClaimHandle, result: Body = .empty) async throws(TrackerError) -> WriteOutcome {
        guard result.bytes.count <= Limits.sharedBytes else { return try await complete([(handle, result)])[0] }
        return try await completions.perform((handle, result), bytes: result.bytes.count) {
            items throws(TrackerError) in
            try await self.complete(items)
        }
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

    /// Puts held tasks (1 to 500) off without spending their attempts.
    /// - Returns: What became of each, in their order.
    @discardableResult
    public func snooze(_ handles: [ClaimHandle], for delay: Duration) async throws(TrackerError) -> [HandBackOutcome] {
        try await perform(SnoozeTasks(items: handles.map { ($0, delay) }))
    }

    /// Puts a held task off without spending its attempt.
    @discardableResult
    public func snooze(_ handle: ClaimHandle, for delay: Duration) async throws(TrackerError) -> HandBackOutcome {
        try await perform(SnoozeTasks(items: [(handle, delay)]))[0]
    }
}
