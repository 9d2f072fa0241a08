import FoundationEssentials
import RedisWire
import ServiceContextModule
import Tracing

/// How a task is enqueued; every part has a default.
public struct EnqueueOptions: Sendable {
    /// The caller's id; nil to have one made that sorts by time.
    public var id: TaskID?
    /// What to do when the id is taken.
    public var ifExists: DuplicatePolicy
    /// Not before so much later, 0 to 3,650 days. Not together with `runAt`.
    public var delay: Duration?
    /// Not before that moment. Not together with `delay`.
    public var runAt: Timestamp?
    /// 0 to 9, 9 is claimed first.
    public var priority: Int
    /// The most attempts of this task; nil for its kind's.
    public var attempts: Int?
    /// Tags, at most 8.
    public var tags: [TaskTag] = []
    /// What it waits for; nil for nothing.
    public var after: Dependencies?
    /// Not to be started when so much time has passed, 0 to 3,650 days: then it is cancelled as expired when its turn comes. It
    /// does not stop a task that has begun. Not together with `expiresAt`.
    public var expiresAfter: Duration?
    /// Not to be started from that moment on. Not together with `expiresAfter`.
    public var expiresAt: Timestamp?
    /// Keeps it out when another task of the kind has the same content; nil not to.
    public var unique: Uniqueness?
    /// Whether to use a task of the same id again that succeeded (``EnqueueOutcome/reused(_:)``). Needs an id.
    public var reuse = false

    /// Options.
    public init(
        id: TaskID? = nil,
        ifExists: DuplicatePolicy = .refuse,
        delay: Duration? = nil,
        runAt: Timestamp? = nil,
        priority: Int = 5,
        attempts: Int? = nil,
        tags: [TaskTag] = [],
        after: Dependencies? = nil,
        expiresAfter: Duration? = nil,
        expiresAt: Timestamp? = nil,
        unique: Uniqueness? = nil,
        reuse: Bool = false
    ) {
        self.id = id
        self.ifExists = ifExists
        self.delay = delay
        self.runAt = runAt
        self.priority = priority
        self.attempts = attempts
        self.tags = tags
        self.after = after
        self.expiresAfter = expiresAfter
        self.expiresAt = expiresAt
        self.unique = unique
        self.reuse = reuse
    }

    func wishes() throws(TrackerError) -> Enqueue.Wishes? {
        var wishes = Enqueue.Wishes()
        wishes.tags = tags
        wishes.dependencies = after
        switch (expiresAfter, expiresAt) {
        case (nil, nil): break
        case (let delay?, nil): wishes.expires = .after(delay)
        case (nil, let moment?): wishes.expires = .at(moment)
        case (let delay?, let moment?):
            throw .invalid("expiry after \(delay) together with expiry", moment, allowed: "one of the two")
        }
        wishes.unique = unique
        if reuse, id == nil { throw .invalid("reuse", "without an id", allowed: "reuse with an id of your own") }
        wishes.reuse = reuse
        return wishes.isEmpty ? nil : wishes
    }

    func due() throws(TrackerError) -> Enqueue.Due {
        switch (delay, runAt) {
        case (nil, nil): return .now
        case (let delay?, nil): return .after(delay)
        case (nil, let moment?): return .at(moment)
        case (let delay?, let moment?):
            throw .invalid("delay \(delay) together with run time", moment, allowed: "one of the two")
        }
    }
}

/// A task to be enqueued, untyped.
public struct NewTask: Sendable {
    /// Its kind, which must be defined.
    public var kind: KindName
    /// What it is to work on.
    public var payload: Body
    /// How.
    public var options: EnqueueOptions

    /// A new task.
    public init(_ kind: KindName, payload: Body = .empty, options: EnqueueOptions = EnqueueOptions()) {
        self.kind = kind
        self.payload = payload
        self.options = options
    }
}

