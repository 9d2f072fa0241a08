/// Why an attempt failed: what the holder reported.
public struct TaskFailure: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The error's type, or another short class (`exit`, `timeout`).
    public var type: String
    /// What happened, for people.
    public var message: String
    /// Lines of a backtrace, or the tail of a program's error output; empty when there is none.
    public var backtrace: [String]
    /// Where it ran.
    public var host: String?
    /// The process that ran it.
    public var pid: Int32?

    /// A failure from its parts.
    public init(type: String, message: String, backtrace: [String] = [], host: String? = nil, pid: Int32? = nil) {
        self.type = type
        self.message = message
        self.backtrace = backtrace
        self.host = host
        self.pid = pid
    }

    /// A failure that tells of a thrown error: its type's name and its description.
    public init(_ error: any Error) {
        if let failure = error as? TaskFailure {
            self = failure
        } else {
            self.init(type: String(reflecting: Swift.type(of: error)), message: String(describing: error))
        }
    }

    /// `type: message`.
    public var description: String { "\(type): \(message)" }
}

/// Thrown by a handler to say that another attempt is of no use: the task is exhausted at once.
public struct PermanentFailure: Error, Sendable, CustomStringConvertible {
    /// Why.
    public var failure: TaskFailure
    /// A failure that no retry mends.
    public init(_ failure: TaskFailure) { self.failure = failure }
    /// A failure that no retry mends, from a message.
    public init(_ message: String) { failure = TaskFailure(type: "permanent", message: message) }
    /// The failure's text.
    public var description: String { failure.description }
}

/// Thrown by a handler to run its task again after a delay without spending the attempt.
public struct Snooze: Error, Sendable {
    /// How long, 0 to 3,650 days.
    public var delay: Duration
    /// A wish to run again later.
    public init(for delay: Duration) { self.delay = delay }
}
