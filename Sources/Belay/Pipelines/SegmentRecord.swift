/// A registered segment of a pipeline, and how many of its tasks are in each state.
public struct SegmentRecord: Sendable, Hashable {
    /// `name@key`: what tells it from others, and the tag of all its tasks.
    public var instance: TaskTag
    /// Its name.
    public var name: String
    /// The digest of what its products depend on beside their inputs.
    public var key: String
    /// The version of its code.
    public var version: String
    /// The kind of its tasks.
    public var kind: KindName
    /// Its parameters, as JSON.
    public var parameters: Body
    /// The segments whose products it works on.
    public var parents: [TaskTag]
    /// How these become inputs.
    public var rule: String
    /// The user's tag.
    public var tag: TaskTag?
    /// When it was first registered.
    public var created: Timestamp
    /// Its tasks by state.
    public var counts: TagCounts

    package init(_ registration: SegmentRegistration, created: Timestamp, counts: TagCounts) {
        instance = registration.instance
        name = registration.name
        key = registration.key
        version = registration.version
        kind = registration.kind
        parameters = registration.parameters
        parents = registration.parents
        rule = registration.rule
        tag = registration.tag
        self.created = created
        self.counts = counts
    }
}

/// A page of registered segments, the newest first.
public struct SegmentPage: Sendable, Hashable {
    /// The segments.
    public var segments: [SegmentRecord]
    /// Where the next page begins; nil when this is the last.
    public var cursor: String?

    package init(segments: [SegmentRecord], cursor: String?) {
        self.segments = segments
        self.cursor = cursor
    }
}

/// What is stored of a segment.
package struct SegmentRegistration: Sendable, Hashable {
    package var instance: TaskTag
    package var name: String
    package var version: String
    package var kind: KindName
    package var parameters: Body
    package var parents: [TaskTag]
    package var rule: String
    /// Nil to leave the tag as it is stored.
    package var tag: TaskTag?

    package init(
        instance: TaskTag,
        name: String,
        version: String,
        kind: KindName,
        parameters: Body,
        parents: [TaskTag],
        rule: String,
        tag: TaskTag?
    ) {
        self.instance = instance
        self.name = name
        self.version = version
        self.kind = kind
        self.parameters = parameters
        self.parents = parents
        self.rule = rule
        self.tag = tag
    }

    /// What stands behind the last `@`.
    package var key: String { instance.description.split(separator: "@").last.map(String.init) ?? "" }
}

/// What became of a request to forget a segment.
public enum ForgetOutcome: String, Sendable, Hashable, Codable, CaseIterable {
    /// It is not registered any more.
    case forgotten
    /// Refused: tasks of it exist. Clean it, and delete what has ended.
    case inUse
    /// There is no such segment (any more).
    case notFound
}

/// Where a task of a segment stands, in pipelet's words.
public enum SegmentStatus: String, Sendable, Hashable, Codable, CaseIterable {
    /// Waits: ready, blocked or paused.
    case queued
    /// A worker holds it.
    case running
    /// It has a product.
    case done
    /// It ended without one: exhausted, cancelled or ignored.
    case failed

    /// The states of a task that the word stands for.
    public var states: [TaskState] {
        switch self {
        case .queued: [.ready, .blocked, .paused]
        case .running: [.running]
        case .done: [.succeeded]
        case .failed: [.exhausted, .cancelled, .ignored]
        }
    }

    /// The word for a state.
    public init(_ state: TaskState) {
        switch state {
        case .ready, .blocked, .paused: self = .queued
        case .running: self = .running
        case .succeeded: self = .done
        case .exhausted, .cancelled, .ignored: self = .failed
        }
    }
}

extension TagCounts {
    /// How many tasks are in a status.
    public func count(_ status: SegmentStatus) -> Int {
        switch status {
        case .queued: ready + blocked + paused
        case .running: running
        case .done: succeeded
        case .failed: exhausted + cancelled + ignored
        }
    }
}
