/// A failure of a call: what happened, and whether the server may have executed the command.
public struct RedisError: Error, Sendable, CustomStringConvertible {
    /// What happened.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String {
            case connectionFailed, connectionClosed, timedOut, cancelled, unauthorised, protocolViolation, server
            case tooLarge, closed, invalidConfiguration
        }

        private let value: Value

        /// No connection could be made: refused, unreachable, TLS failed, or the server does not answer.
        public static let connectionFailed = Code(value: .connectionFailed)
        /// The connection was lost while the command waited for its reply.
        public static let connectionClosed = Code(value: .connectionClosed)
        /// The command's time ran out.
        public static let timedOut = Code(value: .timedOut)
        /// The calling task was cancelled.
        public static let cancelled = Code(value: .cancelled)
        /// The server wants another user name or password.
        public static let unauthorised = Code(value: .unauthorised)
        /// The server sent something that is not RESP2, or a reply that nobody asked for.
        public static let protocolViolation = Code(value: .protocolViolation)
        /// The server answered with an error; see ``RedisError/serverError``.
        public static let server = Code(value: .server)
        /// A reply exceeds the configured size, number of elements or depth.
        public static let tooLarge = Code(value: .tooLarge)
        /// The client, or the connection that was used, has been closed.
        public static let closed = Code(value: .closed)
        /// The configuration or URL cannot be used.
        public static let invalidConfiguration = Code(value: .invalidConfiguration)

        /// The code's name.
        public var description: String { value.rawValue }
    }

    /// What is known about the command's effect on the server.
    public enum Outcome: Sendable, Hashable {
        /// No byte of the command left: the server has not seen it.
        case notSent
        /// The server answered with an error.
        case refused
        /// The command left, and no reply came: it may or may not have been executed.
        case unknown
    }

    /// Shared by all copies, so that an error is one pointer wide.
    private final class Storage: Sendable {
        let code: Code
        let outcome: Outcome
        let message: String
        let serverError: RedisServerError?
        let endpoint: String?
        let underlying: (any Error)?

        init(
            code: Code,
            outcome: Outcome,
            message: String,
            serverError: RedisServerError?,
            endpoint: String?,
            underlying: (any Error)?
        ) {
            self.code = code
            self.outcome = outcome
            self.message = message
            self.serverError = serverError
            self.endpoint = endpoint
            self.underlying = underlying
        }
    }

    private let storage: Storage

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: What happened.
    ///   - outcome: What is known about the command's effect.
    ///   - message: A sentence for people, without secrets.
    ///   - serverError: The server's error reply, if that is the cause.
    ///   - endpoint: The server's address without user and password.
    ///   - underlying: The error below this one.
    public init(
        code: Code,
        outcome: Outcome,
        message: String,
        serverError: RedisServerError? = nil,
        endpoint: String? = nil,
        underlying: (any Error)? = nil
    ) {
        storage = Storage(
            code: code,
            outcome: outcome,
            message: message,
            serverError: serverError,
            endpoint: endpoint,
            underlying: underlying
        )
    }

    /// What happened.
    public var code: Code { storage.code }
    /// What is known about the command's effect on the server.
    public var outcome: Outcome { storage.outcome }
    /// A sentence for people. Never holds a password.
    public var message: String { storage.message }
    /// The server's error reply, for ``Code/server``, ``Code/unauthorised`` and failures that such a reply caused.
    public var serverError: RedisServerError? { storage.serverError }
    /// The server's address without user and password, where one was involved.
    public var endpoint: String? { storage.endpoint }
    /// The error below this one, if any: of the network, of TLS.
    public var underlying: (any Error)? { storage.underlying }

    /// Whether the same call may succeed later without any change by the caller.
    ///
    /// This does not say that repeating is safe: with ``Outcome/unknown`` only a command that may run twice should be
    /// repeated.
    public var isRetriable: Bool {
        switch code {
        case .connectionFailed, .connectionClosed, .timedOut: true
        case .server: serverError?.isRetriable ?? false
        default: false
        }
    }

    /// Code, message, endpoint and outcome in one line.
    public var description: String {
        let place = endpoint.map { " [\($0)]" } ?? ""
        return "RedisError(\(code)): \(message)\(place), outcome: \(outcome)"
    }
}

extension RedisError {
    /// The error for an error reply to a whole command.
    init(_ error: RedisServerError, command: String? = nil, endpoint: String?) {
        self.init(
            code: error.isUnauthorised ? .unauthorised : .server,
            outcome: .refused,
            message: command.map { "\($0): \(error.message)" } ?? error.message,
            serverError: error,
            endpoint: endpoint
        )
    }

    /// The same failure with another outcome.
    func with(outcome: Outcome) -> RedisError {
        guard outcome != self.outcome else { return self }
        return RedisError(
            code: code,
            outcome: outcome,
            message: message,
            serverError: serverError,
            endpoint: endpoint,
            underlying: underlying
        )
    }
}
