public import Logging
public import RedisWire
import ServiceContextModule
import Synchronization
import Tracing

/// The front door of Belay: enqueue tasks, claim them with a lock, renew, complete, fail, and ask what is where.
///
/// A tracker is a namespace on a Redis server that any number of hosts share. Every verb is one Lua script, so one round
/// trip and atomic; every moment is the server's. A tracker of several partitions (``Configuration/partitions``) needs one
/// script in each partition that a call touches: each is atomic, the call over several is not, and to repeat it is safe. Verbs that cannot do what was asked for reasons of daily work say so by
/// their outcome; they throw ``TrackerError`` for the network, the server, misuse or a bug.
///
/// ```swift
/// let tracker = try Tracker(url: "redis://localhost:6379", namespace: "media")
/// try await tracker.enqueue(thumbnails, Thumbnail(image: "a.png", width: 320))
/// ```
///
/// It connects at the first call and is safe to share. Call ``close()`` when done, or let a service group run it: workers
/// and reapers leave the tracker open.
public final class Tracker: Sendable {
    /// How a tracker is reached.
    public struct Configuration: Sendable {
        /// The server.
        public var redis: RedisConfiguration
        /// Keeps trackers on one server apart. 1 to 64 of `A-Z a-z 0-9 . _ -`.
        public var namespace: String
        /// The largest payload or result, bytes, when the tracker is created; an existing tracker keeps its own.
        /// Default 1 MiB, at most 64 MiB.
        public var payloadLimit: Int
        /// How many partitions the tracker has: each lies on one node of a cluster, and the work is spread over them. 1 to 256,
        /// fixed when the tracker is created. Default nil: as many as it was created with, 1 when it is new.
        /// Each costs an idle worker a script every poll interval, and every worker a connection for its wake-ups.
        public var partitions: Int?
        /// Who acts for an operator, as the tasks' logs name it: 1 to 64 printable ASCII characters without spaces.
        /// Default nil, the tracker's ``Tracker/workerName``.
        public var actor: String?
        /// Testing only: a clock that stands still until it is moved. The tracker must have been created with one.
        public var manualClock: ManualClock?

        /// A configuration; the namespace is `belay` unless said otherwise.
        public init(redis: RedisConfiguration, namespace: String = "belay") {
            self.redis = redis
            self.namespace = namespace
            payloadLimit = Limits.defaultPayloadBytes
        }

        /// A configuration by URL: `redis://user:password@host:6379/0`, `rediss://…` (TLS), `unix:///path/to.sock`, or
        /// `cluster://host:6379,host:6379` with some nodes of a Redis Cluster.
        /// - Throws: ``TrackerError`` (`invalidArgument`) for a bad URL.
        public init(url: String, namespace: String = "belay") throws(TrackerError) {
            let redis: RedisConfiguration
            do { redis = try RedisConfiguration(url: url) } catch { throw TrackerError(error) }
            self.init(redis: redis, namespace: namespace)
        }
    }

    /// The namespace.
    public let namespace: String
    /// The name under which this process claims outside a ``Worker``: `host:pid:nonce`.
    public let workerName: WorkerName
    /// Who acts for an operator, as the tasks' logs name it.
    public let actor: String
    let logger: Logger
    package let backend: any TrackerBackend
    private let ids = IDGenerator()
    private let lanes = Lanes()
    /// Calls of several callers that go together.
    let enqueues: Gatherer<LooseTask, EnqueueOutcome, TrackerError>
    let completions: Gatherer<(handle: ClaimHandle, result: Body), WriteOutcome, TrackerError>
    /// How many hundreds of new tasks went to the partitions in turn, and one by one of the next.
    private let turn = Mutex(Int.random(in: 0..<Limits.partitions.upperBound) * PartitionPlace.chunk)

    /// Opens a tracker; connects at the first call.
    /// - Parameters:
    ///   - configuration: where it is.
    ///   - logger: for what nobody else reports; the library logs at `debug` and below otherwise.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a bad namespace or limit.
    public init(configuration: Configuration, logger: Logger = Logger(label: "belay")) throws(TrackerError) {
        try Names.checkNamespace(configuration.namespace)
        guard (1...Limits.maximumPayloadBytes).contains(configuration.payloadLimit) else {
            throw .invalid("payload limit", configuration.payloadLimit, allowed: "1 byte to 64 MiB")
        }
        if let partitions = configuration.partitions, !Limits.partitions.contains(partitions) {
            throw .invalid("number of partitions", partitions, allowed: "1 to 256, or none for as many as there are")
        }
        namespace = configuration.namespace
        if let actor = configuration.actor { try Names.checkWord("actor", actor, limit: Limits.workerBytes) }
        workerName = Host.workerName()
        actor = configuration.actor ?? workerName.description
        self.logger = logger
        backend = RedisBackend(
            client: RedisClient(configuration: configuration.redis, logger: logger),
            namespace: configuration.namespace,
            partitions: configuration.partitions,
            payloadLimit: configuration.payloadLimit,
            manualClock: configuration.manualClock,
            logger: logger
        )
        enqueues = Gatherer(on: backend.executor, items: Limits.batch, bytes: Limits.gatheredBytes)
        completions = Gatherer(on: backend.executor, items: Limits.batch, bytes: Limits.gatheredBytes)
    }

    /// Opens a tracker by URL: `redis://user:password@host:6379/0`, `rediss://…` (TLS), `unix:///path/to.sock`, or
    /// `cluster://host:6379,host:6379` with some nodes of a Redis Cluster.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a bad URL or namespace.
    public convenience init(
        url: String,
        namespace: String = "belay",
        logger: Logger = Logger(label: "belay")
    ) throws(TrackerError) {
        try self.init(configuration: Configuration(url: url, namespace: namespace), logger: logger)
    }

