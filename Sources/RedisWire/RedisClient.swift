public import Logging
public import NIOCore
public import NIOPosix

/// A client of one Redis server, or of a Redis Cluster, for any number of tasks.
///
/// Commands of all tasks are pipelined on one connection, which is opened at the first command and again whenever it is
/// lost; there is nothing to run beside it. In a cluster there is one such connection to each primary that is used. Blocking commands and subscriptions have connections of their own. Replies
/// are matched by order:
///
/// - A call whose task is cancelled, or whose time runs out, returns at once. If the command had not been written it is
///   removed (outcome `notSent`); otherwise its place is kept, its reply is thrown away when it comes, and the outcome is
///   `unknown`. No other caller ever receives that reply.
/// - When the server gives no reply to the oldest command for a whole ``RedisConfiguration/commandTimeout``, the
///   connection is closed; everything in flight on it fails with outcome `unknown`.
/// - When the connection is lost, commands in flight fail with outcome `unknown`; those that still wait for room are
///   written to the next connection, or fail with outcome `notSent` when their time is over.
///
/// A cluster's slots are learnt from the first seed that answers, and again when a node sends a call elsewhere, cannot be
/// reached, or says that the cluster is down; at most ten times a second. A call that a node refuses because the slot
/// belongs to another (`MOVED`, `ASK`) has not been executed, and goes to that node at once, at most five times in a row.
///
/// Close the client with ``close()`` when it is no longer used.
public final class RedisClient: Sendable {
    /// The configuration that the client was made with.
    public let configuration: RedisConfiguration
    /// Runs Swift tasks on the event loop of the shared connection; in a cluster, on one of the loops that it uses.
    ///
    /// For loops that do little but call this client: `withTaskExecutorPreference(client.taskExecutor) { ... }`. Such a call
    /// changes no thread. What runs here must not block, and other connections wait while it computes.
    public let taskExecutor: any TaskExecutor

    let router: Router
    let commandTimeout: TimeAmount
    let endpoint: String
    /// Carries the shared connection to a single server, and wake-ups from it.
    private let eventLoop: any EventLoop
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let others = OpenConnections()

    /// Creates a client. Nothing is opened before the first command; a configuration that cannot be used makes every
    /// command fail with ``RedisError/Code/invalidConfiguration``.
    ///
    /// - Parameters:
    ///   - configuration: Where the server or the cluster is and how the client behaves.
    ///   - logger: Receives connects and losses at level debug, and subscriptions that are refused as warnings.
    ///   - eventLoopGroup: The threads that do the network's work, of NIOPosix; by default those that the process shares.
    public init(
        configuration: RedisConfiguration,
        logger: Logger = Logger(label: "belay.redis"),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        eventLoop = eventLoopGroup.next()
        taskExecutor = LoopExecutor(eventLoop)
        router = Router(
            configuration: configuration,
            eventLoop: eventLoop,
            eventLoopGroup: eventLoopGroup,
            logger: logger
        )
        commandTimeout = TimeAmount(rounding: configuration.commandTimeout)
        endpoint = configuration.seeds.map(\.description).joined(separator: ",")
        do throws(RedisError) {
            try configuration.validate()
        } catch {
            shutDown(error)
        }
    }

    deinit {
        shutDown(.closed("the client was released", endpoint: endpoint))
    }

    /// Whether the shared connection, in a cluster that to any node, is open and logged in. It is not before the first
    /// command, nor after an idle time.
    public var isConnected: Bool {
        router.nodes.contains { $0.shared.isConnected }
    }

    /// Of some keys the first of each node, as far as the nodes are known: none in a cluster before the first reply.
    package func oneKeyPerNode(among keys: [String]) -> [String] {
        switch router {
        case .single: Array(keys.prefix(1))
        case .cluster(let cluster): cluster.oneKeyPerNode(among: keys)
        }
    }

