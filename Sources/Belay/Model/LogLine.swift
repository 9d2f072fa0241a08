/// One line of a task's log: a transition, or a message.
public struct LogLine: Sendable, Hashable, Codable {
    /// When.
    public var time: Timestamp
    /// What happened: `enqueued`, `claimed`, the outcome of an attempt (`succeeded`, `failed`, `crashed` ...), `paused`,
    /// `resumed`, `ignored`, `cancelled`, `cancel-requested`, `requeued`, or `message`.
    public var event: String
    /// The state that the event led to; nil when it changed none.
    public var state: TaskState?
    /// Who did it: the worker, or the actor of an operator's tracker.
    public var actor: String
    /// What was said, or an attempt's error; empty when nothing was.
    public var message: String

    /// A line from its parts.
    public init(time: Timestamp, event: String, state: TaskState? = nil, actor: String, message: String = "") {
        self.time = time
        self.event = event
        self.state = state
        self.actor = actor
        self.message = message
    }
}