    /// A tracker on another backend, for the test kit.
    package init(backend: any TrackerBackend, namespace: String, logger: Logger) {
        self.backend = backend
        self.namespace = namespace
        self.logger = logger
        workerName = Host.workerName()
        actor = workerName.description
        enqueues = Gatherer(on: backend.executor, items: Limits.batch, bytes: Limits.gatheredBytes)
        completions = Gatherer(on: backend.executor, items: Limits.batch, bytes: Limits.gatheredBytes)
    }

    /// Runs Swift tasks on the thread that speaks with the server; nil in a tracker without one.
    ///
    /// Each call changes threads twice, which costs a caller that awaits one after the other as much again as the script.
    /// A loop that does little but call the tracker need not:
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(tracker.executor) {
    ///     for image in images { try await tracker.enqueue(thumbnails, Thumbnail(image: image, width: 320)) }
    /// }
    /// ```
    ///
    /// What runs there must not block or compute for long: all calls of this tracker wait meanwhile.
    public var executor: (any TaskExecutor)? { backend.executor }

    /// Ends all connections. Calls after this throw ``TrackerError/Code/closed``.
    public func close() async { await backend.close() }

    /// Connects, and checks that the server and the tracker on it can be used. Every verb does this at first use.
    /// - Throws: ``TrackerError`` (`unavailable`, `unauthorised`, `unsuitableServer`, `incompatibleTracker`).
    public func open() async throws(TrackerError) { _ = try await backend.payloadLimit }

    /// Validates, then performs: every public verb ends here.
    func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response {
        try verb.validate()
        return try await backend.perform(verb)
    }

    /// A new id, of a task in a partition of several.
    func newID(in place: PartitionPlace?) async throws(TrackerError) -> TaskID {
        if backend.estimatedNow == nil { try await open() }
        let now = backend.estimatedNow ?? Timestamp(microseconds: 0)
        guard let place else { return ids.next(now: now) }
        return ids.next(now: now, partition: place.partition, among: place.count)
    }

    /// Where a task goes whose id is to be made; nil on a tracker of one partition. Tasks that come one by one and are sent
    /// together go to the next partition after a hundred of them.
    func placeInBulk(of task: NewTask) async throws(TrackerError) -> PartitionPlace? {
        let count = try await backend.partitions
        guard count > 1 else { return nil }
        return wanted(task, count)
            ?? turn.withLock { turn in
                turn += 1
                return PartitionPlace(partition: (turn - 1) / PartitionPlace.chunk % count, count: count)
            }
    }

    /// Where the tasks of one call go whose ids are to be made; nil on a tracker of one partition. A hundred of them go to a
    /// partition in turn, so that a small call is one script. A call in which tasks wait for others is not divided.
    func places(of tasks: [NewTask]) async throws(TrackerError) -> [PartitionPlace?] {
        let count = try await backend.partitions
        guard count > 1, tasks.contains(where: { $0.options.id == nil }) else {
            return Array(repeating: nil, count: tasks.count)
        }
        if tasks.contains(where: { $0.options.after != nil }) {
            let known = tasks.lazy.compactMap { task in
                task.options.id.map { PartitionPlace(of: $0, count) } ?? self.wanted(task, count)
            }.first
            return Array(repeating: known ?? turns(1, count), count: tasks.count)
        }
        let start = turns((tasks.count + PartitionPlace.chunk - 1) / PartitionPlace.chunk, count).partition
        return tasks.enumerated().map { number, task in
            let partition = (start + number / PartitionPlace.chunk) % count
            return wanted(task, count) ?? PartitionPlace(partition: partition, count: count)
        }
    }

    /// The next so many partitions in turn; answers the first.
    private func turns(_ number: Int, _ count: Int) -> PartitionPlace {
        turn.withLock { turn in
            let first = (turn + PartitionPlace.chunk - 1) / PartitionPlace.chunk
            turn = (first + number) * PartitionPlace.chunk
            return PartitionPlace(partition: first % count, count: count)
        }
    }

    /// Where a task must lie: with its first parent, or with others of the same content.
    private func wanted(_ task: NewTask, _ count: Int) -> PartitionPlace? {
        for parent in task.options.after?.parents ?? [] {
            if case .task(let id) = parent { return PartitionPlace(of: id, count) }
        }
        return task.options.unique.map { unique in
            let hash = unique.hash(of: task.payload)
            return PartitionPlace(partition: PartitionKey.partition(of: hash, among: count), count: count)
        }
    }

    /// A claim lane of this tracker's own worker name: concurrent claims must not overwrite each other's memory.
    func withLane<T>(_ body: (Int) async throws(TrackerError) -> T) async throws(TrackerError) -> T {
        let lane = lanes.take()
        defer { lanes.giveBack(lane) }
        return try await body(lane)
    }
}

/// One of several partitions.
struct PartitionPlace: Sendable, Hashable {
    /// New tasks that go to one partition before the next one has its turn.
    static let chunk = 100
    let partition: Int
    let count: Int

    init(partition: Int, count: Int) {
        self.partition = partition
        self.count = count
    }

    init(of id: TaskID, _ count: Int) {
        self.init(partition: PartitionKey.partition(of: id, among: count), count: count)
    }
}

/// The lowest numbers that are free.
private final class Lanes: Sendable {
    private let taken = Mutex<[Bool]>([])

    func take() -> Int {
        taken.withLock { taken in
            if let free = taken.firstIndex(of: false) {
                taken[free] = true
                return free
            }
            taken.append(true)
            return taken.count - 1
        }
    }

    func giveBack(_ lane: Int) { taken.withLock { $0[lane] = false } }
}
