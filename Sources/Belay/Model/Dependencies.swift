/// What a task waits for: tasks that exist or are enqueued earlier in the same call, or all tasks of a tag.
///
/// On a tracker of several partitions a task and the tasks it waits for lie in one, or it is refused: their ids need the same key
/// in braces, as in `{order-7}pack` and `{order-7}ship`. Ids that are made follow those of the parents. Of a tag only the tasks
/// count that lie in the partition of the task that waits. A ``Flow`` and a ``Pipeline`` lie in one partition as a whole.
public struct Dependencies: Sendable, Hashable {
    /// What one parent is.
    public enum Parent: Sendable, Hashable, CustomStringConvertible {
        /// A task.
        case task(TaskID)
        /// All tasks of a tag, those too that are enqueued with it before they have all ended. It has ended when all have,
        /// and well when all ended well.
        case tag(TaskTag)

        /// `t:` and the id, or `g:` and the tag, as it is stored.
        public var description: String {
            switch self {
            case .task(let id): "t:\(id)"
            case .tag(let tag): "g:\(tag)"
            }
        }

        package init?(_ text: String) {
            let rest = String(text.dropFirst(2))
            if text.hasPrefix("t:") {
                self = .task(TaskID(trusted: rest))
            } else if text.hasPrefix("g:") {
                self = .tag(TaskTag(trusted: rest))
            } else {
                return nil
            }
        }
    }

    /// Which ends count, and so what the end of a parent without success (exhausted, cancelled, ignored, deleted) means.
    public enum Condition: String, Sendable, Hashable, Codable, CaseIterable {
        /// Any end counts: a parent that failed does not keep its children from running. As pipelet has it; the default.
        case ended
        /// Only success counts; the task is cancelled once it cannot have as many as it needs.
        case succeeded
        /// Only an end without success counts; the task is cancelled once it cannot have as many as it needs.
        case failed
        /// Any end counts, and at the first without success the task runs at once, whatever else goes on.
        case endedOrFirstFailure

        package var letter: String {
            switch self {
            case .ended: "e"
            case .succeeded: "s"
            case .failed: "f"
            case .endedOrFirstFailure: "p"
            }
        }
    }

    /// How many of the parents must have ended so.
    public enum Quorum: Sendable, Hashable {
        /// Every one.
        case all
        /// The first is enough.
        case any
        /// So large a share of them, above 0 to 1, rounded up.
        case share(Double)
    }

    /// The parents, 1 to 100.
    public var parents: [Parent]
    /// Which ends count.
    public var condition: Condition
    /// How many of them.
    public var quorum: Quorum

    /// Dependencies; every end of every parent counts unless said otherwise.
    public init(_ parents: [Parent], condition: Condition = .ended, quorum: Quorum = .all) {
        self.parents = parents
        self.condition = condition
        self.quorum = quorum
    }

    /// Waits for tasks.
    public static func after(_ tasks: TaskID..., condition: Condition = .ended, quorum: Quorum = .all) -> Dependencies {
        Dependencies(tasks.map { .task($0) }, condition: condition, quorum: quorum)
    }

    /// Waits for all tasks of a tag.
    public static func after(tag: TaskTag, condition: Condition = .ended) -> Dependencies {
        Dependencies([.tag(tag)], condition: condition)
    }

    /// How many parents must have ended as the condition says.
    package var needed: Int {
        switch quorum {
        case .all: parents.count
        case .any: 1
        case .share(let share): max(1, Int((share * Double(parents.count)).rounded(.up)))
        }
    }

    func validate() throws(TrackerError) {
        guard (1...Limits.parents).contains(parents.count) else {
            throw .invalid("number of parents", parents.count, allowed: "1 to \(Limits.parents); more by a tag")
        }
        guard Set(parents).count == parents.count else {
            throw .invalid("parents", parents.map(\.description).joined(separator: ", "), allowed: "each parent once")
        }
        if case .share(let share) = quorum, !(share > 0 && share <= 1) {
            throw .invalid("share of the parents", share, allowed: "above 0 to 1")
        }
    }
}

/// A parent of a task and what came of it.
public struct ParentOutcome: Sendable, Hashable {
    /// The parent.
    public var parent: Dependencies.Parent
    /// Where it stands; nil when the task is gone. Of a tag `blocked` while it goes on, `succeeded` when all of its tasks ended
    /// well, `exhausted` otherwise.
    public var state: TaskState?
    /// What it made; nil when there is nothing, and of a tag.
    public var result: Body?

    package init(parent: Dependencies.Parent, state: TaskState?, result: Body?) {
        self.parent = parent
        self.state = state
        self.result = result
    }
}
