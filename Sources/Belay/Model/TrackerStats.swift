/// How many tasks are where.
public struct TrackerStats: Sendable, Hashable, Codable {
    /// The counts of one kind.
    public struct Kind: Sendable, Hashable, Codable {
        /// The kind.
        public var kind: KindName
        /// Ready and due.
        public var ready: Int
        /// Ready with a later due time: delayed, or waiting to be retried.
        public var scheduled: Int
        /// Held by a worker.
        public var running: Int
        /// Ended well.
        public var succeeded: Int
        /// Ended without success.
        public var exhausted: Int
        /// Ended on request.
        public var cancelled: Int
        /// Kept from running, by an operator or their holder.
        public var paused: Int
        /// Set aside.
        public var ignored: Int
        /// Waiting for their parents.
        public var blocked: Int
        /// Whether the kind is paused.
        public var isPaused = false
        /// How long the oldest due task has been waiting; nil when none waits.
        public var oldestReadyAge: Duration?
        /// When the next scheduled task is due; nil when none is scheduled.
        public var nextDue: Timestamp?

        /// Counts of nothing.
        public init(kind: KindName) {
            self.kind = kind
            (ready, scheduled, running, succeeded, exhausted, cancelled) = (0, 0, 0, 0, 0, 0)
            (paused, ignored, blocked) = (0, 0, 0)
        }

        /// All tasks of the kind.
        public var total: Int {
            ready + scheduled + blocked + running + paused + succeeded + exhausted + cancelled + ignored
        }
    }

    /// The moment of the counts.
    public var now: Timestamp
    /// Every kind, by name.
    public var kinds: [Kind]
    /// Workers seen within the last day.
    public var workers: Int
    /// Whether the whole tracker is paused.
    public var isPaused: Bool

    /// Stats from their parts.
    public init(now: Timestamp, kinds: [Kind], workers: Int, isPaused: Bool = false) {
        self.now = now
        self.kinds = kinds
        self.workers = workers
        self.isPaused = isPaused
    }
}
