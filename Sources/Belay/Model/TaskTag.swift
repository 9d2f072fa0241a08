/// A tag of tasks: the name of a set that tasks of any kinds stand in, in every state, until they are deleted.
///
/// 1 to 62 of `A-Z a-z 0-9 . _ : / @ -`, beginning with a letter or digit. A tag is a group, too: its counts are its progress,
/// tasks may wait for all of its tasks to end, and all of them are cancelled or retried in one call.
public struct TaskTag: Sendable, Hashable, Comparable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The name as text.
    public let description: String

    /// A name of the caller's choice.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        guard Names.isName(text, extra: ".:_/@-", limit: Limits.tagBytes) else {
            throw .invalid(
                "tag",
                text,
                allowed: "1 to \(Limits.tagBytes) of A-Z a-z 0-9 . _ : / @ -, beginning with a letter or digit"
            )
        }
        description = text
    }

    /// A name from a literal; a literal that is not valid ends the program.
    public init(stringLiteral text: String) {
        do { try self.init(text) } catch { preconditionFailure(error.description) }
    }

    /// Reads a name from text, refusing one that is not valid.
    public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package init(trusted text: String) { description = text }

    /// By bytes.
    public static func < (a: TaskTag, b: TaskTag) -> Bool {
        a.description.utf8.lexicographicallyPrecedes(b.description.utf8)
    }
}

/// How many tasks of a tag are in each state.
public struct TagCounts: Sendable, Hashable {
    /// The tag.
    public var tag: TaskTag
    /// Waiting, due or not.
    public var ready = 0
    /// Waiting for their parents.
    public var blocked = 0
    /// Held by a worker.
    public var running = 0
    /// Kept from running.
    public var paused = 0
    /// Ended well.
    public var succeeded = 0
    /// Attempts used up.
    public var exhausted = 0
    /// Ended on request, or because they could not begin.
    public var cancelled = 0
    /// Set aside.
    public var ignored = 0

    /// Counts of nothing.
    public init(tag: TaskTag) { self.tag = tag }

    /// All tasks of the tag.
    public var total: Int { unfinished + ended }
    /// Those that have not ended.
    public var unfinished: Int { ready + blocked + running + paused }
    /// Those that have.
    public var ended: Int { succeeded + exhausted + cancelled + ignored }
    /// The share of the tasks that have ended, 0 to 1; 0 when there are none.
    public var progress: Double { total == 0 ? 0 : Double(ended) / Double(total) }
}

/// What a call on all tasks of a tag did.
public struct TagChange: Sendable, Hashable {
    /// So many tasks changed their state; more did when a reply was lost, and the call was made again.
    public var changed = 0
    /// So many run, and were asked to stop.
    public var requested = 0
}
