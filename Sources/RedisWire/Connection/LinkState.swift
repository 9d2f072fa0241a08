import NIOCore

/// Every decision about one connection and the commands that use it: when to connect, what to write, whose reply is
/// whose, who has waited long enough, when to give up.
///
/// A pure value: it knows neither sockets nor tasks nor clocks. Each event is a method that takes the time as an
/// argument and answers with the actions to perform. `Waiter` stands for whoever waits for a reply.
///
/// - Replies are matched in order. A caller that leaves early (cancelled, timed out) leaves its slot behind, and the
///   reply is thrown away when it comes. The order is never broken.
/// - A command is either in `queue` (no byte has left: outcome `notSent`) or in `inFlight` (outcome `unknown`).
/// - The commands in `inFlight` are bounded by number and by bytes. The others wait in `queue`, first come first served.
/// - A server that gives no reply to the oldest command in flight for a whole command time-out is taken for stuck, and
///   the connection is closed, whether or not anybody still waits for that reply.
struct LinkState<Waiter: Sendable>: Sendable {
    /// Whether the connection is opened anew when it is lost.
    enum Kind {
        /// Opened when needed, as often as needed.
        case shared
        /// One connection: it ends with its first failure, time-out or cancellation.
        case single
    }

    /// Bounds and times.
    struct Policy {
        var kind: Kind
        var endpoint: String
        var maxBytes: Int
        var maxWaiting: Int
        var connectTimeout: TimeAmount
        var commandTimeout: TimeAmount
        var idleTimeout: TimeAmount
        var backoff: RedisConfiguration.Backoff
    }

    enum Phase: Equatable {
        case disconnected(notBefore: NIODeadline)
        case connecting(until: NIODeadline)
        case ready
        /// Nothing more is written; the connection is closed after the last reply.
        case retiring
        case closed
    }

    /// A command that has not been written.
    struct Pending {
        let id: UInt64
        let command: RedisCommand
        let byteCount: Int
        let waiter: Waiter
        let timeout: TimeAmount
        let deadline: NIODeadline
        /// Whether `ASKING` is written directly before it, for a node of a cluster that does not own the slot yet.
        var isAsking = false
    }

    /// The place of a reply that is expected.
    struct Slot {
        let id: UInt64
        let byteCount: Int
        /// Whoever waits; `nil` when nobody does any more.
        var waiter: Waiter?
        let deadline: NIODeadline
        /// When the server counts as stuck if this is the oldest slot.
        let stallsAt: NIODeadline
    }

    /// What the shell must do after an event.
    struct Actions {
        /// Start to connect, under this generation.
        var connect: Int?
        /// Call `takeWritable` on the event loop.
        var drain = false
        /// Close the connection of this generation.
        var close: Int?
        /// Call `timerFired` at this time.
        var timer: NIODeadline?
        /// Callers to be resumed with an error.
        var failed: [(Waiter, RedisError)] = []
        /// The link has ended; nothing follows.
        var ended = false
    }

    let policy: Policy
    var phase = Phase.disconnected(notBefore: .uptimeNanoseconds(0))
    /// Grows with each try to connect; events of earlier connections are ignored.
    var generation = 0
    /// Failures in a row.
    var failures = 0
    var lastFailure: RedisError?
    /// Why no further command is accepted.
    var ending: RedisError?
    var queue = CircularBuffer<Pending>()
    var inFlight = CircularBuffer<Slot>()
    var bytesInFlight = 0
    var drainScheduled = false
    /// The time of the timer that counts; others that fire are ignored.
    var armed: NIODeadline?
    var lastUse = NIODeadline.uptimeNanoseconds(0)

    init(policy: Policy) {
        self.policy = policy
    }

    var isReady: Bool { phase == .ready }

    /// Whether a connection of this generation is the one that is wanted.
    func isConnecting(generation: Int) -> Bool {
        guard generation == self.generation, case .connecting = phase else { return false }
        return true
    }

    // MARK: Callers

    /// A caller hands over a command.
    ///
    /// - Parameter isCancelled: Whether the caller's task has been cancelled already.
    mutating func enqueue(_ pending: Pending, isCancelled: Bool = false, now: NIODeadline) -> Actions {
        var actions = Actions()
        if isCancelled {
            actions.failed = [(pending.waiter, cancelledEarly())]
            return actions
        }
        if let ending {
            actions.failed = [(pending.waiter, ending.with(outcome: .notSent))]
            return actions
        }
        queue.append(pending)
        arm(pending.deadline, &actions)
        advance(now: now, &actions)
        return actions
    }

