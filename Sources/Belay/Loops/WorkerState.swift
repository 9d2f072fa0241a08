/// What a worker decides by: a pure value, so that its decisions are tested without a server.
struct WorkerState {
    let slots: Int
    let drain: Worker.DrainRule?
    /// Handlers that run.
    private(set) var running = 0
    /// Ends that are not written yet.
    private(set) var unsettled: [Settlement] = []
    /// Ends that are being written.
    private(set) var settling = 0
    private(set) var isStopping = false
    /// Tasks that ended well, and otherwise.
    private(set) var counts = (succeeded: 0, otherwise: 0)
    /// When the last attempts failed; empty after a success.
    private var failures: [ContinuousClock.Instant] = []
    /// Whether it stops because its last attempts all failed.
    private(set) var isDrained = false

    init(slots: Int, drain: Worker.DrainRule? = nil) {
        self.slots = slots
        self.drain = drain
    }

    /// How many tasks to claim now: the free slots, but no more held tasks than twice the slots, so that a server that
    /// does not take completions is not asked for more work.
    var room: Int {
        guard !isStopping else { return 0 }
        return max(0, min(slots - running, 2 * slots - running - unsettled.count - settling, Limits.batch))
    }

    /// Whether everything has ended and is written.
    var isIdle: Bool { running == 0 && unsettled.isEmpty && settling == 0 }

    mutating func started(_ count: Int) { running += count }

    /// Notes an end. Answers whether the worker is to stop now by its drain rule.
    mutating func ended(_ settlement: Settlement, at now: ContinuousClock.Instant = .now) -> Bool {
        running -= 1
        if case .complete = settlement { counts.succeeded += 1 } else { counts.otherwise += 1 }
        unsettled.append(settlement)
        guard let drain, !isDrained else { return false }
        switch settlement {
        case .complete: failures = []
        case .fail(_, _, .cancelled), .snooze, .release, .drop: return false  // says nothing about this worker
        case .fail: failures = failures.suffix(drain.failures - 1) + [now]
        }
        guard failures.count == drain.failures, failures[0].duration(to: now) <= drain.within else { return false }
        isDrained = true
        isStopping = true
        return true
    }

    /// The next ends to write.
    mutating func takeUnsettled() -> [Settlement] {
        let batch = Array(unsettled.prefix(Limits.batch))
        unsettled.removeFirst(batch.count)
        settling = batch.count
        return batch
    }

    mutating func settled() { settling = 0 }

    mutating func stop() { isStopping = true }
}
