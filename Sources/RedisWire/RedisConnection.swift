import NIOCore

/// A connection that is not shared, for commands that block or that depend on the connection's state.
///
/// It is opened by its first command. It never reconnects: after a failure, a time-out or a cancelled call it is closed,
/// and every further command fails with outcome ``RedisError/Outcome/notSent``.
public final class RedisConnection: Sendable {
    private let link: Link
    private let commandTimeout: Duration
    private let endpoint: String
    private let isCluster: Bool

    init(link: Link, configuration: RedisConfiguration) {
        self.link = link
        commandTimeout = configuration.commandTimeout
        endpoint = configuration.endpoint.description
        isCluster = configuration.isCluster
    }

    /// Sends a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: The command. Concurrent calls are pipelined in the order in which they are made.
    ///   - timeout: Time from the call to the reply; for a command that blocks, longer than it may block. `nil`, the
    ///     default, means ``RedisConfiguration/commandTimeout``.
    /// - Throws: ``RedisError``; an error reply is thrown with code ``RedisError/Code/server``.
    public func send(_ command: RedisCommand, timeout: Duration? = nil) async throws(RedisError) -> RedisReply {
        let limit = TimeAmount(rounding: timeout ?? commandTimeout)
        return try await link.send(command, timeout: limit)
            .value(of: command, endpoint: endpoint, isCluster: isCluster)
    }

    func shutDown() {
        link.shutDown(.closed("the connection is closed", endpoint: endpoint))
    }
}

extension Result<RedisReply, RedisError> {
    /// The reply; an error reply to the whole command is thrown.
    ///
    /// - Parameter isCluster: Whether the client knows that the server may be one of several.
    func value(
        of command: @autoclosure () -> RedisCommand,
        endpoint: String,
        isCluster: Bool = true
    ) throws(RedisError) -> RedisReply {
        let reply = try get()
        if case .error(let error) = reply {
            let failure = RedisError(error, command: command().name, endpoint: endpoint)
            throw isCluster ? failure : failure.forSingleServer
        }
        return reply
    }
}

extension RedisError {
    static func closed(_ message: String, endpoint: String) -> RedisError {
        RedisError(code: .closed, outcome: .notSent, message: message, endpoint: endpoint)
    }
}
