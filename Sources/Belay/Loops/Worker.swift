import Logging
import ServiceContextModule
public import ServiceLifecycle
import Synchronization
import Tracing

/// Takes tasks and runs their handlers, as many at once as it has slots.
///
/// One loop claims for all free slots at once, one renews all held locks in one call, one writes all ends that are ready at
/// the same moment in one call; a worker of many slots has up to two calls of each under way, so that the server does not
/// wait for it. An idle worker sleeps until it is woken, the next task is due, or the poll interval is
/// over. It rides out a server that is away: held work goes on until its lock cannot be counted on, and claiming resumes
/// by itself.
///
/// On graceful shutdown it stops claiming, waits the grace period, then stops the handlers and hands their tasks back at
/// once, without an attempt lost.
///
/// ```swift
/// let worker = try Worker(tracker, handlers: [Handler(thumbnails) { job, context in try await render(job) }])
/// try await ServiceGroup(services: [worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
/// ```
public final class Worker: Service, Sendable {
    /// How a worker works.
    public struct Configuration: Sendable {
        /// Handlers that run at once. Default 8; 1 to 10,000.
        public var slots = 8
        /// How long its locks hold; nil for each kind's own.
        public var lease: Duration?
        /// The longest sleep of an idle worker. Default 1 s; 10 ms to 60 s.
        public var pollInterval: Duration = .seconds(1)
        /// How long a graceful shutdown waits for handlers to end. Default 25 s.
        public var gracePeriod: Duration = .seconds(25)
        /// How often it says that it lives, what it takes and how it fares. Default 10 s; 1 s to 1 h.
        public var beatInterval: Duration = .seconds(10)
        /// When it stops because nothing succeeds here any more; nil, the default, for never.
        public var drain: DrainRule?
        /// Its name; nil for `host:pid:nonce`.
        public var name: WorkerName?
        /// The clock of its pauses.
        public var clock: any Clock<Duration> = ContinuousClock()
        /// How long handlers that are asked to stop at a shutdown may take before their tasks are handed back all the same.
        package var patience: Duration = .milliseconds(150)

        /// All defaults.
        public init() {}
    }

    /// When a worker takes itself out of service: a host whose disk is full, or whose licence or network is gone, fails every
    /// task that it takes, and takes many. ``Worker/run()`` returns then, so name a `successTerminationBehavior` for it in a
    /// service group.
    public struct DrainRule: Sendable, Hashable {
        /// So many attempts in a row must have failed, 1 to 10,000. One that succeeds begins the count anew; one that was
        /// cancelled, snoozed, handed back or lost does not count.
        public var failures: Int
        /// The time from the first of them to the last, at most; 1 ms to 24 h.
        public var within: Duration

        /// A rule.
        public init(failures: Int, within: Duration) {
            self.failures = failures
            self.within = within
        }
    }

    /// The worker's name.
    public let name: WorkerName
    let tracker: Tracker
    private let configuration: Configuration
    private let handlers: [KindName: Handler]
    private let metrics: [KindName: WorkerMetrics]
    private let state: Mutex<WorkerState>
    private let leases: LeaseKeeper
    private let wake = Signal()
    private let slotFree = Signal()
    private let settleNow = Signal()
    private let idle = Signal()
    private let logger: Logger
    /// Whether an instrument was bootstrapped when the worker was made, as swift-distributed-tracing asks: once, at the start.
    private let isTraced = !(InstrumentationSystem.instrument is NoOpInstrument)

