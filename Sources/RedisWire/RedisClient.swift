public import Logging
public import NIOCore
public import NIOPosix

/// A client of one Redis server, for any number of tasks.
///
/// Commands of all tasks are pipelined on one connection, which is opened at the first command and again whenever it is
/// lost; there is nothing to run beside it. Blocking commands and subscriptions have connections of their own. Replies
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
/// Close the client with ``close()`` when it is no longer used.
public final class RedisClient: Sendable {
    /// The configuration that the client was made with.
    public let configuration: RedisConfiguration

    let router: Router
    let commandTimeout: TimeAmount
    let endpoint: String
    private let others = OpenConnections()

    /// Creates a client. Nothing is opened before the first command; a configuration that cannot be used makes every
    /// command fail with ``RedisError/Code/invalidConfiguration``.
    ///
    /// - Parameters:
    ///   - configuration: Where the server is and how the client behaves.
    ///   - logger: Receives connects and losses at level debug, and subscriptions that are refused as warnings.
    ///   - eventLoopGroup: The threads that do the network's work, of NIOPosix; by default those that the process shares.
    public init(
        configuration: RedisConfiguration,
        logger: Logger = Logger(label: "belay.redis"),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        self.configuration = configuration
        router = Router(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
        commandTimeout = TimeAmount(rounding: configuration.commandTimeout)
        endpoint = configuration.endpoint.description
        do throws(RedisError) {
            try configuration.validate()
        } catch {
            shutDown(error)
        }
    }

    deinit {
        shutDown(.closed("the client was released", endpoint: endpoint))
    }

    /// Whether the shared connection is open and logged in. It is not before the first command, nor after an idle time.
    public var isConnected: Bool {
        router.nodes.contains { $0.shared.isConnected }
    }

    /// Sends a command once and waits for its reply, at most ``RedisConfiguration/commandTimeout``.
    ///
    /// The command is never repeated once it has been written. Not for commands that block: they would hold up all others.
    ///
    /// - Throws: ``RedisError``; an error reply is thrown with code ``RedisError/Code/server``.
    public func send(_ command: RedisCommand) async throws(RedisError) -> RedisReply {
        try await router.defaultNode.shared.send(command, timeout: commandTimeout)
            .value(of: command, endpoint: endpoint)
    }

    /// Gives a connection to `body` that nobody else uses, and closes it afterwards.
    ///
    /// The connection is opened by its first command. A loop of blocking commands should run inside one call.
    ///
    /// - Parameters:
    ///   - key: The key whose node is asked.
    ///   - body: Uses the connection; what it returns or throws is passed on.
    public func withDedicatedConnection<T: Sendable>(
        routedBy key: String,
        _ body: (RedisConnection) async throws -> T
    ) async throws -> T {
        let connection = router.node(forKey: key).makeConnection()
        others.add(connection) { connection.shutDown() }
        defer {
            others.remove(connection)
            connection.shutDown()
        }
        return try await body(connection)
    }

    /// Subscribes to channels, on a connection of its own for each iteration.
    ///
    /// - Parameters:
    ///   - channels: The names of the channels. Without any, the sequence stays silent.
    ///   - key: The key whose node is asked.
    public func subscribe(to channels: [String], routedBy key: String) -> RedisSubscription {
        let node = router.node(forKey: key)
        return RedisSubscription { [others] in
            let link = node.makeSubscription(to: channels) { others.remove($0) }
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
        others.shutDownAll()
        for node in router.nodes {
            await node.shared.close(reason)
        }
    }

    private func shutDown(_ reason: RedisError) {
        others.shutDownAll()
        for node in router.nodes {
            node.shared.shutDown(reason)
        }
    }
}
