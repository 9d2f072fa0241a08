import Logging
import Synchronization

/// Keeps the leases of held tasks: renews all of them in one call each third of a lease, and stops work whose lock is lost.
///
/// A holder trusts only its own monotonic clock: work is told to stop a margin before its lease can have run out on the
/// server, counted from the moment the claim or renewal was sent. So a holder that is cut off stops before another starts.
final class LeaseKeeper: Sendable {
    private let tracker: Tracker
    private let held = Mutex(HeldLocks())
    /// Wakes the loop of each chore.
    private let bells = HeldLocks.Chore.allCases.map { _ in Signal() }
    /// Called for each lock that was lost.
    private let onLost: @Sendable (ClaimContext) -> Void

    init(_ tracker: Tracker, onLost: @escaping @Sendable (ClaimContext) -> Void = { _ in }) {
        self.tracker = tracker
        self.onLost = onLost
    }

    /// Holds a claim that was asked for at `sent`.
    func add(_ contexts: [ClaimContext], sent: ContinuousClock.Instant) {
        change { held in
            contexts.reduce(into: []) { early, context in
                let claim = context.claim
                let lock = HeldLocks.Lock(
                    context: context,
                    renewal: sent + claim.lease / 3,
                    deadline: sent + claim.lease - Self.margin(of: claim.lease),
                    softLimit: claim.softDeadline.map { sent + ($0 - claim.claimed) }
                )
                early.formUnion(held.add(lock))
            }
        }
    }

    func remove(_ id: TaskID) { held.withLock { _ = $0.remove(id) } }

    /// Asks all held work to stop.
    func stopAll(_ reason: StopReason) {
        for context in held.withLock({ $0.contexts }) { context.stop(reason) }
    }

    /// Gives up all locks of work that has not ended, and answers them.
    func loseAll() -> [ClaimHandle] {
        let contexts = held.withLock { held in
            defer { held.removeAll() }
            return held.contexts
        }
        for context in contexts { context.stop(.lockLost) }
        return contexts.map(\.claim.handle)
    }

    /// Renews at once: something is known to have changed.
    func hurry() {
        held.withLock { $0.hurry() }
        bells[HeldLocks.Chore.renew.rawValue].notify()
    }

    /// How long before the end of a lease its holder stops: a tenth of it, at least 200 ms for leases of 2 s and more.
    static func margin(of lease: Duration) -> Duration {
        lease >= .seconds(2) ? max(.milliseconds(200), lease / 10) : lease / 10
    }

    // MARK: - Chores

    /// Renews until cancelled.
    func renewLoop() async { await loop(.renew) { await renewDue($0) } }

    /// Stops work whose lease cannot be counted on any more, until cancelled.
    func watchLoop() async {
        await loop(.watch) { now in
            for context in held.withLock({ $0.due(.watch, at: now) }) { lose(context) }
        }
    }

    /// Asks work to stop whose soft limit is over, until cancelled.
    func limitLoop() async {
        await loop(.limit) { now in
            await limit(Array(held.withLock { $0.due(.limit, at: now) }.prefix(Limits.batch)))
        }
    }

    /// Does a chore each time that it is due for a lock, which must put it off or end it.
    private func loop(_ chore: HeldLocks.Chore, _ perform: (ContinuousClock.Instant) async -> Void) async {
        let bell = bells[chore.rawValue]
        while !Task.isCancelled {
            let now = ContinuousClock.now
            guard let next = held.withLock({ $0.plan(chore) }) else {
                await bell.wait()
                continue
            }
            if next > now {
                await bell.wait(atMost: now.duration(to: next), clock: ContinuousClock())
            } else {
                await perform(now)
            }
        }
    }

    /// Changes what is held, and wakes the loops that must look earlier because of it.
    private func change(_ body: (inout HeldLocks) -> Set<HeldLocks.Chore>) {
        for chore in held.withLock({ body(&$0) }) { bells[chore.rawValue].notify() }
    }

