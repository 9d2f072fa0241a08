import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Opens connections to one server.
final class Connector: Sendable {
    let configuration: RedisConfiguration
    /// The TLS context is costly to make and is shared by all connections.
    private let tlsContext = Mutex<NIOSSLContext?>(nil)

    init(configuration: RedisConfiguration) {
        self.configuration = configuration
    }

    /// Connects and logs in; the receiver hears of the result. Called on `eventLoop`.
    func connect(on eventLoop: any EventLoop, generation: Int, receiver: any ReplyReceiver) {
        let tls: NIOSSLContext?
        do throws(RedisError) {
            tls = try makeTLSContext()
        } catch {
            receiver.connectionLost(error, generation: generation)
            return
        }
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(rounding: configuration.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { [configuration] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(Self.tlsHandler(tls, configuration))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ReplyHandler(configuration: configuration, generation: generation, receiver: receiver)
                    )
                }
            }
        let channel =
            switch configuration.endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        channel.assumeIsolated().whenComplete { result in
            self.connected(result, generation: generation, receiver: receiver)
        }
    }

    private func connected(_ result: Result<any Channel, any Error>, generation: Int, receiver: any ReplyReceiver) {
        do {
            try result.get().pipeline.syncOperations.handler(type: ReplyHandler.self).start()
        } catch {
            let failure = RedisError(
                code: .connectionFailed,
                outcome: .notSent,
                message: "cannot connect: \(Self.reason(error))",
                endpoint: configuration.endpoint.description,
                underlying: error
            )
            receiver.connectionLost(failure, generation: generation)
        }
    }

    /// A short text for an error of the network.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let attempt = error.connectionErrors.last { return reason(attempt.error) }
            return (error.dnsAError ?? error.dnsAAAAError).map { "unknown host: \($0)" } ?? "no address"
        case let error as IOError:
            return String(cString: strerror(error.errnoCode))
        case ChannelError.eof, ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed:
            return "closed by the server"
        case ChannelError.connectTimeout(let time):
            return "no answer within \(time.nanoseconds / 1_000_000) ms"
        default:
            return String(describing: error)
        }
    }
}

extension Connector {
    private func makeTLSContext() throws(RedisError) -> NIOSSLContext? {
        guard let tls = configuration.tls else { return nil }
        let result: Result<NIOSSLContext, any Error> = tlsContext.withLock { cached in
            if let cached { return .success(cached) }
            return Result {
                let context = try NIOSSLContext(configuration: Self.tlsConfiguration(tls))
                cached = context
                return context
            }
        }
        switch result {
        case .success(let context): return context
        case .failure(let error):
            throw RedisError(
                code: .invalidConfiguration,
                outcome: .notSent,
                message: "cannot set up TLS: \(error)",
                endpoint: configuration.endpoint.description,
                underlying: error
            )
        }
    }

    private static func tlsConfiguration(_ tls: RedisConfiguration.TLS) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let file = tls.trustRootsFile {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
        }
        if let file = tls.certificateFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
        }
        if let file = tls.privateKeyFile {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
        }
        if tls.isInsecure {
            configuration.certificateVerification = .none
        }
        return configuration
    }

    private static func tlsHandler(
        _ context: NIOSSLContext,
        _ configuration: RedisConfiguration
    ) throws -> NIOSSLClientHandler {
        var name = configuration.tls?.serverName
        if name == nil, case .tcp(let host, _) = configuration.endpoint, !isAddress(host) {
            name = host
        }
        return try NIOSSLClientHandler(context: context, serverHostname: name)
    }

    /// TLS names servers by host name only; a certificate for an address is compared with the peer's address.
    private static func isAddress(_ host: String) -> Bool {
        (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }
}
