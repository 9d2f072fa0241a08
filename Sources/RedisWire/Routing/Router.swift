import Logging
import NIOCore

/// Knows which server is asked for a key; no other part of the program knows how many there are.
enum Router: Sendable {
    /// One server holds all keys.
    case single(Node)
    /// Each key's slot has its node.
    case cluster(Cluster)

    /// - Parameter eventLoop: Carries the shared connection of a single server.
    init(
        configuration: RedisConfiguration,
        eventLoop: any EventLoop,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger
    ) {
        if configuration.isCluster {
            self = .cluster(Cluster(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger))
        } else {
            self = .single(
                Node(
                    configuration: configuration,
                    eventLoop: eventLoop,
                    eventLoopGroup: eventLoopGroup,
                    logger: logger
                )
            )
        }
    }

    /// All nodes that are in use.
    var nodes: [Node] {
        switch self {
        case .single(let node): [node]
        case .cluster(let cluster): cluster.nodes
        }
    }

    /// Ends all shared connections; does not wait.
    func shutDown(_ reason: RedisError) {
        switch self {
        case .single(let node): node.shared.shutDown(reason)
        case .cluster(let cluster): cluster.shutDown(reason)
        }
    }
}

/// One server: the connection that all callers share, and the means to open others.
final class Node: Sendable {
    let shared: Link
    let connector: Connector
    /// The address, for errors.
    let name: String
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger

    /// - Parameter onLoss: Called each time when the shared connection could not be made, or was lost.
    init(
        configuration: RedisConfiguration,
        eventLoop: any EventLoop,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger,
        onLoss: (@Sendable () -> Void)? = nil
    ) {
        connector = Connector(configuration: configuration)
        name = configuration.endpoint.description
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        shared = Link(
            kind: .shared,
            connector: connector,
            eventLoop: eventLoop,
            logger: logger,
            onLoss: onLoss
        )
    }

    var endpoint: RedisConfiguration.Endpoint { connector.configuration.endpoint }

    func makeConnection() -> RedisConnection {
        let link = Link(kind: .single, connector: connector, eventLoop: eventLoopGroup.next(), logger: logger)
        return RedisConnection(link: link, configuration: connector.configuration)
    }
}