    /// Sends a command once and waits for its reply, at most ``RedisConfiguration/commandTimeout``.
    ///
    /// The command is never repeated once it has been written, unless a node of a cluster refused it because the slot
    /// belongs to another node. Not for commands that block: they would hold up all others.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - key: The key whose node is asked. Without one, the default, a cluster's command goes to any of its primaries:
    ///     right only for commands that name no key and mean no node in particular.
    /// - Throws: ``RedisError``; an error reply is thrown with code ``RedisError/Code/server``.
    public func send(_ command: RedisCommand, routedBy key: String? = nil) async throws(RedisError) -> RedisReply {
        switch router {
        case .single(let node):
            return try await node.shared.send(command, timeout: commandTimeout)
                .value(of: command, endpoint: endpoint, isCluster: false)
        case .cluster(let cluster):
            let end = NIODeadline.now() + commandTimeout
            return try await cluster.perform(on: key.map(HashSlot.init(key:)), before: end) {
                node,
                isAsking throws(RedisError) in
                try await node.shared.send(command, asking: isAsking, timeout: end - .now())
                    .value(of: command, endpoint: node.name)
            }
        }
    }

    /// Gives a connection to `body` that nobody else uses, and closes it afterwards.
    ///
    /// The connection is opened by its first command. A loop of blocking commands should run inside one call.
    ///
    /// In a cluster the key's node is asked first whether it still owns the slot; that may throw what
    /// ``evaluate(_:routedBy:keyCount:arguments:retryingUnknown:)`` throws. The connection stays at its node: when the
    /// slot moves meanwhile, a command fails with `MOVED`, which ``RedisError/isRetriable``, on another connection.
    ///
    /// - Parameters:
    ///   - key: The key whose node is asked.
    ///   - body: Uses the connection; what it returns or throws is passed on.
    public func withDedicatedConnection<T: Sendable>(
        routedBy key: String,
        _ body: (RedisConnection) async throws -> T
    ) async throws -> T {
        let connection: RedisConnection
        switch router {
        case .single(let node): connection = node.makeConnection()
        case .cluster(let cluster): connection = try await locate(key, in: cluster).makeConnection()
        }
        others.add(connection) { connection.shutDown() }
        defer {
            others.remove(connection)
            connection.shutDown()
        }
        return try await body(connection)
    }

    /// Subscribes to channels, on a connection of its own for each iteration.
    ///
    /// In a cluster the subscription stays with the owner of the key's slot: within about a second after the slot has
    /// moved, it is made again at the new owner, and says ``RedisSubscription/Event/subscribed`` again. (A plain `PUBLISH`
    /// reaches subscribers at all nodes, but tells its caller only of those at its own.) For that one script that does
    /// nothing, with the key, is sent each second.
    ///
    /// - Parameters:
    ///   - channels: The names of the channels. Without any, the sequence stays silent.
    ///   - key: The key whose node is asked.
    public func subscribe(to channels: [String], routedBy key: String) -> RedisSubscription {
        RedisSubscription { [others, router, configuration, eventLoop, eventLoopGroup, logger] in
            let route: SubscriptionLink.Route
            let loop: any EventLoop
            switch router {
            case .single(let node):
                route = .init(connector: { node.connector })
                loop = eventLoop
            case .cluster(let cluster):
                loop = eventLoopGroup.next()
                route = .init(
                    connector: { cluster.connector(forSlotOf: key) },
                    onLoss: { cluster.subscriptionLost($0) }
                )
            }
            let link = SubscriptionLink(
                channels: channels,
                route: route,
                configuration: configuration,
                eventLoop: loop,
                logger: logger
            ) { link in
                others.remove(link)
                if case .cluster(let cluster) = router { cluster.unfollow(link) }
            }
            if case .cluster(let cluster) = router { cluster.follow(key, by: link) }
            others.add(link) { link.shutDown() }
            return link
        }
    }

    /// Closes all connections.
    ///
    /// Commands that have been written may still receive their replies, for at most
    /// ``RedisConfiguration/commandTimeout``; all others, and all later ones, fail with ``RedisError/Code/closed``.
    /// Subscriptions end. May be called more than once.
    public func close() async {
        let reason = RedisError.closed("the client is closed", endpoint: endpoint)
        shutDown(reason)
        for node in router.nodes {
            await node.shared.close(reason)
        }
    }

    private func shutDown(_ reason: RedisError) {
        others.shutDownAll()
        router.shutDown(reason)
    }
}
