import Logging
package import RedisWire
import Synchronization

/// A private Redis Cluster for tests: some primaries of its own on ports of 127.0.0.1, slots that move on request.
///
/// ```swift
/// try await withPrivateRedisCluster { cluster in
///     let tracker = try Tracker(url: cluster.url)
///     try await cluster.migrate(slot: cluster.slot(ofKey: "{belay:0}"), to: 2)
/// }
/// ```
///
/// It is up about two seconds after its start, because a primary accepts no write in the first two. Each node is a
/// ``PrivateRedisServer``, with its faults and its promise never to outlive the test process.
public final class PrivateRedisCluster: Sendable {
    /// The number of slots of every cluster.
    public static let slotCount = 16_384

    /// The first nodes of the cluster in the order of their slots: equal shares when it starts.
    public let primaries: [PrivateRedisServer]
    /// Where clients connect: `cluster://127.0.0.1:port,127.0.0.1:port…`, all first primaries, with the password when
    /// there is one.
    public let url: String

    private let options: PrivateRedisServer.Options
    private let state: Mutex<State>

    private struct State {
        var replicas: [PrivateRedisServer] = []
        /// The primaries' ids, in their order.
        var ids: [String] = []
        /// Slots that no longer are where they began.
        var moved: [Int: Int] = [:]
    }

    private init(_ primaries: [PrivateRedisServer], _ options: PrivateRedisServer.Options) {
        self.primaries = primaries
        self.options = options
        // One server's URL is redis://[:password@]127.0.0.1:port.
        let first = primaries[0].url.dropFirst("redis://".count)
        let others = primaries.dropFirst().map { ",127.0.0.1:\($0.port ?? 0)" }
        url = "cluster://" + first + others.joined()
        state = Mutex(State())
    }

    deinit { stop() }
}

// MARK: - Life

extension PrivateRedisCluster {
    /// Starts a cluster and returns when all its slots are served. Whoever starts it calls ``stop()``.
    ///
    /// - Parameters:
    ///   - primaries: How many nodes share the slots, at least 1; 3 by default.
    ///   - options: What each node is started with; the transport is always loopback.
    /// - Throws: ``PrivateRedisServerError`` when a server cannot be started or the cluster does not come up in 20 s.
    public static func start(
        primaries: Int = 3,
        options: PrivateRedisServer.Options = PrivateRedisServer.Options()
    ) async throws -> PrivateRedisCluster {
        var options = options
        options.transport = .loopback
        options.isClusterNode = true
        var arguments = ["--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"]
        if let password = options.password { arguments += ["--masterauth", password] }
        options.arguments = arguments + options.arguments
        var servers: [PrivateRedisServer] = []
        do {
            for _ in 0..<max(primaries, 1) { servers.append(try await PrivateRedisServer.start(options)) }
            let cluster = PrivateRedisCluster(servers, options)
            try await cluster.join()
            return cluster
        } catch {
            for server in servers { server.stop() }
            throw error
        }
    }

    /// Ends all nodes at once and removes their folders. Does nothing the second time.
    public func stop() {
        for server in primaries + state.withLock({ $0.replicas }) { server.stop() }
    }

    /// Adds a replica of a primary, and returns when it holds the primary's data and all nodes know it.
    ///
    /// Killing the primary then makes it a primary within about three seconds.
    ///
    /// - Throws: ``PrivateRedisServerError``, `RedisError`.
    public func addReplica(of primary: Int) async throws -> PrivateRedisServer {
        let replica = try await PrivateRedisServer.start(options)
        let id = state.withLock { state in
            state.replicas.append(replica)
            return state.ids[primary]
        }
        try await replica.send("CLUSTER", "MEET", "127.0.0.1", "\(primaries[primary].port ?? 0)")
        try await wait("a replica") { try await replica.text("CLUSTER", "NODES").contains("\(id) 127.0.0.1") }
        try await replica.send("CLUSTER", "REPLICATE", id)
        let own = try await replica.text("CLUSTER", "MYID")
        for node in primaries {
            try await wait("a replica") {
                let lines = try await node.text("CLUSTER", "NODES").split(separator: "\n")
                return lines.contains { $0.hasPrefix(own) && $0.contains("slave \(id)") }
            }
        }
        // Votes come from the other primaries: the replica must know all of them before it may have to ask.
        for id in state.withLock({ $0.ids }) {
            try await wait("a replica") {
                let lines = try await replica.text("CLUSTER", "NODES").split(separator: "\n")
                return lines.contains { $0.hasPrefix(id) && $0.contains("master") && $0.contains(" connected") }
            }
        }
        try await wait("a replica's data") { try await replica.text("INFO").contains("master_link_status:up") }
        return replica
    }

    /// Makes a replica the primary of its primary's slots, in good order, and returns when it is.
    ///
    /// - Throws: ``PrivateRedisServerError``, `RedisError`.
    public func promote(_ replica: PrivateRedisServer) async throws {
        try await replica.send("CLUSTER", "FAILOVER")
        try await wait("a failover") { try await replica.text("INFO").contains("role:master") }
    }
}

/// Runs `body` with a private cluster whose slots are served, and ends it when `body` returns or throws.
///
/// - Parameters:
///   - primaries: How many nodes share the slots; 3 by default.
///   - options: What each node is started with; the transport is always loopback.
///   - body: The work; it may move slots, and kill, pause and restart nodes.
/// - Returns: What `body` returns.
/// - Throws: ``PrivateRedisServerError`` when the cluster cannot be started, and whatever `body` throws.
public func withPrivateRedisCluster<Value>(
    primaries: Int = 3,
    options: PrivateRedisServer.Options = PrivateRedisServer.Options(),
    _ body: (PrivateRedisCluster) async throws -> Value
) async throws -> Value {
    let cluster = try await PrivateRedisCluster.start(primaries: primaries, options: options)
    defer { cluster.stop() }
    return try await body(cluster)
}

