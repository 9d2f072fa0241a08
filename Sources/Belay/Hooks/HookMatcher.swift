/// A task's end that set off a hook.
public struct HookFiring: Sendable, Hashable {
    /// The hook's name.
    public var hook: String
    /// What happened.
    public var event: TrackerEvent
    /// The state that the task ended in.
    public var state: TaskState
    /// The task's record when the hook looked at it; nil when it was gone by then.
    public var task: TaskRecord?
    /// Whether payload, result and data were left out because all together would be larger than the tracker takes.
    public var isShortened = false
}

extension TrackerEvent {
    /// The state that the task has ended in by this event; nil when it has not ended.
    public var endState: TaskState? {
        switch name {
        case .succeeded: .succeeded
        case .exhausted: .exhausted
        case .cancelled, .expired, .deduplicated, .parentFailed: .cancelled
        case .ignored: .ignored
        case .reaped: TaskState(letter: detail).flatMap { $0.isTerminal ? $0 : nil }
        default: nil
        }
    }
}

extension HookCondition {
    /// Whether it is about tasks of the kind.
    func matches(kind: KindName) -> Bool {
        let wanted = kinds.filter { !$0.isExclusion }
        return (wanted.isEmpty || wanted.contains { $0.fits(kind) })
            && !kinds.contains { $0.isExclusion && $0.fits(kind) }
    }

    /// Whether it is about such an end, as far as an event tells.
    func matches(_ state: TaskState, of kind: KindName) -> Bool {
        (states.isEmpty || states.contains(state)) && matches(kind: kind)
    }

    /// Whether it is about the task, as far as its record tells. Of a record that is gone nothing can be asked.
    func matches(_ task: TaskRecord?) -> Bool {
        guard !tags.isEmpty || field != nil else { return true }
        guard let task else { return false }
        if !tags.isEmpty, Set(tags).isDisjoint(with: task.tags) { return false }
        guard let field else { return true }
        let bytes = field.source == .payload ? task.payload?.bytes : task.result?.bytes
        guard let bytes, let steps = field.steps else { return false }
        return HookValue.at(steps, of: bytes) == field.equals
    }
}
