/// Counts tasks by state from nothing but the events of a tracker: a second opinion on its stats.
///
/// It is right when it has seen all events since the tracker began; ``isComplete`` says when it has not.
public struct EventReplay: Sendable {
    /// Where each task stands.
    public private(set) var tasks: [TaskID: (kind: KindName, state: TaskState)] = [:]
    /// Whether no event is known to be missing.
    public private(set) var isComplete = true
    /// How many events it has seen.
    public private(set) var events = 0

    /// A tracker of which nothing is known.
    public init() {}

    /// How many tasks of each kind are in each state; states without tasks are left out.
    public var counts: [KindName: [TaskState: Int]] {
        tasks.values.reduce(into: [:]) { $0[$1.kind, default: [:]][$1.state, default: 0] += 1 }
    }

    /// Takes an event into account.
    public mutating func apply(_ event: TrackerEvent) {
        events += 1
        if event.name == .historyLost { isComplete = false }
        if event.name == .undefined, let kind = event.kind {
            tasks = tasks.filter { $0.value.kind != kind }
        }
        guard let task = event.task, let kind = event.kind else { return }
        switch Self.effect(of: event) {
        case .none: break
        case .moved(let state):
            // Only what creates a task may be the first that is heard of it.
            let isBirth = [.enqueued, .blocked, .deduplicated, .parentFailed].contains(event.name)
            if tasks[task] == nil, !isBirth { isComplete = false }
            tasks[task] = (kind, state)
        case .gone: tasks[task] = nil
        }
    }

    /// Takes a page of events into account.
    public mutating func apply(_ page: EventPage) {
        if page.isLost { isComplete = false }
        for event in page.events { apply(event) }
    }

    /// Where these counts differ from those of a tracker's stats, a line each; empty when they are equal.
    public func differences(from stats: TrackerStats) -> [String] {
        var lines: [String] = []
        let counts = counts
        for kind in Set(counts.keys).union(stats.kinds.map(\.kind)).sorted() {
            let told = stats.kinds.first { $0.kind == kind }
            for state in TaskState.allCases {
                let (mine, theirs) = (counts[kind]?[state] ?? 0, told?.count(state) ?? 0)
                if mine != theirs { lines.append("\(kind) \(state): \(mine) by events, \(theirs) by stats") }
            }
        }
        return lines
    }

    private enum Effect {
        case none, gone
        case moved(TaskState)
    }

    private static func effect(of event: TrackerEvent) -> Effect {
        switch event.name {
        case .enqueued, .unblocked, .retrying, .released, .snoozed, .requeued: .moved(.ready)
        case .blocked: .moved(.blocked)
        case .claimed: .moved(.running)
        case .succeeded: .moved(.succeeded)
        case .exhausted: .moved(.exhausted)
        case .ignored: .moved(.ignored)
        case .cancelled, .expired, .deduplicated, .parentFailed: .moved(.cancelled)
        case .paused: .moved(.paused)
        // The detail is the state before: a task paused by its holder runs on.
        case .resumed: .moved(event.detail == "h" ? .running : .ready)
        // The detail is the state after.
        case .reaped, .superseded: TaskState(letter: event.detail).map { .moved($0) } ?? .none
        case .deleted, .purged: .gone
        default: .none
        }
    }
}

extension TrackerStats.Kind {
    /// How many tasks are in a state.
    public func count(_ state: TaskState) -> Int {
        switch state {
        case .ready: ready + scheduled
        case .blocked: blocked
        case .running: running
        case .paused: paused
        case .succeeded: succeeded
        case .exhausted: exhausted
        case .cancelled: cancelled
        case .ignored: ignored
        }
    }
}