    /// A worker; nothing happens before ``run()``.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a value out of range, no handler, or two of one kind.
    public init(
        _ tracker: Tracker,
        configuration: Configuration = Configuration(),
        handlers: [Handler]
    ) throws(TrackerError) {
        guard (1...10_000).contains(configuration.slots) else {
            throw .invalid("slots", configuration.slots, allowed: "1 to 10,000")
        }
        guard (.milliseconds(10) ... .seconds(60)).contains(configuration.pollInterval) else {
            throw .invalid("poll interval", configuration.pollInterval, allowed: "10 ms to 60 s")
        }
        guard Limits.beatInterval.contains(configuration.beatInterval) else {
            throw .invalid("interval of heartbeats", configuration.beatInterval, allowed: "1 s to 1 h")
        }
        if let drain = configuration.drain {
            guard (1...10_000).contains(drain.failures) else {
                throw .invalid("failures of the drain rule", drain.failures, allowed: "1 to 10,000")
            }
            guard (.milliseconds(1) ... .seconds(86_400)).contains(drain.within) else {
                throw .invalid("time of the drain rule", drain.within, allowed: "1 ms to 24 h")
            }
        }
        try ClaimMany.check(lease: configuration.lease)
        guard (1...Limits.kindsPerClaim).contains(handlers.count) else {
            throw .invalid("number of handlers", handlers.count, allowed: "1 to \(Limits.kindsPerClaim)")
        }
        var table: [KindName: Handler] = [:]
        for handler in handlers where table.updateValue(handler, forKey: handler.kind) != nil {
            throw .invalid("second handler of kind", handler.kind, allowed: "one handler per kind")
        }
        self.tracker = tracker
        self.configuration = configuration
        self.handlers = table
        metrics = table.mapValues { WorkerMetrics(kind: $0.kind) }
        name = configuration.name ?? Host.workerName()
        state = Mutex(WorkerState(slots: configuration.slots, drain: configuration.drain))
        var logger = tracker.logger
        logger[metadataKey: "worker"] = "\(name)"
        self.logger = logger
        leases = LeaseKeeper(tracker) { [logger] context in
            logger.warning("lock lost, work stopped", metadata: ["task-id": "\(context.claim.id)"])
        }
    }

    /// Whether it stopped by its ``Configuration/drain`` rule.
    public var didDrain: Bool { state.withLock { $0.isDrained } }

    /// Works until graceful shutdown, until its drain rule ends it as gracefully (``didDrain`` is true then), or until the
    /// calling task is cancelled, which hands everything back at once.
    /// - Throws: ``TrackerError`` when the tracker cannot be used at all: unsuitable server, newer schema, misuse.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            // Claiming, waking up and writing ends run where the replies arrive; handlers, and what goes through all that is
            // held, do not.
            try await withTaskExecutorPreference(tracker.backend.executor) { try await self.runLoops() }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    private func runLoops() async throws {
        try await defineKinds()
        await withDiscardingTaskGroup { group in
            group.addTask(executorPreference: globalConcurrentExecutor) { await self.leases.renewLoop() }
            group.addTask(executorPreference: globalConcurrentExecutor) { await self.leases.watchLoop() }
            group.addTask(executorPreference: globalConcurrentExecutor) { await self.leases.limitLoop() }
            group.addTask { await self.settleLoop() }
            group.addTask(executorPreference: globalConcurrentExecutor) { await self.beatLoop() }
            group.addTask { await self.tracker.backend.listen(for: self.name) { self.heard($0) } }
            await self.claimLoop(&group)
            await self.windDown()
            group.cancelAll()
        }
        // Whatever could not be written while tasks were being cancelled.
        await withoutCancellation {
            await self.settleRest()
            await self.beat(self.didDrain ? .drained : .offline)
        }
    }

    private func stop() {
        state.withLock { $0.stop() }
        slotFree.notify()
        wake.notify()
    }

    private func heard(_ wakeUp: WakeUp) {
        // Whoever begins to listen may have missed something: a cancellation, or a task that became ready.
        if wakeUp != .ready { leases.hurry() }
        if wakeUp != .cancel { wake.notify() }
    }

    /// Defines the kinds that the tracker does not know; a stored policy stands.
    private func defineKinds() async throws {
        for handler in handlers.values {
            try await retryingWhileAway("cannot reach the tracker") { () async throws(TrackerError) in
                do throws(TrackerError) {
                    try await tracker.define(handler.kind, policy: handler.policy)
                } catch {
                    guard error.code == .kindConflict else { throw error }
                    logger.notice("the stored policy stands", metadata: ["kind": "\(handler.kind)"])
                }
            }
        }
    }

    private func retryingWhileAway(
        _ what: Logger.Message,
        _ body: () async throws(TrackerError) -> Void
    ) async throws {
        var failures = 0
        while !state.withLock({ $0.isStopping }) {
            do {
                return try await body()
            } catch {
                guard error.isRetriable else { throw error }
                failures += 1
                await pause(afterFailures: failures, error, what)
            }
        }
    }

    // MARK: Claiming