    /// A caller's task was cancelled. Answers the caller, if it still waits, and its error.
    mutating func cancel(id: UInt64, now: NIODeadline) -> Actions {
        var actions = Actions()
        if let index = queue.firstIndex(where: { $0.id == id }) {
            let pending = queue.remove(at: index)
            actions.failed.append((pending.waiter, cancelledEarly()))
        } else if let index = inFlight.firstIndex(where: { $0.id == id }), let waiter = inFlight[index].waiter {
            inFlight[index].waiter = nil
            actions.failed.append((waiter, error(.cancelled, .unknown, "cancelled while it waited for its reply")))
            if policy.kind == .single {
                breakConnection(error(.connectionClosed, .unknown, "closed by a cancelled call"), now: now, &actions)
            }
        }
        return actions
    }

    /// No more commands: those in the queue fail, and the connection closes; a shared one after the last reply.
    mutating func shutDown(_ reason: RedisError, now: NIODeadline) -> Actions {
        var actions = Actions()
        guard ending == nil else { return actions }
        ending = reason
        failQueue(reason, &actions)
        switch phase {
        case .ready where policy.kind == .shared, .retiring:
            phase = .retiring
            finishRetiring(&actions)
        case .connecting, .ready:
            breakConnection(reason, now: now, &actions)
        case .disconnected:
            end(&actions)
        case .closed:
            break
        }
        return actions
    }

    // MARK: The connection

    /// The commands that may be written now; they count as in flight from here on. Called on the event loop.
    mutating func takeWritable(generation: Int, now: NIODeadline, into batch: inout [RedisCommand]) -> Actions {
        var actions = Actions()
        drainScheduled = false
        guard generation == self.generation, phase == .ready else { return actions }
        while let next = queue.first, hasRoom(for: next) {
            queue.removeFirst()
            bytesInFlight += next.byteCount
            if next.isAsking { takeAsking(before: next, now: now, into: &batch) }
            inFlight.append(
                Slot(
                    id: next.id,
                    byteCount: next.byteCount,
                    waiter: next.waiter,
                    deadline: next.deadline,
                    stallsAt: now + next.timeout
                )
            )
            batch.append(next.command)
        }
        if let oldest = inFlight.first { arm(oldest.stallsAt, &actions) }
        return actions
    }

    /// The reply to `ASKING` has a place of its own, where nobody waits.
    private mutating func takeAsking(before next: Pending, now: NIODeadline, into batch: inout [RedisCommand]) {
        inFlight.append(
            Slot(id: 0, byteCount: 0, waiter: nil, deadline: next.deadline, stallsAt: now + next.timeout)
        )
        batch.append(RedisCommand("ASKING"))
    }

    /// Replies have come: `waiters` receives one entry for each, `nil` where nobody waits any more.
    ///
    /// - Parameter retiring: One of the replies says that another connection may fare better: no more is written, and
    ///   after the last reply the next command connects anew.
    /// - Returns: False if there are more replies than commands in flight; the connection is then in disorder.
    mutating func takeWaiters(
        _ count: Int,
        generation: Int,
        retiring: Bool,
        now: NIODeadline,
        into waiters: inout [Waiter?]
    ) -> (inOrder: Bool, actions: Actions) {
        var actions = Actions()
        guard generation == self.generation else { return (true, actions) }
        let known = min(count, inFlight.count)
        for _ in 0..<known {
            let slot = inFlight.removeFirst()
            bytesInFlight -= slot.byteCount
            waiters.append(slot.waiter)
        }
        lastUse = now
        failures = 0
        lastFailure = nil
        if retiring && phase == .ready { phase = .retiring }
        finishRetiring(&actions)
        advance(now: now, &actions)
        return (known == count, actions)
    }

    /// The connection is open and the server has accepted us.
    mutating func connected(generation: Int, now: NIODeadline) -> Actions {
        var actions = Actions()
        guard isConnecting(generation: generation) else { return actions }
        phase = .ready
        lastUse = now
        arm(now + policy.idleTimeout, &actions)
        advance(now: now, &actions)
        return actions
    }

    /// The connection could not be made, or was lost.
    ///
    /// - Parameter random: From 0 to 1, for the pause before the next try.
    mutating func disconnected(generation: Int, _ error: RedisError, now: NIODeadline, random: Double) -> Actions {
        var actions = Actions()
        guard generation == self.generation else { return actions }
        switch phase {
        case .disconnected, .closed:
            return actions
        case .connecting, .ready, .retiring:
            lose(error, now: now, random: random, &actions)
            advance(now: now, &actions)
            return actions
        }
    }
}
