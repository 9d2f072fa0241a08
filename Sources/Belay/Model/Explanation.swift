/// Why a task does not run, or did not, with numbers.
public struct Explanation: Sendable, Hashable {
    /// One thing that keeps a task from running, or that ended it.
    public enum Reason: Sendable, Hashable {
        /// It is due at that time, so long from now.
        case notDue(at: Timestamp, in: Duration)
        /// Its latest attempt ended badly, and it waits for its next: the nth of at most so many, after that error.
        case retrying(attempt: Int, of: Int, after: TaskFailure?)
        /// Its kind, or, when `kind` is nil, the whole tracker, is paused since then.
        case kindPaused(kind: KindName?, since: Timestamp, by: String, message: String)
        /// So many tasks of its kind are claimed before it; in the last minute so many of the kind ended well.
        case behind(tasks: Int, endedLastMinute: Int)
        /// No worker that is alive takes its kind; the last one left or fell silent then, nil when there never was one.
        case noWorker(lastLeft: Timestamp?)
        /// So many live workers take its kind, and nothing else keeps it: it should run within a second.
        case imminent(workers: Int)
        /// It waits for its parents: it needs so many ends more, so many have not ended; the first ten of these.
        case awaiting(parents: [ParentOutcome], needed: Int, unfinished: Int)
        /// It is not to be started from then on, so long from now; below zero when that has passed, and it will be cancelled
        /// when its turn comes.
        case expires(at: Timestamp, in: Duration)
        /// It was cancelled then, because its time to begin had passed.
        case expired(at: Timestamp)
        /// It was cancelled then, because that task of its kind has the same content.
        case deduplicated(at: Timestamp, of: TaskID)
        /// It was cancelled then, because it could not have of its parents what it needs; that one was the last straw.
        case parentFailed(at: Timestamp, parent: Dependencies.Parent)
        /// It runs: that worker holds it until then, having renewed its lock so many times.
        case running(worker: String, until: Timestamp, renewals: Int)
        /// Its lock ran out then; a reaper, or the next claim, takes it back.
        case leaseOver(worker: String, since: Timestamp)
        /// It runs and was asked to stop then.
        case asked(toStopAt: Timestamp, reason: String)
        /// It was paused then; by its holder while `worker` is not nil.
        case paused(since: Timestamp, worker: String?)
        /// It ended well then.
        case succeeded(at: Timestamp)
        /// Its attempts are used up since then; the last error.
        case exhausted(at: Timestamp, attempts: Int, error: TaskFailure?)
        /// Somebody cancelled it then.
        case cancelled(at: Timestamp, reason: String)
        /// It was set aside then.
        case ignored(at: Timestamp)
    }

    /// The task.
    public var id: TaskID
    /// Its kind.
    public var kind: KindName
    /// Where it stands.
    public var state: TaskState
    /// The moment of the answer.
    public var now: Timestamp
    /// The reasons; the first is the one to begin with.
    public var reasons: [Reason]
}

extension Explanation.Reason: CustomStringConvertible {
    /// For people, one line.
    public var description: String {
        switch self {
        case .notDue(let at, let delay): "not due before \(at), in \(delay.text)"
        case .retrying(let attempt, let limit, let failure):
            "waits for attempt \(attempt) of \(limit)" + (failure.map { ", after \($0)" } ?? "")
        case .kindPaused(let kind, let since, let actor, let message):
            (kind.map { "kind \($0)" } ?? "the tracker") + " is paused since \(since) by \(actor)"
                + (message.isEmpty ? "" : ": \(message)")
        case .behind(let tasks, let rate):
            "\(tasks) tasks of its kind are before it; \(rate) ended well in the last minute"
        case .noWorker(let left):
            "no live worker takes its kind" + (left.map { "; the last one left at \($0)" } ?? "; there never was one")
        case .awaiting(let parents, let needed, let unfinished):
            "waits for \(needed) of \(unfinished) parents that have not ended: "
                + parents.map { "\($0.parent) (\($0.state?.description ?? "gone"))" }.joined(separator: ", ")
        case .expires(let at, let delay): "is not to be started after \(at), in \(delay.text)"
        case .expired(let at): "was cancelled at \(at): its time to begin had passed"
        case .deduplicated(let at, let other): "was cancelled at \(at): task \(other) has the same content"
        case .parentFailed(let at, let parent): "was cancelled at \(at): parent \(parent) did not end as it needs"
        case .imminent(let workers): "due, and \(workers) live workers take its kind"
        case .running(let worker, let until, let renewals):
            "runs at \(worker) until \(until), renewed \(renewals) times"
        case .leaseOver(let worker, let since): "its lock by \(worker) ran out at \(since) and will be taken back"
        case .asked(let at, let reason): "was asked to stop at \(at)" + (reason.isEmpty ? "" : ": \(reason)")
        case .paused(let since, let worker):
            "paused since \(since)" + (worker.map { " by its holder \($0)" } ?? " by an operator")
        case .succeeded(let at): "succeeded at \(at)"
        case .exhausted(let at, let attempts, let error):
            "exhausted at \(at) after \(attempts) attempts" + (error.map { ": \($0)" } ?? "")
        case .cancelled(let at, let reason): "cancelled at \(at)" + (reason.isEmpty ? "" : ": \(reason)")
        case .ignored(let at): "set aside at \(at)"
        }
    }
}

extension Duration {
    fileprivate var text: String { "\((seconds * 1000).rounded() / 1000) s" }
}
