import ArgumentParser
import Belay

/// What proves a lock, as the claim said it.
struct LockOptions: ParsableArguments {
    @Option(help: "The lock's token. Default: $BELAY_TOKEN, in a program that belay runs.")
    var token: String?

    @Option(help: "The lock's fence. Default: $BELAY_FENCE, in a program that belay runs.")
    var fence: Int?

    /// Whether anything of a lock is given.
    var isGiven: Bool { token != nil || fence != nil }

    /// The lock on a task; what is not given comes from the environment of a program that belay runs.
    fileprivate func handle(_ id: TaskID?, _ environment: [String: String]) throws -> ClaimHandle {
        let own = try environment["BELAY_TASK_ID"].map { try TaskID($0) }
        // The environment tells of one lock: it says nothing of another task.
        let known = id == nil || id == own ? environment : [:]
        guard let id = id ?? own, let token = token ?? known["BELAY_TOKEN"],
            let fence = fence ?? known["BELAY_FENCE"].flatMap({ Int($0) })
        else {
            throw Failure(
                .usage,
                "give the task, --token and --fence as 'belay claim' printed them; "
                    + "a program that belay runs has them in its environment"
            )
        }
        return ClaimHandle(id: id, token: token, fence: fence)
    }
}

/// The lock that a holder's command uses.
struct HolderOptions: ParsableArguments {
    @OptionGroup var name: TaskName
    @OptionGroup var lock: LockOptions

    /// The lock.
    func handle(_ global: GlobalOptions) throws -> ClaimHandle {
        try lock.handle(name.isEmpty ? nil : name.task(), global.environment)
    }
}

/// Whose task a command is about: anybody's, or that of the lock's holder.
enum HoldTarget {
    case tasks([TaskID])
    case held(ClaimHandle)

    /// The tasks.
    var ids: [TaskID] {
        switch self {
        case .tasks(let ids): ids
        case .held(let handle): [handle.id]
        }
    }

    /// A holder's, when the command names a lock, or no task in a program that belay runs.
    init(_ names: TaskNames, _ lock: LockOptions, _ global: GlobalOptions) throws {
        let ids = names.isEmpty ? [] : try names.tasks()
        try self.init(ids, lock, global)
    }

    /// As above, for one task.
    init(_ name: TaskName, _ lock: LockOptions, _ global: GlobalOptions) throws {
        try self.init(name.isEmpty ? [] : [name.task()], lock, global)
    }

    private init(_ ids: [TaskID], _ lock: LockOptions, _ global: GlobalOptions) throws {
        guard lock.isGiven || ids.isEmpty else {
            self = .tasks(ids)
            return
        }
        guard ids.count <= 1 else { throw Failure(.usage, "a lock is on one task; \(ids.count) are named") }
        guard lock.isGiven || global.environment["BELAY_TASK_ID"] != nil else {
            throw Failure(.usage, "name a task: its ID, or --kind KIND --identifier NAME")
        }
        self = .held(try lock.handle(ids.first, global.environment))
    }
}

extension Session {
    /// Tells what a holder's write gave; throws when it was refused.
    func tell(_ outcome: WriteOutcome, of id: TaskID, _ word: String = "accepted") throws {
        output.tell(id, outcome == .accepted ? word : outcome.rawValue)
        switch outcome {
        case .accepted: break
        case .stale: throw Failure.lockLost(id)
        case .gone: throw Failure.noTask([id])
        }
    }

    /// Tells where a task stands that its holder handed back; throws when that was refused.
    func tell(_ outcome: HandBackOutcome, of id: TaskID) throws {
        switch outcome {
        case .ready(let due):
            guard output.isJSON else { return output.tell(id, "ready, due at \(due)") }
            output.json(OutcomeView(id: id, outcome: "ready", at: due))
        case .exhausted: output.tell(id, "exhausted")
        case .ignored: output.tell(id, "ignored")
        case .cancelled: output.tell(id, "cancelled")
        case .stale: try tell(WriteOutcome.stale, of: id)
        case .gone: try tell(WriteOutcome.gone, of: id)
        }
    }
}