    /// Sends claims while there is room; a task of its own waits for each answer, and in it runs what came.
    private func claimLoop(_ group: inout DiscardingTaskGroup) async {
        let kinds = handlers.keys.sorted()
        while !Task.isCancelled {
            switch state.withLock({ $0.nextClaim() }) {
            case .stop: return
            case .wait: await slotFree.wait()
            case .claim(let count, let lane):
                group.addTask {
                    await withDiscardingTaskGroup { work in await self.claim(count, of: kinds, lane: lane, &work) }
                }
            }
        }
    }

    private func claim(_ count: Int, of kinds: [KindName], lane: Int, _ group: inout DiscardingTaskGroup) async {
        let sent = ContinuousClock.now
        let mayBeWaiting = state.withLock { $0.mayBeWaiting }
        var contexts: [ClaimContext] = []
        do {
            let answer = try await tracker.perform(
                ClaimMany(
                    token: Host.token(),
                    worker: name,
                    count: count,
                    kinds: kinds,
                    lease: configuration.lease,
                    lane: lane,
                    wait: configuration.pollInterval + .seconds(1),
                    mayBeWaiting: mayBeWaiting,
                    estimatedNow: tracker.backend.estimatedNow,
                    isFresh: true
                )
            )
            contexts = answer.claims.map { ClaimContext($0, tracker: tracker) }
            state.withLock { $0.answered(contexts.count, leftLine: mayBeWaiting) }
            if contexts.isEmpty { await sleep(until: answer.nextDue, now: answer.now) }
        } catch {
            await pause(afterFailures: state.withLock { $0.failed() }, error, "cannot claim")
        }
        leases.add(contexts, sent: sent)
        state.withLock { $0.started(contexts.count, lane: lane) }
        slotFree.notify()
        for context in contexts {
            group.addTask(executorPreference: globalConcurrentExecutor) { await self.work(context) }
        }
        // A shutdown waits until nothing is asked for any more.
        if contexts.isEmpty { settleNow.notify() }
    }

    /// Sleeps until woken, the next task is due, or the poll interval is over.
    private func sleep(until due: Timestamp?, now: Timestamp) async {
        let limit = due.map { min(configuration.pollInterval, max($0 - now, .zero) + .microseconds(500)) }
        await wake.wait(atMost: limit ?? configuration.pollInterval, clock: configuration.clock)
    }

    /// Pauses with growing, jittered length, at most 2 s; says so at the first failure of an outage.
    private func pause(afterFailures failures: Int, _ error: TrackerError, _ what: Logger.Message) async {
        guard error.code != .cancelled else { return }
        if failures == 1 { logger.warning(what, metadata: ["error": "\(error)"]) }
        let longest = min(2.0, 0.05 * Double(1 << min(failures, 6)))
        let limit = Duration.seconds(error.isRetriable ? Double.random(in: 0.01...longest) : 1)
        await wake.wait(atMost: limit, clock: configuration.clock)
    }

    // MARK: One task

    private func work(_ context: ClaimContext) async {
        let began = ContinuousClock.now
        let stopsItself = handlers[context.claim.kind]?.stopsItself ?? false
        let ended = await context.run(stopsItself: stopsItself) { try await self.handle(context) }
        let limit = (try? await tracker.backend.payloadLimit) ?? Limits.defaultPayloadBytes
        let settlement = Settlement(context, ended, payloadLimit: limit)
        metrics[context.claim.kind]?.record(settlement, ran: began.duration(to: .now))
        if case .failure(let error) = ended {
            context.logger.debug("attempt ended", metadata: ["outcome": "\(settlement.outcome)", "error": "\(error)"])
        }
        if state.withLock({ $0.ended(settlement) }) { drain() }
        settleNow.notify()
        slotFree.notify()
    }

    /// Takes itself out of service.
    private func drain() {
        guard let rule = configuration.drain else { return }
        logger.error(
            "every attempt fails here, the worker stops",
            metadata: ["failures": "\(rule.failures)", "within": "\(rule.within)"]
        )
        wake.notify()
    }

    /// Runs the handler inside the trace that enqueued the task.
    private func handle(_ context: ClaimContext) async throws -> Body {
        guard let handler = handlers[context.claim.kind] else {
            throw TaskFailure(
                type: "unknownKind",
                message: "this worker has no handler for kind “\(context.claim.kind)”"
            )
        }
        // A span that nobody records costs as much as a claim.
        guard isTraced else { return try await handler.body(context) }
        var trace = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(context.claim.trace, into: &trace, using: TraceCarrier())
        return try await withSpan("run \(context.claim.kind)", context: trace, ofKind: .consumer) { span in
            span.attributes["messaging.system"] = "redis"
            span.attributes["messaging.destination.name"] = context.claim.kind.description
            span.attributes["belay.task.id"] = context.claim.id.description
            span.attributes["belay.task.attempt"] = context.claim.attempt
            return try await handler.body(context)
        }
    }

