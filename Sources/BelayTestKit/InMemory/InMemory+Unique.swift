import Belay

/// What a task's content is, when no other of its kind is to have the same.
struct StoredContent: Sendable {
    let hash: String
    /// Which others count; nil when it does not matter any more, or never did.
    var rule: Uniqueness?
    /// The task whose content it was before, which did not keep this one out.
    var before: TaskID?
}

extension InMemoryState {
    /// The task of the same content that keeps a new one out; or the one whose content it was, which does not.
    func sameContent(_ id: TaskID, _ kind: KindName, _ hash: String, _ unique: Uniqueness) -> (
        original: TaskID?, before: TaskID?
    ) {
        guard let other = kin.contents[kind]?[hash], other != id, let task = tasks[other] else { return (nil, nil) }
        let counts = unique.counts(task.record, at: now)
        return (counts ? other : nil, other)
    }

    /// What keeps a task from its first start: its time to begin has passed, or another task has the same content. `starting` are
    /// those of each content that start in the same call, whether or not they began before.
    func hindrance(_ task: StoredTask, _ starting: inout [String: TaskID]) -> CancelCause? {
        let (id, kind) = (task.record.id, task.record.kind)
        let isFirst = task.record.attempts == 0
        if isFirst, let expires = task.record.expires, expires <= now { return .expired }
        guard let content = task.content else { return nil }
        let (hash, place) = (content.hash, "\(kind)\n\(content.hash)")
        guard isFirst, let rule = content.rule else {
            starting[place] = id
            return nil
        }
        let others = [starting[place], kin.started[kind]?[hash], kin.contents[kind]?[hash], content.before]
        for case let other? in others where other != id {
            guard var twin = tasks[other]?.record else { continue }
            let isHeld = tasks[other]?.isHeld ?? false
            if other == starting[place] { twin.state = .running } else if !isHeld, twin.state != .succeeded { continue }
            if rule.counts(twin, at: now) { return .deduplicated(of: other) }
        }
        starting[place] = id
        return nil
    }

    /// Notes that a task starts, for those of the same content.
    mutating func started(_ task: StoredTask) {
        guard let hash = task.content?.hash else { return }
        kin.started[task.record.kind, default: [:]][hash] = task.record.id
    }

    /// Ends a waiting task that is hindered.
    mutating func hinder(_ id: TaskID, _ cause: CancelCause) {
        guard let task = tasks[id] else { return }
        change(id) { $0.record.cause = cause }
        move(id, to: .cancelled)
        if case .deduplicated(let other) = cause {
            note(.deduplicated, task, other.description)
        } else {
            note(.expired, task)
        }
    }
}

extension Uniqueness {
    fileprivate func counts(_ other: TaskRecord, at now: Timestamp) -> Bool {
        states.contains(other.state) && window.map { now - other.created < $0 } ?? true
    }
}
