import BelayScripts
package import RedisWire

/// A call of one script, as it travels: keys first, then arguments.
package struct ScriptCall: Sendable {
    let keyspace: Keyspace
    private(set) var keyCount = 0
    private(set) var arguments: RedisArguments

    init(_ keyspace: Keyspace, capacity: Int = 512) {
        self.keyspace = keyspace
        arguments = RedisArguments(reservingCapacity: capacity)
    }

    /// Header, guard, and the records of the tasks that the call names.
    mutating func keys(_ ids: some Sequence<TaskID> = EmptyCollection()) {
        arguments.append(keyspace.header)
        arguments.append(keyspace.guardKey)
        keyCount = 2
        for id in ids {
            arguments.append(keyspace.record(id))
            keyCount += 1
        }
    }

    mutating func append(_ text: some StringProtocol) { arguments.append(String(text)) }
    mutating func append(_ text: String) { arguments.append(text) }
    mutating func append(_ number: Int) { arguments.append(number) }
    mutating func append(bytes: [UInt8]) { arguments.append(bytes: bytes) }
    /// A duration in microseconds.
    mutating func append(_ duration: Duration) { arguments.append(duration.microseconds) }
    /// A duration in microseconds, or "" when there is none.
    mutating func append(_ duration: Duration?) {
        if let duration { append(duration) } else { append("") }
    }
}

/// One verb: a pure description of one script call and of what its answer means.
///
/// A verb does not know who performs it: the Redis backend sends its script, the in-memory tracker applies it to a value.
package protocol Verb: Sendable {
    associatedtype Response: Sendable
    /// The script; a verb keeps it as a `static let`, so that its digest is computed once.
    static var script: RedisScript { get }
    /// Refuses what is out of range before anything is sent.
    func validate() throws(TrackerError)
    /// Keys and arguments, without the manual time, which every script takes last.
    func encode(into call: inout ScriptCall)
    /// The answer after its first two elements, `OK` and the time, or another word that this verb knows.
    func decode(_ reply: ScriptReply) throws(TrackerError) -> Response
    /// How it is performed on a tracker of several partitions: by its tasks, in all of them, or in one.
    func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response
}

extension Verb {
    package func validate() throws(TrackerError) {}
}

/// Performs verbs: over Redis, or in memory for tests.
package protocol TrackerBackend: Sendable {
    /// Performs a verb once its values were validated.
    func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response
    /// The server's time as well as it is known without asking: the last answer's, moved on by a monotonic clock.
    var estimatedNow: Timestamp? { get }
    /// Calls `wake` each time when there may be something for a worker to do, until the calling task is cancelled. With a task
    /// it hears only of what lies in that task's partition.
    func listen(for worker: WorkerName, holding task: TaskID?, _ wake: @Sendable (WakeUp) -> Void) async
    /// Runs loops that do little but call the backend with fewer changes of threads; nil where there is nothing to gain.
    var executor: (any TaskExecutor)? { get }
    /// The largest payload the tracker takes, bytes.
    var payloadLimit: Int { get async throws(TrackerError) }
    /// How many partitions the tracker has.
    var partitions: Int { get async throws(TrackerError) }
    /// Ends all connections.
    func close() async
}

extension TrackerBackend {
    /// Listens in all partitions.
    package func listen(for worker: WorkerName, _ wake: @Sendable (WakeUp) -> Void) async {
        await listen(for: worker, holding: nil, wake)
    }
}

/// Why a worker was woken.
package enum WakeUp: Sendable, Hashable {
    /// A task became ready.
    case ready
    /// A task that it holds was cancelled.
    case cancel
    /// It listens (again): something may have been missed.
    case listening
}

extension RedisScript {
    init(_ script: Script) { self.init(name: script.name, source: script.source) }
}
