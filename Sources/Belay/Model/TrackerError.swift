import RedisWire

/// What went wrong, whether it is worth trying again, and whether anything may have happened.
///
/// Refusals that are part of daily work (nothing due, locked, stale, duplicate ...) are values of the verbs, not errors:
/// an error means the network, the server, misuse, or a bug.
public struct TrackerError: Error, Sendable, CustomStringConvertible {
    /// The sort of an error; grows with the library, so a `switch` needs a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String {
            case invalidArgument, unknownKind, unknownParent, kindConflict, full, tooLarge, incompatibleTracker,
                unsuitableServer
            case unavailable, unauthorised, timedOut, cancelled, server, protocolViolation, payload, closed, lockLost
        }
        private let value: Value
        private init(_ value: Value) { self.value = value }
        /// The code's name.
        public var description: String { value.rawValue }

        /// A value of the call is not allowed; the message names it, what is allowed and what to do.
        public static let invalidArgument = Code(.invalidArgument)
        /// The kind is not defined in this tracker.
        public static let unknownKind = Code(.unknownKind)
        /// A task was to wait for a task or tag that does not exist; nothing was created.
        public static let unknownParent = Code(.unknownParent)
        /// The kind is stored with another policy.
        public static let kindConflict = Code(.kindConflict)
        /// A stated limit of the tracker is reached.
        public static let full = Code(.full)
        /// A payload, result or error is larger than the tracker's limit.
        public static let tooLarge = Code(.tooLarge)
        /// The tracker was made by a newer Belay, or for another clock.
        public static let incompatibleTracker = Code(.incompatibleTracker)
        /// The server is too old, or set up so that it may drop tasks.
        public static let unsuitableServer = Code(.unsuitableServer)
        /// The server cannot be reached, or is not ready.
        public static let unavailable = Code(.unavailable)
        /// The server refused the user or password, or the user may not run a command.
        public static let unauthorised = Code(.unauthorised)
        /// No answer within the time allowed.
        public static let timedOut = Code(.timedOut)
        /// The calling Swift task was cancelled.
        public static let cancelled = Code(.cancelled)
        /// The server answered with an error (out of memory, a failed script ...).
        public static let server = Code(.server)
        /// The server's answer is not what the protocol says: a bug, or another program's keys.
        public static let protocolViolation = Code(.protocolViolation)
        /// A payload or result could not be encoded or decoded as its Swift type.
        public static let payload = Code(.payload)
        /// The tracker was closed.
        public static let closed = Code(.closed)
        /// The lock was lost while the work went on.
        public static let lockLost = Code(.lockLost)
    }

    /// What is known about the effect of a call that threw.
    public enum Outcome: String, Sendable, Codable {
        /// Nothing happened.
        case nothing
        /// It may have happened or not: no answer came. Every verb may be repeated with the same request.
        case unknown
    }

    /// The sort of the error.
    public let code: Code
    /// For people: what, what is allowed, what to do.
    public let message: String
    /// Whether the same call may succeed later without a change.
    public let isRetriable: Bool
    /// Whether something may have happened.
    public let outcome: Outcome
    /// The error below, if there is one.
    public let cause: (any Error)?

    /// An error from its parts.
    public init(
        _ code: Code,
        _ message: String,
        isRetriable: Bool = false,
        outcome: Outcome = .nothing,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
        self.outcome = outcome
        self.cause = cause
    }

    /// `code: message`.
    public var description: String { "\(code): \(message)" }

    static func invalid(_ what: String, _ value: some CustomStringConvertible, allowed: String) -> TrackerError {
        let text = value.description.unicodeScalars.prefix(80).map {
            $0.isControl ? "\\u{\(String($0.value, radix: 16))}" : String($0)
        }
        return TrackerError(.invalidArgument, "\(what) “\(text.joined())” is not allowed; allowed: \(allowed)")
    }

    package static func bug(_ message: String) -> TrackerError { TrackerError(.protocolViolation, message) }
}

extension TrackerError: GatheredFailure {
    package var concernsValues: Bool {
        switch code {
        case .invalidArgument, .unknownKind, .unknownParent, .kindConflict, .full, .tooLarge, .payload: true
        default: false
        }
    }

    package static func cancelled(wasSent: Bool) -> TrackerError {
        TrackerError(.cancelled, "the calling task was cancelled", outcome: wasSent ? .unknown : .nothing)
    }
}
