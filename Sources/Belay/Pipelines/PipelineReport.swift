/// What a run of a pipeline came to.
public struct PipelineReport: Sendable, Hashable, Codable {
    /// What became of one segment.
    public struct Segment: Sendable, Hashable, Codable {
        /// The segment, `name@key`.
        public var instance: TaskTag
        /// The inputs that it had: its tasks in this run.
        public var tasks = 0
        /// Tasks that this run created.
        public var created = 0
        /// Tasks whose products of an earlier run were used again.
        public var reused = 0
        /// Tasks that another run had created, and that had no product then.
        public var joined = 0
        /// Tasks with a product at the end.
        public var done = 0
        /// Tasks that ended without one, or are gone.
        public var failed = 0

        init(instance: TaskTag) { self.instance = instance }
    }

    /// The segments, each behind its parents.
    public var segments: [Segment]

    /// Of all segments: tasks that this run created.
    public var created: Int { segments.reduce(0) { $0 + $1.created } }
    /// Of all segments: products that were used again.
    public var reused: Int { segments.reduce(0) { $0 + $1.reused } }
    /// Of all segments: tasks with a product.
    public var done: Int { segments.reduce(0) { $0 + $1.done } }
    /// Of all segments: tasks without one.
    public var failed: Int { segments.reduce(0) { $0 + $1.failed } }
}
