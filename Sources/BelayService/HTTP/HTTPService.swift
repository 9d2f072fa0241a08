import Hummingbird
public import Logging
import NIOCore
public import ServiceLifecycle

/// Serves the table of verbs over HTTP: `POST /v1/<namespace>/<verb>`, `GET /v1/<namespace>/events` as they
/// happen, its description, and how the service does.
///
/// ```swift
/// let trackers = try Trackers(["media"]) { name throws(TrackerError) in try Tracker(url: url, namespace: name) }
/// let service = try HTTPService(Dispatcher(trackers), metrics: metrics, configuration: .init(), logger: logger)
/// try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
public struct HTTPService: Service {
    /// Where it listens, and whom it answers.
    public struct Configuration: Sendable {
        /// The address to listen on. Default 127.0.0.1; another than loopback needs a token.
        public var host = "127.0.0.1"
        /// The port; 0 for any that is free. Default 8420.
        public var port = 8420
        /// Tokens that may ask. Default none.
        public var readOnlyTokens: [String] = []
        /// Tokens that may ask and change. Default none; without any token everybody on this host may.
        public var readWriteTokens: [String] = []
        /// The most connections. Default 256.
        public var connectionLimit = 256
        /// How long a connection may be silent. Default 60 s.
        public var idleTimeout: Duration = .seconds(60)

        /// How often a stream of events that has nothing to tell says so.
        var heartbeat: Duration = .seconds(15)
        /// The most streams of events at once.
        var streamLimit = 64

        /// All defaults.
        public init() {}

        /// Whether only programs on this host can connect.
        var isLoopback: Bool { ["localhost", "::1"].contains(host) || host.hasPrefix("127.") }
    }

    private let application: Application<CallbackResponder<BasicRequestContext>>

    /// A service; nothing is bound before ``run()``.
    /// - Parameters:
    ///   - dispatcher: What answers.
    ///   - metrics: What `/metrics` shows beside the trackers' own numbers.
    ///   - configuration: Where it listens, and whom it answers.
    ///   - logger: Its log.
    ///   - onBound: Told the address and port when it listens.
    /// - Throws: ``Problem`` (`invalidArgument`) for a bad token, or none with an address that others can reach.
    public init(
        _ dispatcher: Dispatcher,
        metrics: PrometheusMetrics,
        configuration: Configuration,
        logger: Logger,
        onBound: @escaping @Sendable (_ host: String, _ port: Int) async -> Void = { _, _ in }
    ) throws(Problem) {
        let tokens = try Tokens(readOnly: configuration.readOnlyTokens, readWrite: configuration.readWriteTokens)
        guard (0...65_535).contains(configuration.port) else {
            throw Problem(.invalidArgument, "port \(configuration.port) is not allowed; allowed: 0 to 65535")
        }
        guard configuration.connectionLimit > 0, configuration.idleTimeout > .zero else {
            throw Problem(.invalidArgument, "the connection limit and the idle time-out must be more than 0")
        }
        guard !tokens.isEmpty || configuration.isLoopback else {
            throw Problem(
                .invalidArgument,
                "listening on \(configuration.host) lets others in; give a token, or listen on 127.0.0.1"
            )
        }
        let routes = Routes(
            dispatcher: dispatcher,
            metrics: metrics,
            tokens: tokens,
            readiness: Readiness(dispatcher.trackers),
            streams: StreamSlots(limit: configuration.streamLimit),
            heartbeat: configuration.heartbeat
        )
        application = Application(
            responder: CallbackResponder { request, _ in await routes.respond(to: request) },
            server: .http1(
                configuration: .init(idleTimeout: .nanoseconds(Int64(configuration.idleTimeout / .nanoseconds(1))))
            ),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "belay",
                availableConnectionsDelegate: .maximum(configuration.connectionLimit, logger: logger)
            ),
            onServerRunning: { [configuration] channel in
                let address = channel.localAddress
                await onBound(address?.ipAddress ?? configuration.host, address?.port ?? configuration.port)
            },
            logger: logger
        )
    }

    /// Serves until graceful shutdown or cancellation; requests under way are answered first.
    public func run() async throws { try await application.run() }
}
