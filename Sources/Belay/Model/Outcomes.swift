/// What an enqueue did with one task.
public enum EnqueueOutcome: Sendable, Hashable {
    /// The task was created.
    case created(TaskID)
    /// A task of this id exists, and the caller asked for that to be fine.
    case existing(TaskID)
    /// Refused: a task of this id exists.
    case duplicate(TaskID)
    /// A task of this id succeeded, and is used again, as the caller asked; its record counts it.
    case reused(TaskID)
    /// Another task of the kind has the same content: this one was not created, or was recorded as cancelled.
    case deduplicated(TaskID, of: TaskID)
    /// Refused: as many tasks of the kind wait as its policy allows. Enqueue later, or raise the kind's queue limit.
    case full(TaskID, limit: Int)

    /// The id, whatever happened.
    public var id: TaskID {
        switch self {
        case .created(let id), .existing(let id), .duplicate(let id), .reused(let id), .deduplicated(let id, _),
            .full(let id, _):
            id
        }
    }
}

/// What to do when the id of a new task is taken.
public enum DuplicatePolicy: String, Sendable, Codable {
    /// Answer ``EnqueueOutcome/duplicate(_:)``.
    case refuse
    /// Answer ``EnqueueOutcome/existing(_:)``.
    case returnExisting
}

/// Why one named task could not be claimed.
public enum ClaimRefusal: Sendable, Hashable, CustomStringConvertible {
    /// There is no such task.
    case notFound
    /// Somebody holds it until then.
    case locked(until: Timestamp, by: String)
    /// It is to run later.
    case notDue(at: Timestamp)
    /// An operator keeps it from running.
    case paused
    /// It waits for its parents.
    case blocked
    /// It has ended.
    case ended(TaskState)

    /// For people.
    public var description: String {
        switch self {
        case .notFound: "there is no such task"
        case .locked(let until, let worker): "locked by \(worker) until \(until)"
        case .notDue(let at): "not due before \(at)"
        case .paused: "paused"
        case .blocked: "waits for its parents"
        case .ended(let state): "already \(state)"
        }
    }
}

/// What an attempt to claim one named task gave.
public enum AcquireOutcome: Sendable, Hashable {
    /// The lock is held.
    case claimed(Claim)
    /// It is not, and why.
    case refused(ClaimRefusal)
}

/// What a renewal gave.
public enum RenewOutcome: Sendable, Hashable {
    /// The lock holds for another lease from now.
    case renewed
    /// The lock holds until then and no longer: the attempt's time is over then.
    case ending(at: Timestamp)
    /// The lock holds for another lease, but the task is to stop: somebody cancelled it.
    case cancelRequested
    /// The same, and a program that does the work is to get that signal.
    case terminateRequested(signal: Int)
    /// The lock is lost: it ran out, or another holder has it.
    case stale
    /// The task is gone.
    case gone
}

/// What became of a completion or another write of a holder.
public enum WriteOutcome: String, Sendable, Hashable, Codable {
    /// It is written.
    case accepted
    /// Refused: the lock is lost, nothing changed.
    case stale
    /// Refused: the task is gone.
    case gone
}

/// Where a task stands after its attempt was failed, released or snoozed.
public enum HandBackOutcome: Sendable, Hashable {
    /// It runs again at that time.
    case ready(due: Timestamp)
    /// Its attempts are used up, or it was not to be tried again.
    case exhausted
    /// The same, of a kind whose policy then sets tasks aside.
    case ignored
    /// It had been cancelled.
    case cancelled
    /// Refused: the lock is lost, nothing changed.
    case stale
    /// Refused: the task is gone.
    case gone
}

/// What a cancellation did with one task.
public enum CancelOutcome: Sendable, Hashable {
    /// It is cancelled.
    case cancelled
    /// It runs; its holder was asked to stop.
    case requested
    /// It had ended before.
    case ended(TaskState)
    /// There is no such task.
    case notFound
}

/// What a change of priority did with one task.
public enum PrioritiseOutcome: Sendable, Hashable {
    /// It has that priority, now or since before.
    case done
    /// Refused: it has ended.
    case ended(TaskState)
    /// There is no such task.
    case notFound
}

/// What an operator's retry did with one task.
public enum RetryOutcome: String, Sendable, Hashable, Codable {
    /// It is ready now.
    case ready
    /// It waits for its parents again, which have not ended.
    case waiting
    /// Refused: it waits for its parents. Force it to run without them.
    case blocked
    /// Refused: it is running.
    case running
    /// There is no such task.
    case notFound
}

/// A task that was taken back because its lease ran out.
public struct ReapedTask: Sendable, Hashable {
    /// The task.
    public var id: TaskID
    /// Its kind.
    public var kind: KindName
    /// Where it stands now.
    public var state: TaskState
    /// When it runs again, when it does.
    public var due: Timestamp?
    /// Who held it.
    public var worker: String
}

/// One bounded step of a sweep.
public struct SweepStep<Item: Sendable & Hashable>: Sendable, Hashable {
    /// What was moved.
    public var items: [Item]
    /// Whether more waits: call again.
    public var more: Bool
}

/// A task that was deleted because it had been kept as long as its kind says.
public struct PurgedTask: Sendable, Hashable {
    /// The task.
    public var id: TaskID
    /// Its kind.
    public var kind: KindName
    /// The state it had.
    public var state: TaskState
}

/// One page of a search.
public struct TaskPage: Sendable, Hashable {
    /// The tasks, without payload, result and attempts.
    public var tasks: [TaskRecord]
    /// Where the next page begins; nil when this is the last.
    public var cursor: String?
}

/// What a change of state that an operator or a holder asked for gave.
public enum TransitionOutcome: Sendable, Hashable {
    /// The task stands there, now or since before.
    case done(TaskState)
    /// Refused: from that state it is not legal. Nothing changed.
    case refused(IllegalTransition)
    /// Refused: the lock is lost, nothing changed.
    case stale
    /// There is no such task.
    case notFound
}

/// Why a change of state was refused.
public struct IllegalTransition: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The state that was found.
    public var found: TaskState
    /// The states from which it is legal.
    public var allowed: [TaskState]

    /// A refusal from its parts.
    public init(found: TaskState, allowed: [TaskState]) {
        self.found = found
        self.allowed = allowed
    }

    /// For people.
    public var description: String {
        "is \(found); allowed from: \(allowed.map(\.description).joined(separator: ", "))"
    }
}

/// What a deletion did with one task.
public enum DeleteOutcome: String, Sendable, Hashable, Codable {
    /// It is deleted, with everything kept of it.
    case deleted
    /// Refused: it is running. Cancel it first, or force.
    case running
    /// There is no such task (any more).
    case notFound
}

/// What the removal of a kind gave.
public enum UndefineOutcome: Sendable, Hashable {
    /// The kind is removed, with so many tasks.
    case removed(tasks: Int)
    /// Refused: so many tasks of the kind exist. Delete them, or force.
    case inUse(tasks: Int)
    /// There is no such kind (any more).
    case notFound
}

/// In which order waiting tasks are taken.
public enum ClaimOrder: String, Sendable, Hashable, Codable, CaseIterable {
    /// Highest priority first, then the longest due, whatever the kind.
    case priority
    /// The longest due first, whatever the kind and priority: one line for all.
    case due
}

/// In which order a listing shows the tasks of a state: by due time, end of the lease, or when they were paused or ended.
public enum FindOrder: String, Sendable, Hashable, Codable, CaseIterable {
    /// The oldest moment first.
    case oldestFirst
    /// The latest moment first.
    case newestFirst
}
