import ArgumentParser
import Belay

/// What ties a new task to others: tags, parents, expiry, uniqueness.
struct FlowOptions: ParsableArguments {
    /// Which ends of its parents count.
    enum When: String, ExpressibleByArgument, CaseIterable {
        case ended
        case succeeded
        case failed
        case endedOrFirstFailure = "ended-or-first-failure"

        var condition: Dependencies.Condition {
            switch self {
            case .ended: .ended
            case .succeeded: .succeeded
            case .failed: .failed
            case .endedOrFirstFailure: .endedOrFirstFailure
            }
        }
    }

    @Option(help: "A tag of the task; may be given often, at most 8.")
    var tag: [String] = []

    @Option(help: "A task that it waits for; may be given often.")
    var after: [String] = []

    @Option(help: "A tag whose tasks it waits for; may be given often.")
    var afterTag: [String] = []

    @Option(
        help: """
            Which ends count: ended, succeeded, failed (else it is cancelled), or ended-or-first-failure. Default: ended.
            """
    )
    var when: When?

    @Option(help: "How many must end so: all, any, or a share such as 0.5. Default: all.", transform: Self.quorum)
    var needs: Dependencies.Quorum?

    @Option(help: "Not to be started after so long: it is cancelled when its turn comes.", transform: Span.parse)
    var expiresIn: Span?

    @Option(help: "Not to be started from that moment on, RFC 3339.", transform: Timestamp.parse)
    var expiresAt: Timestamp?

    @Flag(help: "Not when another task of the kind has the same payload and has not ended, or succeeded.")
    var unique = false

    @Option(help: "What stands for the content instead of the payload; implies --unique.")
    var uniqueKey: String?

    @Option(
        help: "The other task counts for so long after it was enqueued; implies --unique. Default: while it is kept.",
        transform: Span.parse
    )
    var uniqueFor: Span?

    @Option(
        help: "The other task counts in these states, such as ready,running; implies --unique.",
        transform: Self.states
    )
    var uniqueStates: Set<TaskState>?

    @Option(help: "What becomes of the later task of the same content: refuse, or record it as cancelled.")
    var duplicates = Uniqueness.Later.refuse

    @Flag(help: "Use a task of the same id again that succeeded.")
    var reuse = false

    private static func quorum(_ text: String) throws -> Dependencies.Quorum {
        switch text {
        case "all": return .all
        case "any": return .any
        default:
            guard let share = Double(text), share > 0, share <= 1 else {
                throw ValidationError("not a quorum; write all, any, or a share above 0 to 1 such as 0.5")
            }
            return .share(share)
        }
    }

    private static func states(_ text: String) throws -> Set<TaskState> {
        let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        return Set(
            try names.map { name in
                guard let state = TaskState(rawValue: name) else {
                    throw ValidationError(
                        "not states; write some of \(TaskState.allCases.map(\.rawValue).joined(separator: ","))"
                    )
                }
                return state
            }
        )
    }

    private var isUnique: Bool { unique || uniqueKey != nil || uniqueFor != nil || uniqueStates != nil }

    func validate() throws {
        guard expiresIn == nil || expiresAt == nil else {
            throw ValidationError("--expires-in and --expires-at exclude each other")
        }
        guard !after.isEmpty || !afterTag.isEmpty || when == nil && needs == nil else {
            throw ValidationError("--when and --needs belong to --after or --after-tag")
        }
        guard isUnique || duplicates == .refuse else { throw ValidationError("--duplicates belongs to --unique") }
    }

    /// Puts them into the options of a task.
    func apply(to options: inout EnqueueOptions) throws {
        options.tags = try tag.map { try TaskTag($0) }
        let parents: [Dependencies.Parent] =
            try after.map { .task(try TaskID($0)) } + afterTag.map { .tag(try TaskTag($0)) }
        if !parents.isEmpty {
            options.after = Dependencies(parents, condition: when?.condition ?? .ended, quorum: needs ?? .all)
        }
        options.expiresAfter = expiresIn?.duration
        options.expiresAt = expiresAt
        if isUnique {
            var unique = Uniqueness(key: uniqueKey, window: uniqueFor?.duration, later: duplicates)
            if let uniqueStates { unique.states = uniqueStates }
            options.unique = unique
        }
        options.reuse = reuse
    }
}
