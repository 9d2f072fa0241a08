import Logging
import NIOCore

/// Knows which server is asked for a key.
///
/// There is one server today. Whatever comes to more than one, by hash slot or by asking a sentinel, belongs here; no
/// other part of the program knows how many there are.
struct Router: Sendable {
    private let single: Node

    init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        single = Node(configuration: configuration, eventLoopGroup: eventLoopGroup, logger: logger)
    }

    /// The node that holds a key.
    func node(forKey key: String) -> Node { single }

    /// The node for commands that name no key.
    var defaultNode: Node { single }

    /// All nodes.
    var nodes: [Node] { [single] }
}

/// One server: the connection that all callers share, and the means to open others.
struct Node: Sendable {
    let shared: Link
    private let connector: Connector
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger

    init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        connector = Connector(configuration: configuration)
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        shared = Link(kind: .shared, connector: connector, eventLoop: eventLoopGroup.next(), logger: logger)
    }

    func makeConnection() -> RedisConnection {
        let link = Link(kind: .single, connector: connector, eventLoop: eventLoopGroup.next(), logger: logger)
        return RedisConnection(link: link, configuration: connector.configuration)
    }

    func makeSubscription(
        to channels: [String],
        onEnd: @escaping @Sendable (SubscriptionLink) -> Void
    ) -> SubscriptionLink {
        SubscriptionLink(
            channels: channels,
            connector: connector,
            eventLoop: eventLoopGroup.next(),
            logger: logger,
            onEnd: onEnd
        )
    }
}
