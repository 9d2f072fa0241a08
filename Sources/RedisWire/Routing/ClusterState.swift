import NIOCore

/// Every decision about the slot map of a cluster: what is known, when it is asked for again, and whom.
///
/// A pure value, as `LinkState` is. `Waiter` stands for a call that waits for the first map.
///
/// - One question at a time, and a pause after each. What comes up meanwhile leads to one more question.
/// - A `MOVED` is believed at once, for its slot; the node that it names is the first to be asked for the whole map,
///   because others may hear of the change later.
struct ClusterState<Waiter: Sendable>: Sendable {
    typealias Endpoint = RedisConfiguration.Endpoint

    enum Refresh: Equatable {
        case idle
        /// After the pause.
        case planned(NIODeadline)
        /// - again: Something happened that the answer may not know.
        case running(again: Bool)
    }

    /// What the shell must do after an event.
    struct Actions {
        /// Ask the nodes for the map now.
        var refresh = false
        /// Call `refreshDue` at this time.
        var timer: NIODeadline?
        /// Calls to go on: with a map, or with an error.
        var resumed: [(Waiter, RedisError?)] = []
        /// Slots may have another owner.
        var hasNewMap = false
    }

    /// Between the end of one question and the next.
    static var pause: TimeAmount { .milliseconds(100) }

    private(set) var map = SlotMap()
    private(set) var refresh = Refresh.idle
    /// Why no further call is accepted.
    private(set) var ending: RedisError?
    private var notBefore = NIODeadline.uptimeNanoseconds(0)
    private var waiting: [UInt64: Waiter] = [:]
    private var lastFailure: RedisError?
    /// The node that knows most, and the one that is least likely to answer.
    private var informed: Endpoint?
    private var suspect: Endpoint?

    // MARK: Calls

    /// A call has no map to go by.
    mutating func wait(id: UInt64, _ waiter: Waiter, isCancelled: Bool, now: NIODeadline) -> Actions {
        if let ending { return Actions(resumed: [(waiter, ending)]) }
        if isCancelled { return Actions(resumed: [(waiter, Self.cancelled)]) }
        if !map.isEmpty { return Actions(resumed: [(waiter, nil)]) }
        waiting[id] = waiter
        return wantRefresh(now: now)
    }

    /// A waiting call was cancelled.
    mutating func cancel(id: UInt64) -> Actions {
        guard let waiter = waiting.removeValue(forKey: id) else { return Actions() }
        return Actions(resumed: [(waiter, Self.cancelled)])
    }

    /// A waiting call's time is over.
    mutating func expire(id: UInt64) -> Actions {
        guard let waiter = waiting.removeValue(forKey: id) else { return Actions() }
        let late = RedisError(
            code: .timedOut,
            outcome: .notSent,
            message: "no node of the cluster told its slots in time"
        )
        return Actions(resumed: [(waiter, lastFailure ?? late)])
    }

    /// A node says that a slot belongs to another.
    mutating func moved(_ slot: HashSlot, to endpoint: Endpoint, now: NIODeadline) -> Actions {
        guard ending == nil else { return Actions() }
        let isNews = map[slot] != endpoint
        map.setOwner(endpoint, of: slot)
        informed = endpoint
        var actions = wantRefresh(now: now)
        actions.hasNewMap = isNews
        return actions
    }

    /// A node does not answer, or not as the owner of its slots.
    mutating func failed(_ endpoint: Endpoint, now: NIODeadline) -> Actions {
        suspect = endpoint
        return wantRefresh(now: now)
    }

    // MARK: The map

    /// The map may be wrong.
    mutating func wantRefresh(now: NIODeadline) -> Actions {
        var actions = Actions()
        guard ending == nil else { return actions }
        switch refresh {
        case .idle where notBefore <= now:
            refresh = .running(again: false)
            actions.refresh = true
        case .idle:
            refresh = .planned(notBefore)
            actions.timer = notBefore
        case .running:
            refresh = .running(again: true)
        case .planned:
            break
        }
        return actions
    }

    /// The timer for a planned refresh fired.
    mutating func refreshDue(now: NIODeadline) -> Actions {
        guard case .planned(let time) = refresh, time <= now, ending == nil else { return Actions() }
        refresh = .running(again: false)
        return Actions(refresh: true)
    }

    /// Whom to ask, best first.
    ///
    /// - Parameter turn: Any number; rotates the primaries, so that many clients do not all ask the same.
    mutating func candidates(seeds: [Endpoint], turn: Int) -> [Endpoint] {
        let owners = map.owners
        let start = owners.isEmpty ? 0 : turn % owners.count
        let others = owners[start...] + owners[..<start] + map.replicas + seeds
        let last = suspect.flatMap { others.contains($0) ? $0 : nil }
        let first = informed.map { [$0] } ?? []
        informed = nil
        suspect = nil
        var seen: Set<Endpoint> = []
        let ordered = first + others.filter { $0 != last } + (last.map { [$0] } ?? [])
        return ordered.filter { seen.insert($0).inserted }
    }

    /// A node has told the map.
    mutating func refreshed(_ map: SlotMap, now: NIODeadline) -> Actions {
        guard ending == nil else { return Actions() }
        self.map = map
        lastFailure = nil
        var actions = endRefresh(now: now)
        actions.hasNewMap = true
        actions.resumed = waiting.values.map { ($0, nil) }
        waiting.removeAll()
        return actions
    }

    /// Nobody has told the map.
    mutating func refreshFailed(_ failure: RedisError, now: NIODeadline) -> Actions {
        guard ending == nil else { return Actions() }
        lastFailure = failure
        var actions = endRefresh(now: now)
        actions.resumed = waiting.values.map { ($0, failure) }
        waiting.removeAll()
        return actions
    }

    /// The client closes.
    mutating func shutDown(_ reason: RedisError) -> Actions {
        guard ending == nil else { return Actions() }
        ending = reason
        defer { waiting.removeAll() }
        return Actions(resumed: waiting.values.map { ($0, reason) })
    }

    private mutating func endRefresh(now: NIODeadline) -> Actions {
        notBefore = now + Self.pause
        let again = refresh == .running(again: true)
        refresh = .idle
        return again ? wantRefresh(now: now) : Actions()
    }

    private static var cancelled: RedisError {
        RedisError(code: .cancelled, outcome: .notSent, message: "cancelled before it was sent")
    }
}