    // MARK: Ends

    private func settleLoop() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let batch = state.withLock { $0.takeUnsettled() }
                if batch.isEmpty {
                    if state.withLock({ $0.isIdle }) { idle.notify() }
                    await settleNow.wait()
                } else {
                    group.addTask { await self.write(batch) }
                }
            }
        }
    }

    /// Writes ends until they are written or no longer may be: a repeat is safe, and a lost lock is refused.
    private func write(_ batch: [Settlement]) async {
        var failures = 0
        while true {
            do {
                try await withoutCancellation { () async throws(TrackerError) in try await tracker.settle(batch) }
                break
            } catch {
                guard error.isRetriable || error.code == .cancelled, !Task.isCancelled else {
                    logger.error(
                        "ends could not be written",
                        metadata: ["error": "\(error)", "tasks": "\(batch.count)"]
                    )
                    break
                }
                failures += 1
                await pause(afterFailures: failures, error, "cannot write ends, trying again")
            }
        }
        for settlement in batch { leases.remove(settlement.context.claim.id) }
        state.withLock { $0.settled(batch.count) }
        settleNow.notify()
        slotFree.notify()
    }

    private func settleRest() async {
        while true {
            let batch = state.withLock { $0.takeUnsettled() }
            if batch.isEmpty { return }
            await write(batch)
        }
    }

    // MARK: Heartbeats

    private func beatLoop() async {
        await beat(.online)
        while !Task.isCancelled {
            try? await configuration.clock.sleep(for: configuration.beatInterval)
            if !Task.isCancelled { await beat(.heartbeat) }
        }
    }

    /// Says how the worker fares. Nothing depends on it but what people see, so a beat that is lost is not sent again.
    private func beat(_ event: BeatEvent) async {
        let (running, counts) = state.withLock { ($0.running, $0.counts) }
        let beat = Beat(
            worker: name,
            event: event,
            interval: configuration.beatInterval,
            slots: configuration.slots,
            active: running,
            succeeded: counts.succeeded,
            failed: counts.otherwise,
            software: "belay",
            kinds: handlers.keys.sorted()
        )
        do throws(TrackerError) { try await tracker.perform(beat) } catch {
            logger.debug("heartbeat lost", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Shutdown

    /// Waits the grace period for what runs, then stops it and waits until it is handed back.
    private func windDown() async {
        logger.debug("shutting down", metadata: ["running": "\(state.withLock { $0.running })"])
        await waitUntilIdle(atMost: configuration.gracePeriod)
        leases.stopAll(.shutdown)
        await waitUntilIdle(atMost: configuration.patience)
        // When the calling task was cancelled, so were the handlers; what they leave is written at the end of `run()`.
        if !Task.isCancelled, state.withLock({ $0.running > 0 }) { await handBackRest() }
        await waitUntilIdle(atMost: nil)
    }

    /// Waits until nothing runs and all ends are written, or the calling task is cancelled.
    private func waitUntilIdle(atMost limit: Duration?) async {
        let end = limit.map { ContinuousClock.now + $0 }
        while !Task.isCancelled, !state.withLock({ $0.isIdle }) {
            let left = end.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(1)
            if left <= .zero { return }
            settleNow.notify()
            // The flag may have been raised by an earlier lull; the loop looks again.
            await idle.wait(atMost: left, clock: configuration.clock)
        }
    }

    /// Hands back the tasks of handlers that do not stop although they were asked to: others may go on with them now, and
    /// whatever these handlers still write is refused.
    private func handBackRest() async {
        let handles = leases.loseAll()
        guard !handles.isEmpty else { return }
        logger.warning("handlers did not stop, their tasks are handed back", metadata: ["tasks": "\(handles.count)"])
        for start in stride(from: 0, to: handles.count, by: Limits.batch) {
            let batch = Array(handles[start..<min(start + Limits.batch, handles.count)])
            do {
                _ = try await withoutCancellation { () async throws(TrackerError) in try await tracker.release(batch) }
            } catch {
                logger.warning("cannot hand back, the leases will run out", metadata: ["error": "\(error)"])
            }
        }
    }
}