    /// Renews everything that is due within half a period, so that one call serves all.
    private func renewDue(_ now: ContinuousClock.Instant) async {
        let due = held.withLock { $0.due(.renew, at: now, aheadBy: 1.0 / 6) }
        for start in stride(from: 0, to: due.count, by: Limits.batch) {
            let batch = Array(due[start..<min(start + Limits.batch, due.count)])
            let sent = ContinuousClock.now
            do {
                let renewals = try await tracker.perform(Renew(batch.map(\.claim)))
                for (context, renewal) in zip(batch, renewals) { note(renewal, of: context, sent: sent) }
            } catch {
                // The deadline decides when a lock must be given up; until then, try again.
                tracker.logger.debug("renewal failed", metadata: ["error": "\(error)", "tasks": "\(batch.count)"])
                postpone(batch)
            }
        }
    }

    private func note(_ renewal: Renewal, of context: ClaimContext, sent: ContinuousClock.Instant) {
        if case .stale = renewal.outcome { return lose(context) }
        if case .gone = renewal.outcome { return lose(context) }
        hold(context, sent: sent, until: renewal.end)
        if case .cancelRequested = renewal.outcome { context.stop(.cancelRequested) }
        if case .terminateRequested(let signal) = renewal.outcome { context.stop(.cancelRequested, signal: signal) }
    }

    /// Notes that a lock holds for another lease, or until `end` where that comes before: then another renewal gives nothing.
    private func hold(_ context: ClaimContext, sent: ContinuousClock.Instant, until end: Timestamp?) {
        let lease = context.claim.lease
        let (margin, whole) = (Self.margin(of: lease), sent + lease)
        var (renewal, deadline) = (sent + lease / 3, whole - margin)
        // The end is a moment of the server's clock, the deadline one of ours.
        if let end, let now = tracker.backend.estimatedNow {
            let last = ContinuousClock.now + (end - now)
            if last < whole {
                deadline = last - margin
                renewal = max(deadline, sent + lease / 10)
            }
        }
        change { held in
            held.change(context.claim.id) { lock in (lock.renewal, lock.deadline) = (renewal, deadline) }
        }
    }

    private func postpone(_ batch: [ClaimContext]) {
        change { held in
            batch.reduce(into: []) { early, context in
                let pause = min(context.claim.lease / 10, .seconds(1))
                early.formUnion(held.change(context.claim.id) { $0.renewal = .now + pause })
            }
        }
    }

    private func lose(_ context: ClaimContext) {
        // A task that has ended meanwhile is held no more; its late renewal says nothing.
        guard held.withLock({ $0.remove(context.claim.id) }) else { return }
        context.stop(.lockLost)
        onLost(context)
    }

    /// Asks work to stop, but not when its time stands still or began anew: only the tracker knows of all pauses. When it
    /// does not tell soon, the work is asked.
    private func limit(_ contexts: [ClaimContext]) async {
        let records = await look(at: contexts.map(\.claim.id))
        for (place, context) in contexts.enumerated() {
            let left = records?[place].flatMap { timeLeft(of: context.claim, $0) }
            change { held in held.change(context.claim.id) { $0.softLimit = left.map { .now + $0 } } }
            if left == nil { context.stop(.timeLimit) }
        }
    }

    /// How much longer the work may run when its task is paused by its holder, or was; nil when it was not.
    private func timeLeft(of claim: Claim, _ record: TaskRecord) -> Duration? {
        guard record.fence == claim.fence, let soft = claim.softDeadline, let began = record.began,
            let now = tracker.backend.estimatedNow
        else { return nil }
        // The time stands still while the task is paused, and begins anew after it.
        if record.state == .paused { return claim.lease / 3 }
        let left = max(began, record.updated) + (soft - claim.claimed) - now
        return left > .milliseconds(20) ? left : nil
    }

    private func look(at ids: [TaskID]) async -> [TaskRecord?]? {
        await withTaskGroup(of: [TaskRecord?]?.self) { group in
            group.addTask { try? await self.tracker.get(ids) }
            group.addTask {
                try? await Task.sleep(for: .seconds(1))
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
