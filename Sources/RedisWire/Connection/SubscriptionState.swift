import NIOCore

/// Every decision about one subscription: when to connect and subscribe, what to hand to the reader, when to stop
/// reading, when the connection counts as dead.
///
/// A pure value, as `LinkState` is. `Waiter` stands for the reader that waits for the next event.
struct SubscriptionState<Waiter: Sendable>: Sendable {
    typealias Event = RedisSubscription.Event

    enum Phase: Equatable {
        case idle
        case connecting
        /// The number of channels whose confirmation is missing.
        case confirming(Int)
        case live
        /// Pausing until the next try.
        case pausing
        case ended
    }

    enum Liveness: Equatable {
        case heard
        case silent
        case pinged
    }

    enum Verdict: Equatable {
        /// Look again after half the time that may pass in silence.
        case alive
        /// Send `PING`, and look again after the time that its answer may take.
        case inDoubt
        case dead
    }

    struct Actions {
        var connect: Int?
        var reconnectAfter: Duration?
        var subscribe = false
        var close: Int?
        var setReading: Bool?
        var resume: (waiter: Waiter, event: Event?)?
        var ended = false
    }

    /// The socket is not read while this many events wait for the reader.
    static var highWater: Int { 1024 }

    let channelCount: Int
    let backoff: RedisConfiguration.Backoff
    var phase = Phase.idle
    var generation = 0
    var failures = 0
    var mailbox = CircularBuffer<Event>()
    var waiter: Waiter?
    var isReading = true
    var liveness = Liveness.heard

    init(channelCount: Int, backoff: RedisConfiguration.Backoff) {
        self.channelCount = channelCount
        self.backoff = backoff
    }

    /// The reader wants the next event.
    mutating func next(_ waiter: Waiter) -> Actions {
        var actions = Actions()
        if let event = mailbox.popFirst() {
            actions.resume = (waiter, event)
            if !isReading && mailbox.count < Self.highWater / 2 {
                isReading = true
                actions.setReading = true
            }
        } else if phase == .ended {
            actions.resume = (waiter, nil)
        } else {
            self.waiter = waiter
            if phase == .idle && channelCount > 0 { connect(&actions) }
        }
        return actions
    }

    /// The reader has gone, or the client closes. Events that have come already are dropped.
    mutating func shutDown() -> Actions {
        var actions = Actions()
        guard phase != .ended else { return actions }
        actions.close = generation
        actions.ended = true
        phase = .ended
        mailbox.removeAll()
        if let waiter {
            actions.resume = (waiter, nil)
            self.waiter = nil
        }
        return actions
    }

    /// The pause after a failure is over.
    mutating func pauseEnded() -> Actions {
        var actions = Actions()
        if phase == .pausing { connect(&actions) }
        return actions
    }

    /// Another server is to be asked from now on.
    mutating func reroute() -> Actions {
        var actions = Actions()
        switch phase {
        case .connecting, .confirming, .live:
            actions.close = generation
            connect(&actions)
        case .pausing:
            connect(&actions)
        case .idle, .ended:
            break
        }
        return actions
    }

    /// The server has accepted us.
    mutating func connected(generation: Int) -> Actions {
        var actions = Actions()
        guard generation == self.generation, phase == .connecting else { return actions }
        phase = .confirming(channelCount)
        liveness = .heard
        isReading = true
        actions.subscribe = true
        return actions
    }

    /// The connection could not be made, or was lost, or is in disorder.
    mutating func lost(generation: Int, isRetriable: Bool, random: Double) -> Actions {
        var actions = Actions()
        guard generation == self.generation, phase != .ended, phase != .pausing else { return actions }
        phase = .pausing
        failures += 1
        actions.close = generation
        let pause = backoff.pause(afterFailures: failures, random: random)
        actions.reconnectAfter = isRetriable ? pause : max(pause, .seconds(1))
        return actions
    }

    /// A message of the server.
    ///
    /// - Throws: An error reply, or something that no subscription receives: the connection is then to be given up.
    mutating func receive(_ reply: RedisReply, generation: Int) throws(RedisError) -> Actions {
        var actions = Actions()
        guard generation == self.generation else { return actions }
        liveness = .heard
        if case .error(let error) = reply { throw RedisError(error, command: "SUBSCRIBE", endpoint: nil) }
        switch (try Push(reply), phase) {
        case (.confirmation, .confirming(let missing)):
            phase = missing > 1 ? .confirming(missing - 1) : .live
            if phase == .live {
                failures = 0
                deliver(.subscribed, &actions)
            }
        case (.message(let channel, let payload), _):
            deliver(.message(channel: channel, payload: payload), &actions)
        case (.confirmation, _), (.pong, _):
            break
        }
        return actions
    }

    /// Time for a look whether the connection lives: silence leads to a `PING`, silence after that to its end.
    mutating func checkLiveness(generation: Int) -> Verdict {
        // A reader that is behind has stopped the socket; silence then means nothing.
        guard generation == self.generation, isReading else { return .alive }
        switch liveness {
        case .heard:
            liveness = .silent
            return .alive
        case .silent:
            liveness = .pinged
            return .inDoubt
        case .pinged:
            return .dead
        }
    }

    private mutating func connect(_ actions: inout Actions) {
        generation += 1
        phase = .connecting
        actions.connect = generation
    }

    private mutating func deliver(_ event: Event, _ actions: inout Actions) {
        if let waiter {
            actions.resume = (waiter, event)
            self.waiter = nil
            return
        }
        mailbox.append(event)
        if isReading && mailbox.count >= Self.highWater {
            isReading = false
            actions.setReading = false
        }
    }
}

/// What a server sends to a subscriber.
enum Push: Equatable {
    case confirmation
    case message(channel: String, payload: [UInt8])
    case pong

    init(_ reply: RedisReply) throws(RedisError) {
        let parts = reply.elements ?? []
        switch (parts.first?.string, parts.count) {
        case ("subscribe", 3): self = .confirmation
        case ("pong", 2): self = .pong
        case ("message", 3):
            guard let channel = parts[1].string, let payload = parts[2].rawBytes else { fallthrough }
            self = .message(channel: channel, payload: payload)
        default:
            throw RedisError(
                code: .protocolViolation,
                outcome: .unknown,
                message: "a reply that no subscription receives"
            )
        }
    }
}
