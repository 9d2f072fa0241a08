import Logging
import Synchronization

/// Keeps the leases of held tasks: renews all of them in one call each third of a lease, and stops work whose lock is lost.
///
/// A holder trusts only its own monotonic clock: work is told to stop a margin before its lease can have run out on the
/// server, counted from the moment the claim or renewal was sent. So a holder that is cut off stops before another starts.
final class LeaseKeeper: Sendable {
    private struct Held {
        let context: ClaimContext
        var renewAt: ContinuousClock.Instant
        var deadline: ContinuousClock.Instant
        /// When the work is to be asked to stop; nil when it is not, or was.
        var softLimit: ContinuousClock.Instant?
    }

    private let tracker: Tracker
    private let held = Mutex<[TaskID: Held]>([:])
    private let renewNow = Signal()
    private let watchAgain = Signal()
    private let limitAgain = Signal()
    /// Called for each lock that was lost.
    private let onLost: @Sendable (ClaimContext) -> Void

    init(_ tracker: Tracker, onLost: @escaping @Sendable (ClaimContext) -> Void = { _ in }) {
        self.tracker = tracker
        self.onLost = onLost
    }

    /// Holds a claim that was asked for at `sent`.
    func add(_ contexts: [ClaimContext], sent: ContinuousClock.Instant) {
        guard !contexts.isEmpty else { return }
        held.withLock { held in
            for context in contexts {
                let lease = context.claim.lease
                held[context.claim.id] = Held(
                    context: context,
                    renewAt: sent + lease / 3,
                    deadline: sent + lease - Self.margin(of: lease),
                    softLimit: context.claim.softDeadline.map { sent + ($0 - context.claim.claimed) }
                )
            }
        }
        renewNow.notify()
        watchAgain.notify()
        if contexts.contains(where: { $0.claim.softDeadline != nil }) { limitAgain.notify() }
    }

    func remove(_ id: TaskID) { held.withLock { _ = $0.removeValue(forKey: id) } }

    /// Asks all held work to stop.
    func stopAll(_ reason: StopReason) {
        for context in held.withLock({ $0.values.map(\.context) }) { context.stop(reason) }
    }

    /// Gives up all locks of work that has not ended, and answers them.
    func loseAll() -> [ClaimHandle] {
        let contexts = held.withLock { held in
            defer { held.removeAll() }
            return held.values.map(\.context)
        }
        for context in contexts { context.stop(.lockLost) }
        return contexts.map(\.claim.handle)
    }

    /// Renews at once: something is known to have changed.
    func hurry() {
        held.withLock { held in for id in held.keys { held[id]?.renewAt = .now } }
        renewNow.notify()
    }

    /// How long before the end of a lease its holder stops: a tenth of it, at least 200 ms for leases of 2 s and more.
    static func margin(of lease: Duration) -> Duration {
        lease >= .seconds(2) ? max(.milliseconds(200), lease / 10) : lease / 10
    }

    /// Renews until cancelled.
    func renewLoop() async {
        while !Task.isCancelled {
            let next = held.withLock { $0.values.map(\.renewAt).min() }
            guard let next else {
                await renewNow.wait()
                continue
            }
            let now = ContinuousClock.now
            if next > now {
                await renewNow.wait(atMost: now.duration(to: next), clock: ContinuousClock())
            } else {
                await renewDue(now)
            }
        }
    }

    /// Renews everything that is due within half a period, so that one call serves all.
    private func renewDue(_ now: ContinuousClock.Instant) async {
        let due = held.withLock { held in
            held.values.filter { $0.renewAt <= now + $0.context.claim.lease / 6 }.map(\.context)
        }
        for start in stride(from: 0, to: due.count, by: Limits.batch) {
            let batch = Array(due[start..<min(start + Limits.batch, due.count)])
            let sent = ContinuousClock.now
            do {
                let outcomes = try await tracker.renew(batch.map(\.claim))
                for (context, outcome) in zip(batch, outcomes) { note(outcome, of: context, sent: sent) }
            } catch {
                // The deadline decides when a lock must be given up; until then, try again.
                tracker.logger.debug("renewal failed", metadata: ["error": "\(error)", "tasks": "\(batch.count)"])
                postpone(batch)
            }
        }
    }

    private func note(_ outcome: RenewOutcome, of context: ClaimContext, sent: ContinuousClock.Instant) {
        switch outcome {
        case .ending(let end):
            // The end is a moment of the server's clock, the deadline one of ours.
            guard let now = tracker.backend.estimatedNow else { return }
            let deadline = ContinuousClock.now + (end - now) - Self.margin(of: context.claim.lease)
            held.withLock { held in
                held[context.claim.id]?.renewAt = max(deadline, sent + context.claim.lease / 10)
                held[context.claim.id]?.deadline = deadline
            }
        case .renewed, .cancelRequested, .terminateRequested:
            let lease = context.claim.lease
            held.withLock { held in
                held[context.claim.id]?.renewAt = sent + lease / 3
                held[context.claim.id]?.deadline = sent + lease - Self.margin(of: lease)
            }
            if outcome == .cancelRequested { context.stop(.cancelRequested) }
            if case .terminateRequested(let signal) = outcome { context.stop(.cancelRequested, signal: signal) }
        case .stale, .gone:
            lose(context)
        }
    }

    private func postpone(_ batch: [ClaimContext]) {
        held.withLock { held in
            for context in batch { held[context.claim.id]?.renewAt = .now + min(context.claim.lease / 10, .seconds(1)) }
        }
    }

    private func lose(_ context: ClaimContext) {
        // A task that has ended meanwhile is held no more; its late renewal says nothing.
        guard held.withLock({ $0.removeValue(forKey: context.claim.id) }) != nil else { return }
        context.stop(.lockLost)
        onLost(context)
    }

    /// Stops work whose lease cannot be counted on any more, until cancelled.
    func watchLoop() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let (lost, next) = held.withLock { held in
                (
                    held.values.filter { $0.deadline <= now }.map(\.context),
                    held.values.lazy.filter { $0.deadline > now }.map(\.deadline).min()
                )
            }
            for context in lost { lose(context) }
            if let next {
                try? await ContinuousClock().sleep(until: min(next, now + .milliseconds(500)))
            } else {
                await watchAgain.wait()
            }
        }
    }

    /// Asks work to stop whose soft limit is over, until cancelled.
    func limitLoop() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let (due, next) = held.withLock { held in
                let limited = held.values.compactMap { item in item.softLimit.map { (item.context, $0) } }
                return (limited.filter { $0.1 <= now }.map(\.0), limited.map(\.1).filter { $0 > now }.min())
            }
            if !due.isEmpty {
                await limit(Array(due.prefix(Limits.batch)))
            } else if let next {
                await limitAgain.wait(atMost: now.duration(to: next), clock: ContinuousClock())
            } else {
                await limitAgain.wait()
            }
        }
    }

    /// Asks work to stop, but not when its time stands still or began anew: only the tracker knows of all pauses. When it
    /// does not tell soon, the work is asked.
    private func limit(_ contexts: [ClaimContext]) async {
        let records = await look(at: contexts.map(\.claim.id))
        for (place, context) in contexts.enumerated() {
            let left = records?[place].flatMap { timeLeft(of: context.claim, $0) }
            held.withLock { held in held[context.claim.id]?.softLimit = left.map { .now + $0 } }
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
