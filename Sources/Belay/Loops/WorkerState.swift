/// What a worker decides by: a pure value, so that its decisions are tested without a server.
struct WorkerState {
    /// So many tasks are worth a second call beside one that is under way.
    static let many = 32

    let slots: Int
    let drain: Worker.DrainRule?
    /// Handlers that run.
    private(set) var running = 0
    /// Ends that are not written yet.
    private(set) var unsettled: [Settlement] = []
    /// Ends that are being written.
    private(set) var settling = 0
    private(set) var isStopping = false
    /// Tasks that the claims under way ask for, by lane.
    private var asked = [0, 0]
    /// Whether the last claim found as many tasks as it asked for.
    private var isAmple = false
    /// Whether the worker may still stand in line for a wake-up.
    private(set) var mayBeWaiting = false
    /// Claims that failed in a row.
    private var failedClaims = 0
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

    /// What the claiming loop does next.
    enum Step: Hashable {
        /// It asks for so many tasks.
        case claim(Int, lane: Int)
        case wait
        case stop
    }

    /// How many more tasks may be asked for: the free slots, but no more held tasks than twice the slots, so that a server
    /// that does not take completions is not asked for more work.
    private var room: Int {
        let taken = running + asked[0] + asked[1]
        return max(0, min(slots - taken, 2 * slots - taken - unsettled.count - settling, Limits.batch))
    }

    /// The next step; what is asked for counts as taken until ``started(_:lane:)``.
    ///
    /// A second call goes out beside one that is under way when it is to ask for many and the tracker had as many as it
    /// was asked for: then the server has the next call at hand when it has answered one.
    mutating func nextClaim() -> Step {
        if isStopping { return .stop }
        let room = room
        guard room > 0, let lane = asked.firstIndex(of: 0) else { return .wait }
        if asked[1 - lane] > 0, !isAmple || room < Self.many { return .wait }
        asked[lane] = room
        return .claim(room, lane: lane)
    }

    /// Notes how many tasks a call found. Nothing: the worker stands in line for a wake-up now. Something: it does not
    /// any more, if the call was told to take it out.
    mutating func answered(_ count: Int, leftLine: Bool) {
        failedClaims = 0
        if count == 0 { mayBeWaiting = true } else if leftLine { mayBeWaiting = false }
    }

    /// Notes that a call failed; answers how many did in a row.
    mutating func failed() -> Int {
        failedClaims += 1
        return failedClaims
    }

    /// Notes that a call is over, and that so many tasks run now.
    mutating func started(_ count: Int, lane: Int) {
        isAmple = count == asked[lane]
        asked[lane] = 0
        running += count
    }

    /// Whether everything has ended and is written.
    var isIdle: Bool { running == 0 && unsettled.isEmpty && settling == 0 && asked == [0, 0] }

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

    /// The next ends to write; none while others are being written, unless there are many.
    mutating func takeUnsettled() -> [Settlement] {
        if settling > 0, unsettled.count < Self.many { return [] }
        let batch = Array(unsettled.prefix(Limits.batch))
        unsettled.removeFirst(batch.count)
        settling += batch.count
        return batch
    }

    mutating func settled(_ count: Int) { settling -= count }

    mutating func stop() { isStopping = true }
}
