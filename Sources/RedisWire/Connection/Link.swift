import Logging
import NIOCore
import Synchronization

/// One connection that many callers share, opened when it is needed: performs what `LinkState` decides.
///
/// Callers hand over commands under a lock. One task of the event loop then writes all that have gathered since and
/// flushes once; the replies of one read are matched under the lock once, and their callers resumed together after it.
final class Link: Sendable {
    typealias Waiter = CheckedContinuation<Result<RedisReply, RedisError>, Never>

    private let state: Mutex<LinkState<Waiter>>
    private let connector: Connector
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let lastID = Atomic<UInt64>(0)
    /// The open connection; touched on the event loop only.
    private let handler: NIOLoopBoundBox<ReplyHandler?>
    private let ended: Ending
    private let onLoss: (@Sendable () -> Void)?

    /// - Parameter onLoss: Called each time when the connection could not be made, or was lost.
    init(
        kind: LinkState<Waiter>.Kind,
        connector: Connector,
        eventLoop: any EventLoop,
        logger: Logger,
        onLoss: (@Sendable () -> Void)? = nil
    ) {
        let configuration = connector.configuration
        let policy = LinkState<Waiter>.Policy(
            kind: kind,
            endpoint: configuration.endpoint.description,
            maxBytes: configuration.maxBytesInFlight,
            maxWaiting: configuration.maxWaiting,
            connectTimeout: TimeAmount(rounding: configuration.connectTimeout),
            commandTimeout: TimeAmount(rounding: configuration.commandTimeout),
            idleTimeout: TimeAmount(rounding: configuration.idleTimeout),
            backoff: configuration.reconnectBackoff
        )
        state = Mutex(LinkState(policy: policy))
        self.connector = connector
        self.eventLoop = eventLoop
        self.logger = logger
        handler = .makeEmptyBox(valueType: ReplyHandler.self, eventLoop: eventLoop)
        ended = Ending()
        self.onLoss = onLoss
    }

    /// Whether the connection is open and logged in.
    var isConnected: Bool { state.withLock { $0.isReady } }

    /// Sends a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - asking: Whether to write `ASKING` directly before the command, and to throw its reply away.
    ///   - timeout: From now to the reply.
    /// - Returns: The reply, which may be an error reply, or why there is none.
    func send(
        _ command: RedisCommand,
        asking: Bool = false,
        timeout: TimeAmount
    ) async -> Result<RedisReply, RedisError> {
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        let now = NIODeadline.now()
        let shielded = RedisClient.ignoresCancellation
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let pending = LinkState<Waiter>.Pending(
                    id: id,
                    command: command,
                    byteCount: command.byteCount,
                    waiter: waiter,
                    timeout: timeout,
                    deadline: now + timeout,
                    isAsking: asking
                )
                submit(pending, now: now)
            }
        } onCancel: {
            if !shielded { perform(state.withLock { $0.cancel(id: id, now: .now()) }) }
        }
    }

    private func submit(_ pending: LinkState<Waiter>.Pending, now: NIODeadline) {
        let actions = state.withLock { state in
            // Asked under the lock: a cancellation before this point has found nothing, one after it finds the command.
            state.enqueue(pending, isCancelled: Task.isCancelled && !RedisClient.ignoresCancellation, now: now)
        }
        perform(actions)
    }

    /// Ends the link; does not wait.
    func shutDown(_ reason: RedisError) {
        perform(state.withLock { $0.shutDown(reason, now: .now()) })
    }

    /// Ends the link and waits until replies in flight have come, or their time is over.
    func close(_ reason: RedisError) async {
        shutDown(reason)
        await ended.wait()
    }

    private func perform(_ actions: LinkState<Waiter>.Actions) {
        for (waiter, error) in actions.failed {
            waiter.resume(returning: .failure(error))
        }
        if actions.drain {
            eventLoop.execute { self.drain() }
        }
        if let generation = actions.close {
            eventLoop.execute { self.close(generation) }
        }
        if let generation = actions.connect {
            eventLoop.execute { self.connector.connect(on: self.eventLoop, generation: generation, receiver: self) }
        }
        if let time = actions.timer {
            eventLoop.scheduleTask(deadline: time) { self.timerFired(time) }
        }
        if actions.ended {
            ended.finish()
        }
    }

    // MARK: On the event loop

    private func drain() {
        var batch: [RedisCommand] = []
        let handler = handler.value
        let generation = handler?.generation ?? 0
        let actions = state.withLock {
            $0.takeWritable(generation: generation, now: .now(), into: &batch)
        }
        handler?.write(batch)
        perform(actions)
    }

    private func close(_ generation: Int) {
        guard let open = handler.value, open.generation == generation else { return }
        handler.value = nil
        open.close()
    }

    private func timerFired(_ time: NIODeadline) {
        perform(state.withLock { $0.timerFired(at: time, now: .now(), random: .random(in: 0...1)) })
    }
}

extension Link: ReplyReceiver {
    func connectionOpened(_ opened: ReplyHandler) {
        let generation = opened.generation
        guard state.withLock({ $0.isConnecting(generation: generation) }) else {
            opened.close()
            return
        }
        handler.value = opened
    }

    func connectionReady(generation: Int) {
        perform(state.withLock { $0.connected(generation: generation, now: .now()) })
        logger.debug("connected", metadata: ["endpoint": "\(connector.configuration.endpoint)"])
    }

    func connectionReceived(_ replies: inout [RedisReply], generation: Int) {
        let count = replies.count
        let retiring = replies.contains { reply in
            if case .error(let error) = reply { error.callsForNewConnection } else { false }
        }
        var waiters: [Waiter?] = []
        waiters.reserveCapacity(count)
        let (inOrder, actions) = state.withLock {
            $0.takeWaiters(count, generation: generation, retiring: retiring, now: .now(), into: &waiters)
        }
        for (waiter, reply) in zip(waiters, replies) {
            waiter?.resume(returning: .success(reply))
        }
        perform(actions)
        if !inOrder {
            loseOrder(generation: generation)
        }
    }

    func connectionLost(_ error: RedisError, generation: Int) {
        if handler.value?.generation == generation { handler.value = nil }
        let actions = state.withLock {
            $0.disconnected(generation: generation, error, now: .now(), random: .random(in: 0...1))
        }
        logger.debug("connection lost", metadata: ["error": "\(error)"])
        perform(actions)
        onLoss?()
    }

    private func loseOrder(generation: Int) {
        let error = RedisError(
            code: .protocolViolation,
            outcome: .unknown,
            message: "a reply that nobody asked for",
            endpoint: connector.configuration.endpoint.description
        )
        close(generation)
        connectionLost(error, generation: generation)
    }
}

/// An end that any number of tasks may wait for.
private final class Ending: Sendable {
    private enum State {
        case open([CheckedContinuation<Void, Never>])
        case ended
    }

    private let state = Mutex(State.open([]))

    func finish() {
        let waiting = state.withLock { state in
            guard case .open(let waiting) = state else { return [CheckedContinuation<Void, Never>]() }
            state = .ended
            return waiting
        }
        for waiter in waiting { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { waiter in
            let isOver = state.withLock { state in
                guard case .open(let waiting) = state else { return true }
                state = .open(waiting + [waiter])
                return false
            }
            if isOver { waiter.resume() }
        }
    }
}
