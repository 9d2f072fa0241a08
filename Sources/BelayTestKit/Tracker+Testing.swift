public import Belay

extension Tracker {
    /// Runs the tasks of a kind that are due, one after another in the order of claiming, until none is due.
    ///
    /// Each runs as a worker would run it, without the worker: its result is recorded, an error is kept with the attempt,
    /// and `PermanentFailure` and `Snooze` mean what they mean to a worker. A task that fails comes back when its kind's
    /// policy says, which on a `ManualClock` is when the test moves the clock.
    ///
    /// ```swift
    /// try await tracker.drain(thumbnails) { thumbnail in "\(thumbnail.image)-\(thumbnail.width).png" }
    /// ```
    /// - Parameters:
    ///   - kind: The kind.
    ///   - limit: The most attempts to run: a handler that snoozes for no time would go on for ever.
    ///   - handler: The work, in the caller's isolation.
    /// - Returns: The attempts that ran, in their order.
    /// - Throws: `TrackerError` when the tracker cannot be used. What the handler throws is recorded, not thrown on.
    @discardableResult
    public func drain<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        limit: Int = 1000,
        _ handler: (Payload) async throws -> Output
    ) async throws(TrackerError) -> [Claim] {
        try await drain([kind.name], limit: limit) { claim in
            let payload: Payload
            do { payload = try claim.payload.decoded() } catch { throw PermanentFailure(TaskFailure(error)) }
            let output = try await handler(payload)
            return output is NoOutput ? .empty : try Body(encoding: output)
        }
    }

    /// Runs the tasks of kinds that are due, one after another in the order of claiming, until none is due.
    /// - Parameters:
    ///   - kinds: 1 to 100 kinds.
    ///   - limit: The most attempts to run.
    ///   - handler: The work, in the caller's isolation; what it returns is the task's result.
    /// - Returns: The attempts that ran, in their order.
    /// - Throws: `TrackerError` when the tracker cannot be used. What the handler throws is recorded, not thrown on.
    @discardableResult
    public func drain(
        _ kinds: [KindName],
        limit: Int = 1000,
        _ handler: (Claim) async throws -> Body
    ) async throws(TrackerError) -> [Claim] {
        var ran: [Claim] = []
        while ran.count < limit, let claim = try await claim(kinds).first {
            ran.append(claim)
            try await run(claim, handler)
        }
        return ran
    }

    private func run(_ claim: Claim, _ handler: (Claim) async throws -> Body) async throws(TrackerError) {
        let result: Body
        do {
            result = try await handler(claim)
        } catch {
            return try await record(error, of: claim.handle)
        }
        try await complete(claim.handle, result: result)
    }

    private func record(_ error: any Error, of handle: ClaimHandle) async throws(TrackerError) {
        switch error {
        case let snooze as Snooze: try await self.snooze(handle, for: snooze.delay)
        case let permanent as PermanentFailure: try await fail(handle, permanent.failure, .exhaust)
        default: try await fail(handle, TaskFailure(error))
        }
    }

    /// The payloads of a kind's tasks in a state, in the order of time: for those that are ready, of their due times.
    ///
    /// ```swift
    /// #expect(try await tracker.payloads(of: thumbnails) == [Thumbnail(image: "a.png", width: 320)])
    /// ```
    /// - Parameters:
    ///   - kind: The kind.
    ///   - state: The state; ready, now or later, unless said otherwise.
    /// - Throws: `TrackerError`: `payload` when one is no `Payload`, others when the tracker cannot be used.
    public func payloads<Payload, Output>(
        of kind: TaskKind<Payload, Output>,
        in state: TaskState = .ready
    ) async throws(TrackerError) -> [Payload] {
        var payloads: [Payload] = []
        var cursor: String?
        repeat {
            let page = try await find(kinds: [kind.name], states: [state], limit: Limits.batch, cursor: cursor)
            guard !page.tasks.isEmpty else { break }
            for task in try await get(page.tasks.map(\.id)) {
                if let payload = task?.payload { payloads.append(try payload.decoded()) }
            }
            cursor = page.cursor
        } while cursor != nil
        return payloads
    }
}