extension Tracker {
    /// Creates a task of a Swift kind; defines the kind with its policy where the tracker does not know it.
    /// - Parameter message: What the task's log says of it, at most 1,024 bytes; empty for nothing.
    /// - Returns: What became of it, with its id.
    /// - Throws: ``TrackerError`` (`payload`, `tooLarge`, `invalidArgument`, or of the server).
    @discardableResult
    public func enqueue<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ payload: Payload,
        options: EnqueueOptions = EnqueueOptions(),
        message: String = ""
    ) async throws(TrackerError) -> EnqueueOutcome {
        try await enqueue(
            [NewTask(kind.name, payload: try Body(encoding: payload), options: options)],
            policy: kind.policy,
            message: message
        )[0]
    }

    /// Creates many tasks of a Swift kind (1 to 500) in one round trip, atomically in each partition.
    /// - Returns: What became of each, in their order.
    @discardableResult
    public func enqueue<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        contentsOf payloads: [Payload],
        options: EnqueueOptions = EnqueueOptions()
    ) async throws(TrackerError) -> [EnqueueOutcome] {
        var tasks: [NewTask] = []
        for payload in payloads {
            tasks.append(NewTask(kind.name, payload: try Body(encoding: payload), options: options))
        }
        return try await enqueue(tasks, policy: kind.policy)
    }

    /// Creates many tasks (1 to 500) in one round trip, atomically: all that are not refused as duplicates or because their
    /// kind's queue is full, or none.
    ///
    /// On a tracker of several partitions that holds in each of them. Tasks whose ids are made go to one partition a hundred
    /// at a time, all of them when one of the call waits for another; those with ids of the caller's own go where their ids say,
    /// by the part between braces where there is one: ids with the same key in braces lie in one partition.
    ///
    /// Tasks that many callers enqueue one by one at the same moment, without ids of their own, parents or message, share a
    /// script once two such calls are under way; who is alone waits for nobody.
    /// - Parameters:
    ///   - tasks: The tasks, of any kinds.
    ///   - policy: What to define unknown kinds with; nil to refuse unknown kinds.
    ///   - message: What the tasks' logs say of it, at most 1,024 bytes; empty for nothing.
    /// - Returns: What became of each, in their order.
    /// - Throws: ``TrackerError`` (`unknownKind`, `unknownParent`, `tooLarge`, `invalidArgument`, or of the server).
    @discardableResult
    public func enqueue(
        _ tasks: [NewTask],
        policy: KindPolicy? = nil,
        message: String = ""
    ) async throws(TrackerError) -> [EnqueueOutcome] {
        let trace = currentTrace()
        if tasks.count == 1, tasks[0].mayShare, message.isEmpty {
            let item = LooseTask(task: tasks[0], policy: policy, trace: trace)
            return [try await enqueues.perform(item, bytes: tasks[0].payload.bytes.count, enqueue)]
        }
        return try await enqueue(tasks.map { LooseTask(task: $0, policy: policy, trace: trace) }, message: message)
    }

    private func enqueue(_ tasks: [LooseTask]) async throws(TrackerError) -> [EnqueueOutcome] {
        try await enqueue(tasks, message: "")
    }

    private func enqueue(_ tasks: [LooseTask], message: String) async throws(TrackerError) -> [EnqueueOutcome] {
        var ready: [PreparedTask] = []
        ready.reserveCapacity(tasks.count)
        let places = try await places(of: tasks.map(\.task))
        for (loose, place) in zip(tasks, places) {
            ready.append(try await prepare(loose.task, policy: loose.policy, trace: loose.trace, in: place))
        }
        return try await enqueue(ready, nonce: ready.contains(where: \.isOwn) ? Host.nonce() : nil, message: message)
    }

    /// Makes a task ready to be sent, perhaps more than once: it has an id from here on.
    func prepare(
        _ task: NewTask,
        policy: KindPolicy?,
        trace: [String: String],
        in place: PartitionPlace? = nil
    ) async throws(TrackerError) -> PreparedTask {
        let id: TaskID
        if let own = task.options.id { id = own } else { id = try await newID(in: place) }
        let item = Enqueue.Item(
            id: id,
            kind: 0,
            due: try task.options.due(),
            priority: task.options.priority,
            payload: task.payload,
            attempts: task.options.attempts,
            trace: trace,
            wishes: try task.options.wishes()
        )
        return PreparedTask(
            kind: task.kind,
            policy: policy,
            item: item,
            isOwn: task.options.id != nil,
            ifExists: task.options.ifExists
        )
    }

    /// The request that creates tasks; a nonce when the caller chose an id, which stays the same when it is sent again.
    func request(
        for tasks: [PreparedTask],
        nonce: String?,
        message: String
    ) async throws(TrackerError) -> Enqueue {
        let limit = try await backend.payloadLimit
        var kinds: [(name: KindName, policy: KindPolicy?)] = []
        var places: [KindName: Int] = [:]
        var items: [Enqueue.Item] = []
        items.reserveCapacity(tasks.count)
        for task in tasks {
            var item = task.item
            if let known = places[task.kind] {
                item.kind = known
                if kinds[known].policy == nil { kinds[known].policy = task.policy }
            } else {
                item.kind = kinds.count
                places[task.kind] = kinds.count
                kinds.append((task.kind, task.policy))
            }
            items.append(item)
        }
        return Enqueue(nonce: nonce, actor: actor, message: message, kinds: kinds, items: items, payloadLimit: limit)
    }

    func enqueue(
        _ tasks: [PreparedTask],
        nonce: String?,
        message: String
    ) async throws(TrackerError) -> [EnqueueOutcome] {
        let response = try await perform(try await request(for: tasks, nonce: nonce, message: message))
        return tasks.enumerated().map { place, task in
            if let limit = response.full[place] { return .full(task.item.id, limit: limit) }
            if let other = response.repeated[place] { return .deduplicated(task.item.id, of: other) }
            if response.reused.contains(place) { return .reused(task.item.id) }
            guard response.duplicates.contains(place) else { return .created(task.item.id) }
            return task.ifExists == .refuse ? .duplicate(task.item.id) : .existing(task.item.id)
        }
    }

    /// The caller's trace context, as it is stored with a task.
    func currentTrace() -> [String: String] {
        guard let context = ServiceContext.current else { return [:] }
        var trace: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &trace, using: TraceCarrier())
        return trace
    }
}

