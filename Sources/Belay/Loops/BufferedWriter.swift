import Logging
public import ServiceLifecycle
import Synchronization

/// Enqueues tasks beside the work that makes them, many in one call: putting one in costs no round trip.
///
/// Tasks go out in the order in which they came, at most 500 or 4 MiB of payload in one call, and at the latest after the
/// flush interval. When the buffer is full, whoever puts in more waits. While the server is away it keeps what it has and
/// tries again; a call whose answer was lost is repeated without making a task twice.
///
/// What is put in and not written yet dies with the process: at most ``pending`` tasks, which is never more than the
/// capacity. On graceful shutdown all of it is written first.
///
/// ```swift
/// try await tracker.withBufferedWriter { writer in
///     for image in images { try await writer.enqueue(thumbnails, Thumbnail(image: image, width: 320)) }
/// }
/// ```
///
/// Or let a service group run it. Name it before the services that put tasks in: a group ends its services in reverse.
public final class BufferedWriter: Service, Sendable {
    /// How a buffered writer works.
    public struct Configuration: Sendable {
        /// Tasks that it holds at most. Default 10,000; 1 to 1,000,000.
        public var capacity = 10_000
        /// Bytes of payload that it holds at most, but a single task always fits. Default 64 MiB; 1 byte to 16 GiB.
        public var capacityBytes = 64 << 20
        /// How long a task waits for others to go with. Default 50 ms; 0 to 60 s. Delays of tasks count from their writing.
        public var flushInterval: Duration = .milliseconds(50)
        /// How long a graceful shutdown tries to write what is left. Default 25 s.
        public var gracePeriod: Duration = .seconds(25)
        /// What the tasks' logs say of it, at most 1,024 bytes. Default empty, for nothing.
        public var message = ""
        /// The clock of its pauses.
        public var clock: any Clock<Duration> = ContinuousClock()

        /// All defaults.
        public init() {}
    }

    /// What became of a task that was put in.
    public enum Outcome: Sendable {
        /// What the tracker answered: created, perhaps, or refused because the queue is full.
        case answered(EnqueueOutcome)
        /// It was not written, and is not tried again.
        case failed(TaskID, TrackerError)

        /// The task's id.
        public var id: TaskID {
            switch self {
            case .answered(let outcome): outcome.id
            case .failed(let id, _): id
            }
        }
    }

    /// Tasks that are not in the tracker although they were put in, told when nobody else hears of them.
    public struct Refusals: Error, Sendable, CustomStringConvertible {
        /// How many.
        public var count: Int
        /// The first 100 of them.
        public var first: [Outcome]

        /// For people.
        public var description: String {
            let why = first.first.map { "\($0.id): \($0)" } ?? "-"
            return "\(count) tasks were not enqueued, the first is \(why)"
        }
    }

    let tracker: Tracker
    private let configuration: Configuration
    private let onOutcome: (@Sendable (Outcome) -> Void)?
    private let state: Mutex<WriterState>
    private let refusals = Mutex(Refusals(count: 0, first: []))
    private let end = Mutex<ContinuousClock.Instant?>(nil)
    /// Why nothing is tried any more: the server was away when the time was over.
    private let lost = Mutex<TrackerError?>(nil)
    private let ready = Signal()

    /// A writer; nothing is written before ``run()``.
    /// - Parameter onOutcome: Is told what became of each task, in their order, and must be quick. Nil to have refusals
    ///   collected: the next ``flush()`` or ``close()`` throws them.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a value out of range.
    public init(
        _ tracker: Tracker,
        configuration: Configuration = Configuration(),
        onOutcome: (@Sendable (Outcome) -> Void)? = nil
    ) throws(TrackerError) {
        guard (1...1_000_000).contains(configuration.capacity) else {
            throw .invalid("capacity", configuration.capacity, allowed: "1 to 1,000,000 tasks")
        }
        guard (1...16 << 30).contains(configuration.capacityBytes) else {
            throw .invalid("capacity in bytes", configuration.capacityBytes, allowed: "1 byte to 16 GiB")
        }
        guard (.zero ... .seconds(60)).contains(configuration.flushInterval) else {
            throw .invalid("flush interval", configuration.flushInterval, allowed: "0 s to 60 s")
        }
        try Names.checkMessage(configuration.message)
        self.tracker = tracker
        self.configuration = configuration
        self.onOutcome = onOutcome
        state = Mutex(
            WriterState(
                capacity: configuration.capacity,
                capacityBytes: configuration.capacityBytes,
                flushInterval: configuration.flushInterval
            )
        )
    }

