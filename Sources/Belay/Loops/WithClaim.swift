/// What a scope under a lock gave.
public enum ClaimResult<Value: Sendable>: Sendable {
    /// The work ran and its success is recorded.
    case finished(Value)
    /// The lock could not be had; the work did not run.
    case refused(ClaimRefusal)
}

extension Tracker {
    /// Runs work under the lock of one named task: takes the lock, renews it, runs, records the end, unlocks.
    ///
    /// The work is cancelled the moment the lock is lost, the task is cancelled or the soft limit of its kind is over; its
    /// context says why. Success is
    /// recorded with the work's value as the result: a ``Body`` as it is, another `Encodable` value as JSON. An error is
    /// recorded with the attempt and thrown on; ``PermanentFailure`` and ``Snooze`` mean what they mean to a ``Worker``.
    /// When the calling task is cancelled, the lock is handed back without spending the attempt.
    ///
    /// - Parameters:
    ///   - id: The task, which must exist.
    ///   - lease: How long the lock holds without renewal; nil for the kind's own. It is renewed each third of that.
    ///   - options: What to pass over when taking the lock.
    ///   - body: The work.
    /// - Returns: The work's value, or why the lock could not be had.
    /// - Throws: What the work throws; ``TrackerError`` (`lockLost`) when the lock was lost before success was recorded.
    public func withClaim<Value: Sendable>(
        on id: TaskID,
        for lease: Duration? = nil,
        options: AcquireOptions = [],
        _ body: @escaping @Sendable (ClaimContext) async throws -> Value
    ) async throws -> ClaimResult<Value> {
        try await withClaim(on: id, for: lease, options: options, stopsItself: false, body)
    }

    /// The same, for work that may look itself at what it is asked, as ``Handler/stopsItself`` says.
    package func withClaim<Value: Sendable>(
        on id: TaskID,
        for lease: Duration? = nil,
        options: AcquireOptions = [],
        stopsItself: Bool,
        _ body: @escaping @Sendable (ClaimContext) async throws -> Value
    ) async throws -> ClaimResult<Value> {
        let sent = ContinuousClock.now
        switch try await claim(id, lease: lease, options: options) {
        case .refused(let refusal): return .refused(refusal)
        case .claimed(let claim): return .finished(try await hold(claim, sent: sent, stopsItself: stopsItself, body))
        }
    }

    private func hold<Value: Sendable>(
        _ claim: Claim,
        sent: ContinuousClock.Instant,
        stopsItself: Bool,
        _ body: @escaping @Sendable (ClaimContext) async throws -> Value
    ) async throws -> Value {
        let context = ClaimContext(claim, tracker: self)
        let leases = LeaseKeeper(self)
        leases.add([context], sent: sent)
        return try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await leases.renewLoop() }
            group.addTask { await leases.watchLoop() }
            group.addTask { await leases.limitLoop() }
            group.addTask {
                await self.backend.listen(for: claim.worker, holding: claim.id) { if $0 != .ready { leases.hurry() } }
            }
            defer { group.cancelAll() }
            let ended = await context.run(stopsItself: stopsItself) { try await body(context) }
            return try await self.record(ended, context)
        }
    }

    private func record<Value: Sendable>(_ ended: Swift.Result<Value, any Error>, _ context: ClaimContext) async throws
        -> Value
    {
        let bytes = ended.flatMap { value in Swift.Result { try Self.body(of: value) } }
        let limit = try await withoutCancellation { () async throws(TrackerError) in try await backend.payloadLimit }
        let settlement = Settlement(context, bytes, payloadLimit: limit)
        switch settlement {
        case .drop:
            throw TrackerError.lockLost(context.claim.id, cause: ended.failure)
        case .complete(_, let result):
            let outcome = try await withoutCancellation { () async throws(TrackerError) in
                try await complete(context.claim.handle, result: result)
            }
            guard outcome == .accepted else { throw TrackerError.lockLost(context.claim.id) }
        case .fail, .snooze, .release:
            try await withoutCancellation { () async throws(TrackerError) in try await settle([settlement]) }
            if case .fail(_, let failure, _) = settlement, ended.failure == nil { throw failure }
        }
        return try ended.get()
    }

    private static func body(of value: some Sendable) throws(TrackerError) -> Body {
        switch value {
        case let body as Body: body
        case is NoOutput, is Void: .empty
        case let value as any Encodable: try Body(encoding: value)
        default: .empty
        }
    }
}

extension Swift.Result {
    fileprivate var failure: Failure? {
        guard case .failure(let error) = self else { return nil }
        return error
    }
}
