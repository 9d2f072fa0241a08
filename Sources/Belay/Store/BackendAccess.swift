// What a backend other than Redis needs to make answers: the test kit's in-memory tracker is the one that does.

extension ClaimMany.Response {
    /// An answer from its parts.
    package static func making(_ claims: [Claim], nextDue: Timestamp?, now: Timestamp) -> Self {
        Self(claims: claims, nextDue: nextDue, now: now)
    }
}

extension SweepStep {
    /// A step from its parts.
    package static func making(_ items: [Item], more: Bool) -> Self { Self(items: items, more: more) }
}

extension ReapedTask {
    /// A reaped task from its parts.
    package static func making(id: TaskID, kind: KindName, state: TaskState, due: Timestamp?, worker: String) -> Self {
        Self(id: id, kind: kind, state: state, due: due, worker: worker)
    }
}

extension PurgedTask {
    /// A purged task from its parts.
    package static func making(id: TaskID, kind: KindName, state: TaskState) -> Self {
        Self(id: id, kind: kind, state: state)
    }
}

extension TaskPage {
    /// A page from its parts.
    package static func making(_ tasks: [TaskRecord], cursor: String?) -> Self { Self(tasks: tasks, cursor: cursor) }
}

extension TaskFailure {
    /// The failure as a tracker keeps it: shortened to what is stored.
    package var asStored: TaskFailure? {
        let stored = FailureText.encode(self)
        return FailureText.decode(stored.error[...], backtrace: stored.backtrace)
    }
}

extension Enqueue.Item {
    /// The trace context as a tracker keeps it: what does not fit is left out.
    package var traceAsStored: [String: String] { TraceText.decode(TraceText.encode(trace)) }
}

extension WorkerInfo {
    /// A worker from its parts; one that never beat has a name, a last time and nothing else.
    package static func making(name: String, seen: Timestamp) -> Self { Self(name: name, seen: seen, kinds: []) }
}

extension Explanation {
    /// An explanation from its parts.
    package static func making(id: TaskID, kind: KindName, state: TaskState, now: Timestamp, reasons: [Reason]) -> Self
    {
        Self(id: id, kind: kind, state: state, now: now, reasons: reasons)
    }
}
