import NIOCore

/// Whoever owns a connection. All methods are called on its event loop.
protocol ReplyReceiver: AnyObject, Sendable {
    /// A connection exists and the handshake begins. The receiver keeps the handler, or closes it if it comes too late.
    func connectionOpened(_ handler: ReplyHandler)
    /// The server has accepted us.
    func connectionReady(generation: Int)
    /// Replies, or pushed messages, have come. May empty the array.
    func connectionReceived(_ replies: inout [RedisReply], generation: Int)
    /// The connection could not be made or is lost. Called at most once for a generation.
    func connectionLost(_ error: RedisError, generation: Int)
}

/// The end of a channel's pipeline: bytes in, replies out; the handshake first.
///
/// Not `Sendable`: it belongs to the channel's event loop.
final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Stage {
        /// The channel may still lose against another address of the same host.
        case racing
        case handshake
        case open
        case lost
    }

    /// A write buffer larger than this is given back after its use.
    private static let keptBufferBytes = 1 << 18

    let generation: Int
    private let receiver: any ReplyReceiver
    private let endpoint: String
    private let reader: HiredisReader
    private var handshake: Handshake
    private var stage = Stage.racing
    private var context: ChannelHandlerContext?
    private var outbound = ByteBuffer()
    private var replies: [RedisReply] = []
    private var problem: (any Error)?

    init(configuration: RedisConfiguration, generation: Int, receiver: any ReplyReceiver) {
        self.generation = generation
        self.receiver = receiver
        endpoint = configuration.endpoint.description
        handshake = Handshake(configuration)
        reader = HiredisReader(
            limits: .init(
                bytes: configuration.maxReplyBytes,
                elements: configuration.maxReplyElements,
                depth: configuration.maxReplyDepth
            )
        )
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// The channel is the one that is used.
    func start() {
        stage = .handshake
        receiver.connectionOpened(self)
        guard stage == .handshake else { return }
        guard let context, context.channel.isActive else {
            fail(with: problem ?? ChannelError.eof)
            return
        }
        handshake.encode(into: &outbound)
        flush()
    }

    /// Writes requests and flushes them once.
    func write(_ commands: [RedisCommand]) {
        for command in commands {
            command.encode(into: &outbound)
        }
        flush()
    }

    /// Closes the channel. Nothing is reported any more.
    func close() {
        stage = .lost
        context?.close(promise: nil)
    }

    /// Stops or continues to read from the socket.
    func setReading(_ enabled: Bool) {
        context?.channel.setOption(.autoRead, value: enabled).whenFailure { _ in }
    }

    private func flush() {
        guard let context, outbound.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        if outbound.capacity > Self.keptBufferBytes {
            outbound = ByteBuffer()
        } else {
            // Keeps the memory when the socket has taken everything, and gets new memory when it has not.
            outbound.clear()
        }
    }

    // MARK: ChannelInboundHandler

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard stage == .handshake || stage == .open else { return }
        let bytes = unwrapInboundIn(data)
        var violation: RedisError?
        // A typed throw does not pass through the rethrowing closure.
        bytes.withUnsafeReadableBytes { raw in
            do throws(RedisError) { try reader.read(raw, into: &replies) } catch { violation = error }
        }
        deliver()
        if let violation { fail(with: violation) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(with: problem ?? ChannelError.eof)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        problem = problem ?? error
        fail(with: error)
    }

    private func deliver() {
        if stage == .handshake {
            let taken = receiveHandshake()
            replies.removeFirst(taken)
        }
        guard stage == .open, !replies.isEmpty else { return }
        receiver.connectionReceived(&replies, generation: generation)
        replies.removeAll(keepingCapacity: replies.capacity <= 4096)
    }

    /// Answers how many replies belonged to the handshake.
    private func receiveHandshake() -> Int {
        for (index, reply) in replies.enumerated() {
            do throws(RedisError) {
                try handshake.receive(reply)
            } catch {
                fail(with: error)
                return index + 1
            }
            if handshake.isFinished {
                stage = .open
                receiver.connectionReady(generation: generation)
                return index + 1
            }
        }
        return replies.count
    }

    private func fail(with error: any Error) {
        let failedStage = stage
        stage = .lost
        context?.close(promise: nil)
        switch failedStage {
        case .handshake, .open:
            let isOpen = failedStage == .open
            receiver.connectionLost(describe(error, isOpen: isOpen), generation: generation)
        case .racing, .lost:
            break
        }
    }

    private func describe(_ error: any Error, isOpen: Bool) -> RedisError {
        if let error = error as? RedisError {
            return RedisError(
                code: error.code,
                outcome: isOpen ? .unknown : .notSent,
                message: error.message,
                serverError: error.serverError,
                endpoint: endpoint,
                underlying: error.underlying
            )
        }
        let what = isOpen ? "connection lost" : "connection lost during log-in"
        return RedisError(
            code: isOpen ? .connectionClosed : .connectionFailed,
            outcome: isOpen ? .unknown : .notSent,
            message: "\(what): \(Connector.reason(error))",
            endpoint: endpoint,
            underlying: error
        )
    }
}

// Said aloud, so that nobody makes it one: all that it holds may be touched on its event loop only.
@available(*, unavailable)
extension ReplyHandler: Sendable {}
