import BelayTestKit
import RedisWire
import Synchronization
import Testing

@testable import Belay

/// A tracker of a namespace of its own, on a clock that the test moves.
struct TrackerFixture: Sendable {
    let tracker: Tracker
    let clock: ManualClock
    let keyspace: Keyspace
    /// Sends any command; all tests of the process share it.
    let redis: RedisClient

    /// The worker that the raw requests name.
    let worker = WorkerName(trusted: "host:1:a")
    /// Who does what an operator does.
    static let actor = "op"
    /// What most tests start from: exact delays, a lease of 10 s, three attempts.
    static let policy = KindPolicy(
        lease: .seconds(10),
        attempts: 3,
        retry: .exponential(base: .seconds(1), factor: 2, cap: .seconds(60), jitter: 0),
        keepSucceeded: .seconds(3600),
        keepOther: .seconds(7200)
    )

    private static let count = Mutex(0)
    private static let sharedClient = Mutex<RedisClient?>(nil)
    private static let turns = Turns(8)

    /// Runs `body` with a fresh tracker on the server that all tests share, in which the given kinds are defined; then
    /// checks every key of the namespace and deletes them.
    static func run(
        kinds: [KindName] = ["k"],
        policy: KindPolicy = policy,
        payloadLimit: Int = 4096,
        isIntact: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (TrackerFixture) async throws -> Void
    ) async throws {
        try await turns.take {
            try await runAlone(kinds, policy, payloadLimit, isIntact, sourceLocation, body)
        }
    }

    private static func runAlone(
        _ kinds: [KindName],
        _ policy: KindPolicy,
        _ payloadLimit: Int,
        _ isIntact: Bool,
        _ sourceLocation: SourceLocation,
        _ body: (TrackerFixture) async throws -> Void
    ) async throws {
        let server = try await PrivateRedisServer.shared()
        let redis = try sharedClient.withLock { client in
            if let client { return client }
            let made = RedisClient(configuration: try RedisConfiguration(url: server.url))
            client = made
            return made
        }
        let fixture = try TrackerFixture(url: server.url, redis: redis, payloadLimit: payloadLimit)
        try await fixture.tracker.open()
        for kind in kinds { try await fixture.tracker.define(kind, policy: policy) }
        try await body(fixture)
        if isIntact { Invariants.check(try await fixture.dump(), sourceLocation: sourceLocation) }
        try await fixture.deleteAll()
        await fixture.tracker.close()
    }

    /// A tracker on another server, for tests that change the server itself.
    init(url: String, redis: RedisClient, payloadLimit: Int = 4096, namespace: String? = nil) throws {
        clock = ManualClock()
        let number = Self.count.withLock { count in
            count += 1
            return count
        }
        let namespace = namespace ?? "t\(number)"
        var configuration = Tracker.Configuration(redis: try RedisConfiguration(url: url), namespace: namespace)
        configuration.payloadLimit = payloadLimit
        configuration.manualClock = clock
        configuration.actor = Self.actor
        tracker = try Tracker(configuration: configuration)
        keyspace = Keyspace(namespace: namespace)
        self.redis = redis
    }

    /// What the clock shows, µs.
    var now: Int { clock.now.microseconds }

    /// A moment so much later (or earlier) than the clock shows.
    func moment(_ offset: Duration) -> Timestamp { clock.now + offset }
}

// MARK: - Short forms

extension TrackerFixture {
    /// Enqueues one task of a chosen id.
    func enqueue(
        _ id: TaskID,
        _ kind: KindName = "k",
        payload: Body = .empty,
        delay: Duration? = nil,
        priority: Int = 5,
        attempts: Int? = nil
    ) async throws {
        let options = EnqueueOptions(id: id, delay: delay, priority: priority, attempts: attempts)
        let outcomes = try await tracker.enqueue([NewTask(kind, payload: payload, options: options)])
        try #require(outcomes == [.created(id)])
    }

    /// Enqueues tasks `<prefix>1 ... <prefix>n`, all due now.
    @discardableResult
    func enqueue(count: Int, _ kind: KindName = "k", prefix: String = "t") async throws -> [TaskID] {
        let ids = (1...count).map { TaskID(trusted: "\(prefix)\($0)") }
        let outcomes = try await tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0)) })
        try #require(outcomes == ids.map { .created($0) })
        return ids
    }

    /// Enqueues and claims one task.
    func running(_ id: TaskID = "a", _ kind: KindName = "k", token: String = "token") async throws -> Claim {
        try await enqueue(id, kind)
        return try await claim(id, token: token)
    }

    /// Takes the lock of a named task, which must be free.
    func claim(
        _ id: TaskID,
        token: String = "token",
        worker: WorkerName? = nil,
        lease: Duration? = nil,
        options: AcquireOptions = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Claim {
        let outcome = try await send(acquire(id, token: token, worker: worker, lease: lease, options: options))
        guard case .claimed(let claim) = outcome else {
            Issue.record("\(id) could not be claimed: \(outcome)", sourceLocation: sourceLocation)
            throw TrackerError.bug("no claim")
        }
        return claim
    }

    func acquire(
        _ id: TaskID,
        token: String = "token",
        worker: WorkerName? = nil,
        lease: Duration? = nil,
        options: AcquireOptions = [],
        held: String? = nil
    ) -> Acquire {
        Acquire(id: id, token: token, worker: worker ?? self.worker, lease: lease, options: options, held: held)
    }

    func claimMany(
        _ count: Int = 1,
        _ kinds: [KindName] = ["k"],
        token: String = "token",
        worker: WorkerName? = nil,
        lease: Duration? = nil,
        lane: Int = 0,
        wait: Duration? = nil,
        mayBeWaiting: Bool = false,
        order: ClaimOrder = .priority,
        estimatedNow: Timestamp? = nil
    ) -> ClaimMany {
        ClaimMany(
            token: token,
            worker: worker ?? self.worker,
            count: count,
            kinds: kinds,
            lease: lease,
            lane: lane,
            wait: wait,
            mayBeWaiting: mayBeWaiting,
            order: order,
            estimatedNow: estimatedNow
        )
    }

    func record(_ id: TaskID) async throws -> TaskRecord { try #require(try await tracker.get(id)) }
    func state(_ id: TaskID) async throws -> TaskState? { try await tracker.get(id)?.state }
}

extension ClaimHandle {
    /// The same task and fence with a token that nobody drew.
    var withWrongToken: ClaimHandle { ClaimHandle(id: id, token: "0000", fence: fence) }
    /// The same task and token with another fence.
    var withOldFence: ClaimHandle { ClaimHandle(id: id, token: token, fence: fence - 1) }
    /// The handle of a task that does not exist.
    var ofNobody: ClaimHandle { ClaimHandle(id: TaskID(trusted: "nobody"), token: token, fence: fence) }
}

let failure = TaskFailure(type: "exit", message: "code 1", host: "host", pid: 1)