/// A task as its caller gave it, and what goes with it.
struct LooseTask: Sendable {
    var task: NewTask
    var policy: KindPolicy?
    var trace: [String: String]
}

extension NewTask {
    /// Whether it may be sent with tasks of other callers: a request that a nonce or parents hold together stays by itself.
    fileprivate var mayShare: Bool {
        options.id == nil && options.after == nil && payload.bytes.count <= Limits.sharedBytes
    }
}

/// A task that is ready to be sent.
struct PreparedTask: Sendable {
    var kind: KindName
    /// What to define the kind with where it is unknown.
    var policy: KindPolicy?
    var item: Enqueue.Item
    /// Whether the caller chose the id.
    var isOwn: Bool
    var ifExists: DuplicatePolicy
}

/// Puts a trace context's headers into a dictionary and takes them out.
struct TraceCarrier: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}

extension Body {
    /// A value as JSON.
    /// - Throws: ``TrackerError`` (`payload`) naming the type.
    public init(encoding value: some Encodable) throws(TrackerError) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            self.init(bytes: Array(try encoder.encode(value)))
        } catch {
            throw TrackerError(.payload, "a \(type(of: value)) cannot be encoded as JSON: \(error)", cause: error)
        }
    }

    /// The value that JSON bytes hold.
    /// - Throws: ``TrackerError`` (`payload`) naming the type.
    public func decoded<T: Decodable>(as type: T.Type = T.self) throws(TrackerError) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.isEmpty ? Array("{}".utf8) : bytes))
        } catch {
            throw TrackerError(
                .payload,
                "these \(bytes.count) bytes (\(contentType)) are no \(type): \(error)",
                cause: error
            )
        }
    }
}
