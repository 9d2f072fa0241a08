import Logging
import NIOCore
import Synchronization

/// The connection of one subscription: performs what `SubscriptionState` decides.
final class SubscriptionLink: Sendable {
    typealias Waiter = CheckedContinuation<RedisSubscription.Event?, Never>

    private let state: Mutex<SubscriptionState<Waiter>>
    private let channels: [String]
    private let route: Route
    private let configuration: RedisConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let onEnd: @Sendable (SubscriptionLink) -> Void
    /// The open connection; touched on the event loop only.
    private let handler: NIOLoopBoundBox<ReplyHandler?>
    /// The server of the latest try to connect; touched on the event loop only.
    private let endpoint: NIOLoopBoundBox<RedisConfiguration.Endpoint?>

    /// Which server is asked.
    struct Route: Sendable {
        /// Asked before each try to connect; `nil` when it is not known yet.
        let connector: @Sendable () -> Connector?
        /// Called after each failed try, and when the connection is lost.
        var onLoss: @Sendable (RedisConfiguration.Endpoint?) -> Void = { _ in }
    }

    /// - Parameter onEnd: Called once, when the subscription has ended for good.
    init(
        channels: [String],
        route: Route,
        configuration: RedisConfiguration,
        eventLoop: any EventLoop,
        logger: Logger,
        onEnd: @escaping @Sendable (SubscriptionLink) -> Void
    ) {
        state = Mutex(SubscriptionState(channelCount: channels.count, backoff: configuration.reconnectBackoff))
        self.channels = channels
        self.route = route
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.onEnd = onEnd
        handler = .makeEmptyBox(valueType: ReplyHandler.self, eventLoop: eventLoop)
        endpoint = .makeEmptyBox(valueType: RedisConfiguration.Endpoint.self, eventLoop: eventLoop)
    }

    /// The next event; `nil` once the subscription has ended. For one reader at a time.
    func next() async -> RedisSubscription.Event? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                perform(state.withLock { $0.next(waiter) })
            }
        } onCancel: {
            shutDown()
        }
    }

    /// Ends the subscription; does not wait.
    func shutDown() {
        perform(state.withLock { $0.shutDown() })
    }

    /// The route may have changed: connects anew if it leads to another server now.
    func reroute() {
        eventLoop.execute {
            guard let next = self.route.connector()?.configuration.endpoint, next != self.endpoint.value else { return }
            self.perform(self.state.withLock { $0.reroute() })
        }
    }

    private func perform(_ actions: SubscriptionState<Waiter>.Actions) {
        if let (waiter, event) = actions.resume {
            waiter.resume(returning: event)
        }
        if let generation = actions.close {
            eventLoop.execute { self.close(generation) }
        }
        if let generation = actions.connect {
            eventLoop.execute { self.connect(generation) }
        }
        if let pause = actions.reconnectAfter {
            eventLoop.scheduleTask(in: TimeAmount(rounding: pause)) {
                self.perform(self.state.withLock { $0.pauseEnded() })
            }
        }
        if let isReading = actions.setReading {
            eventLoop.execute { self.handler.value?.setReading(isReading) }
        }
        if actions.ended {
            onEnd(self)
        }
    }

    // MARK: On the event loop

    private func connect(_ generation: Int) {
        let connector = route.connector()
        endpoint.value = connector?.configuration.endpoint
        if let connector {
            connector.connect(on: eventLoop, generation: generation, receiver: self)
        } else {
            giveUp("the cluster's nodes are not known yet", generation: generation)
        }
    }

    private func close(_ generation: Int) {
        guard let open = handler.value, open.generation == generation else { return }
        handler.value = nil
        open.close()
    }

    /// Looks after the connection until it is closed.
    private func watch(generation: Int, after pause: Duration) {
        eventLoop.scheduleTask(in: TimeAmount(rounding: pause)) {
            guard let open = self.handler.value, open.generation == generation else { return }
            let configuration = self.configuration
            switch self.state.withLock({ $0.checkLiveness(generation: generation) }) {
            case .alive:
                self.watch(generation: generation, after: configuration.pingInterval / 2)
            case .inDoubt:
                open.write([RedisCommand("PING")])
                self.watch(generation: generation, after: configuration.commandTimeout)
            case .dead:
                self.giveUp("no answer to PING", generation: generation)
            }
        }
    }

    private func giveUp(_ message: String, generation: Int) {
        let error = RedisError(
            code: .connectionClosed,
            outcome: .unknown,
            message: message,
            endpoint: endpoint.value?.description
        )
        connectionLost(error, generation: generation)
    }
}

extension SubscriptionLink: ReplyReceiver {
    func connectionOpened(_ opened: ReplyHandler) {
        let generation = opened.generation
        let isWanted = state.withLock { $0.phase == .connecting && $0.generation == generation }
        guard isWanted else {
            opened.close()
            return
        }
        handler.value = opened
        let timeout = TimeAmount(rounding: configuration.connectTimeout)
        eventLoop.scheduleTask(in: timeout) {
            let isLate = self.state.withLock { state in
                switch state.phase {
                case .connecting, .confirming: state.generation == generation
                case .idle, .live, .pausing, .ended: false
                }
            }
            if isLate { self.giveUp("no subscription within the connect time-out", generation: generation) }
        }
    }

    func connectionReady(generation: Int) {
        let actions = state.withLock { $0.connected(generation: generation) }
        if actions.subscribe {
            var arguments = RedisArguments()
            for channel in channels { arguments.append(channel) }
            handler.value?.write([RedisCommand("SUBSCRIBE", arguments)])
            watch(generation: generation, after: configuration.pingInterval / 2)
        }
        perform(actions)
    }

    func connectionReceived(_ replies: inout [RedisReply], generation: Int) {
        for reply in replies {
            do throws(RedisError) {
                let actions = try state.withLock { state throws(RedisError) in
                    try state.receive(reply, generation: generation)
                }
                perform(actions)
            } catch {
                connectionLost(error, generation: generation)
                return
            }
        }
    }

    func connectionLost(_ error: RedisError, generation: Int) {
        let actions = state.withLock {
            $0.lost(generation: generation, isRetriable: error.isRetriable, random: .random(in: 0...1))
        }
        let level: Logger.Level = error.isRetriable ? .debug : .warning
        logger.log(level: level, "subscription interrupted", metadata: ["error": "\(error)"])
        perform(actions)
        route.onLoss(endpoint.value)
    }
}