// MARK: - Slots

extension PrivateRedisCluster {
    /// The slot of a key, as the cluster computes it.
    ///
    /// - Throws: `RedisError` when the first node does not answer.
    public func slot(ofKey key: String) async throws -> Int {
        try await primaries[0].send("CLUSTER", "KEYSLOT", key).int ?? 0
    }

    /// The index of the primary that owns a slot, as far as this object moved it. Failovers do not count.
    public func owner(ofSlot slot: Int) -> Int {
        state.withLock { $0.moved[slot] } ?? (0..<primaries.count).first { share($0).contains(slot) } ?? 0
    }

    /// Moves a slot with its keys to another primary, and returns when all primaries know.
    ///
    /// - Throws: `RedisError` when a node refuses a step.
    public func migrate(slot: Int, to target: Int) async throws {
        try await beginMigration(ofSlot: slot, to: target)
        while try await moveKeys(ofSlot: slot, to: target, limit: 100) > 0 {}
        try await endMigration(ofSlot: slot, to: target)
    }

    /// The first step of a migration: the owner sends calls for missing keys to the target (`ASK`) from now on.
    ///
    /// - Throws: `RedisError` when a node refuses a step.
    public func beginMigration(ofSlot slot: Int, to target: Int) async throws {
        let source = owner(ofSlot: slot)
        let ids = state.withLock { $0.ids }
        try await primaries[target].send("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", ids[source])
        try await primaries[source].send("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", ids[target])
    }

    /// The second step: moves some keys of the slot.
    ///
    /// - Parameters:
    ///   - slot: The slot.
    ///   - target: The index of the new owner.
    ///   - limit: How many keys at most.
    ///   - isChosen: Which keys; all by default.
    /// - Returns: How many keys were moved.
    /// - Throws: `RedisError` when a node refuses.
    @discardableResult
    public func moveKeys(
        ofSlot slot: Int,
        to target: Int,
        limit: Int = 1000,
        where isChosen: (String) -> Bool = { _ in true }
    ) async throws -> Int {
        let source = primaries[owner(ofSlot: slot)]
        let names = try await source.send("CLUSTER", "GETKEYSINSLOT", "\(slot)", "10000").elements ?? []
        let keys = names.compactMap(\.string).filter(isChosen).prefix(limit)
        guard !keys.isEmpty else { return 0 }
        var arguments = ["127.0.0.1", "\(primaries[target].port ?? 0)", "", "0", "5000"]
        if let password = options.password { arguments += ["AUTH", password] }
        try await source.send(["MIGRATE"] + arguments + ["KEYS"] + keys)
        return keys.count
    }

    /// The last step: the target owns the slot.
    ///
    /// - Throws: `RedisError` when a node refuses.
    public func endMigration(ofSlot slot: Int, to target: Int) async throws {
        let source = owner(ofSlot: slot)
        let id = state.withLock { $0.ids[target] }
        let others = primaries.indices.filter { $0 != source && $0 != target }
        for index in [target, source] + others where primaries[index].processID != nil {
            try await primaries[index].send("CLUSTER", "SETSLOT", "\(slot)", "NODE", id)
        }
        state.withLock { $0.moved[slot] = target }
    }

    private func share(_ index: Int) -> Range<Int> {
        Self.slotCount * index / primaries.count..<Self.slotCount * (index + 1) / primaries.count
    }
}

// MARK: - Building

extension PrivateRedisCluster {
    private func join() async throws {
        for (index, node) in primaries.enumerated() {
            let id = try await node.text("CLUSTER", "MYID")
            state.withLock { $0.ids.append(id) }
            try await node.send("CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)")
            // ADDSLOTSRANGE is not known before Redis 7.
            try await node.send(["CLUSTER", "ADDSLOTS"] + share(index).map(String.init))
            for other in primaries[..<index] {
                try await node.send("CLUSTER", "MEET", "127.0.0.1", "\(other.port ?? 0)")
            }
        }
        for node in primaries {
            try await wait("the cluster") {
                let lines = try await node.text("CLUSTER", "INFO").split(whereSeparator: \.isNewline)
                return lines.contains("cluster_state:ok") && lines.contains("cluster_known_nodes:\(primaries.count)")
            }
        }
    }

    private func wait(_ what: String, until isTrue: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while try await !isTrue() {
            guard .now < deadline else {
                throw PrivateRedisServerError(code: .didNotStart, description: "\(what) did not come up within 20 s")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

extension PrivateRedisServer {
    /// Sends one command to this server, over a connection of its own.
    ///
    /// It has more patience than a program would: a node writes its configuration to the disk on each change, and on a busy
    /// machine that alone may take longer than a second.
    @discardableResult
    package func send(_ words: [String]) async throws -> RedisReply {
        var configuration = try RedisConfiguration(url: url)
        configuration.connectTimeout = .seconds(10)
        configuration.commandTimeout = .seconds(10)
        let client = RedisClient(
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        var arguments = RedisArguments()
        for word in words.dropFirst() { arguments.append(word) }
        do {
            let reply = try await client.send(RedisCommand(words[0], arguments))
            await client.close()
            return reply
        } catch {
            await client.close()
            throw error
        }
    }

    /// Sends one command to this server, over a connection of its own.
    @discardableResult
    package func send(_ words: String...) async throws -> RedisReply { try await send(words) }

    fileprivate func text(_ words: String...) async throws -> String { try await send(words).string ?? "" }
}