    /// How many tasks were put in and have no outcome yet: what a SIGKILL would lose at most.
    public var pending: Int { state.withLock { $0.pending } }

    // MARK: Putting in

    /// Puts a task in; waits while the buffer is full.
    /// - Parameters:
    ///   - task: The task.
    ///   - policy: What to define its kind with where the tracker does not know it; nil to refuse an unknown kind.
    /// - Returns: The task's id, before the task is written.
    /// - Throws: ``TrackerError``: `invalidArgument`, `tooLarge` for a task that can never be written; `closed`; `cancelled`;
    ///   and, before the tracker has been reached once, what its server says.
    @discardableResult
    public func enqueue(_ task: NewTask, policy: KindPolicy? = nil) async throws(TrackerError) -> TaskID {
        let place = try await tracker.placeInBulk(of: task)
        let entry = try await tracker.prepare(task, policy: policy, trace: tracker.currentTrace(), in: place)
        try await tracker.request(for: [entry], nonce: nil, message: configuration.message).validate()
        switch state.withLock({ $0.put(entry) }) {
        case .accepted(let isUrgent): if isUrgent { ready.notify() }
        case .closed: throw Self.closed
        case .full:
            guard await wait({ $0.wait($1, with: entry, $2) }) else {
                throw state.withLock { $0.isClosed } ? Self.closed : Self.cancelled
            }
        }
        return entry.item.id
    }

    /// Puts a task of a Swift kind in; its kind is defined with its policy where the tracker does not know it.
    /// - Returns: The task's id, before the task is written.
    /// - Throws: As ``enqueue(_:policy:)``, and `payload`.
    @discardableResult
    public func enqueue<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ payload: Payload,
        options: EnqueueOptions = EnqueueOptions()
    ) async throws(TrackerError) -> TaskID {
        try await enqueue(
            NewTask(kind.name, payload: try Body(encoding: payload), options: options),
            policy: kind.policy
        )
    }

    /// Waits until every task that was put in before has its outcome.
    /// - Throws: ``Refusals`` since the last time, when nobody else is told; ``TrackerError`` (`cancelled`).
    public func flush() async throws { try await wait(forEnd: false) }

    /// Refuses further tasks, and waits until every task that was put in has its outcome. ``run()`` returns then.
    /// - Throws: As ``flush()``.
    public func close() async throws {
        state.withLock { $0.close() }
        try await wait(forEnd: true)
    }

    private func wait(forEnd: Bool) async throws {
        guard await wait({ $0.wait($1, forEnd: forEnd, $2) }) else { throw Self.cancelled }
        let refused = refusals.withLock { refusals in
            defer { refusals = Refusals(count: 0, first: []) }
            return refusals
        }
        if refused.count > 0 { throw refused }
    }

    /// Waits as the state says; answers false when the calling task was cancelled, or there is nothing to wait for.
    private func wait(_ register: @Sendable (inout WriterState, Int, WriterState.Waiter) -> Bool?) async -> Bool {
        let number = state.withLock { $0.nextNumber() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let answer: Bool? = state.withLock { state in
                    Task.isCancelled ? false : register(&state, number, waiter)
                }
                ready.notify()
                if let answer { waiter.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.giveUp(number) }?.resume(returning: false)
        }
    }

    private static var closed: TrackerError { TrackerError(.closed, "the buffered writer takes no more tasks") }
    private static var cancelled: TrackerError { TrackerError(.cancelled, "the calling task was cancelled") }

    // MARK: Writing

    /// Writes until it is closed, or until graceful shutdown, and then writes what is left. When the calling task is
    /// cancelled, what is left is tried once.
    /// - Throws: ``TrackerError`` (`invalidArgument`) when it runs already, or ran.
    public func run() async throws {
        guard state.withLock({ $0.begin() }) else {
            throw TrackerError(.invalidArgument, "a buffered writer can be run once; make another")
        }
        await withGracefulShutdownHandler {
            await writeLoop()
            let refused = refusals.withLock(\.self)
            if isOver, refused.count > 0 { tracker.logger.error("\(refused)") }
        } onGracefulShutdown: {
            self.end.withLock { $0 = .now + self.configuration.gracePeriod }
            self.state.withLock { $0.close() }
            self.ready.notify()
        }
    }

    private func writeLoop() async {
        while true {
            if Task.isCancelled { state.withLock { $0.close() } }
            switch state.withLock({ $0.next() }) {
            case .write(let batch):
                await write(batch.tasks[...], nonce: batch.tasks.contains(where: \.isOwn) ? Host.nonce() : nil)
                for waiter in state.withLock({ $0.written(batch) }) { waiter.resume(returning: true) }
            case .gather(let limit): await ready.wait(atMost: limit, clock: configuration.clock)
            case .wait: await ready.wait()
            case .end: return
            }
        }
    }

    /// Writes tasks until they are written or refused. A request that is refused because of one of its tasks is cut in half,
    /// until the others are written.
    private func write(_ tasks: ArraySlice<PreparedTask>, nonce: String?) async {
        if let error = lost.withLock(\.self) {
            for task in tasks { tell(.failed(task.item.id, error)) }
            return
        }
        var failures = 0
        while true {
            do throws(TrackerError) {
                let outcomes = try await withoutCancellation { () async throws(TrackerError) in
                    try await tracker.enqueue(Array(tasks), nonce: nonce, message: configuration.message)
                }
                for outcome in outcomes { tell(.answered(outcome)) }
                return
            } catch {
                if error.isRetriable, !isLate {
                    await pause(afterFailures: &failures, error)
                } else if tasks.count > 1, !error.isRetriable, error.concernsOneOf(tasks) {
                    let middle = tasks.startIndex + tasks.count / 2
                    await write(tasks[..<middle], nonce: nonce)
                    await write(tasks[middle...], nonce: nonce)
                    return
                } else {
                    if error.isRetriable { lost.withLock { $0 = error } }
                    for task in tasks { tell(.failed(task.item.id, error)) }
                    return
                }
            }
        }
    }

    /// Whether a call that failed is not to be repeated any more.
    private var isLate: Bool { Task.isCancelled || end.withLock { $0 }.map { $0 <= .now } ?? false }
    /// Whether nobody may ask any more what became of the tasks.
    private var isOver: Bool { Task.isCancelled || end.withLock { $0 } != nil }

    /// Pauses with growing, jittered length, at most 2 s; says so once per outage.
    private func pause(afterFailures failures: inout Int, _ error: TrackerError) async {
        if failures == 0 {
            tracker.logger.warning("cannot enqueue, trying again", metadata: ["error": "\(error)"])
        }
        failures += 1
        let longest = min(2.0, 0.05 * Double(1 << min(failures, 6)))
        try? await configuration.clock.sleep(for: .seconds(Double.random(in: 0.01...longest)))
    }

    private func tell(_ outcome: Outcome) {
        if let onOutcome { return onOutcome(outcome) }
        switch outcome {
        case .answered(.created), .answered(.existing), .answered(.reused), .answered(.deduplicated): return
        case .answered(.duplicate), .answered(.full), .failed: break
        }
        refusals.withLock { refusals in
            refusals.count += 1
            if refusals.first.count < 100 { refusals.first.append(outcome) }
        }
    }
}

extension TrackerError {
    /// Whether others of these tasks could be written without the one that is refused.
    fileprivate func concernsOneOf(_ tasks: ArraySlice<PreparedTask>) -> Bool {
        switch code {
        case .unknownKind, .full: tasks.contains { $0.kind != tasks.first?.kind }
        case .invalidArgument, .tooLarge, .payload, .unknownParent: true
        default: false
        }
    }
}

extension Tracker {
    /// Runs a ``BufferedWriter`` beside `body`, and closes it: what was put in is written when this returns, also when
    /// `body` throws.
    /// - Parameters:
    ///   - configuration: How it works.
    ///   - onOutcome: Is told what became of each task; nil to have refusals thrown.
    ///   - body: Puts tasks in.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, else as ``BufferedWriter/close()``.
    @discardableResult
    public func withBufferedWriter<Value: Sendable>(
        configuration: BufferedWriter.Configuration = BufferedWriter.Configuration(),
        onOutcome: (@Sendable (BufferedWriter.Outcome) -> Void)? = nil,
        _ body: (BufferedWriter) async throws -> Value
    ) async throws -> Value {
        let writer = try BufferedWriter(self, configuration: configuration, onOutcome: onOutcome)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await writer.run() }
            do {
                let value = try await body(writer)
                try await writer.close()
                return value
            } catch {
                try? await writer.close()
                throw error
            }
        }
    }
}
