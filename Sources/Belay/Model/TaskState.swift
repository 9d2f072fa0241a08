/// Where a task stands. A task is in exactly one state, and in exactly one index of that state, at every moment.
public enum TaskState: String, Sendable, Hashable, Codable, CaseIterable, CustomStringConvertible {
    /// Waits to be claimed, now or from its due time on (delayed, or to be retried).
    case ready
    /// Waits for its parents to end.
    case blocked
    /// A worker holds its lock.
    case running
    /// Kept from running: by an operator while it waited, or by its holder, which keeps the lock meanwhile.
    case paused
    /// Ended well.
    case succeeded
    /// Ended: its attempts are used up, or its holder said that trying again is of no use.
    case exhausted
    /// Ended because somebody asked for it.
    case cancelled
    /// Set aside, by hand or because its kind's policy says so of a task whose attempts are used up.
    case ignored

    /// Whether the task has ended; only a retry by an operator, or a run that begins anew, leaves such a state.
    public var isTerminal: Bool { !Self.unfinished.contains(self) }
    /// The states of a task that has not ended.
    static let unfinished: [TaskState] = [.ready, .blocked, .running, .paused]
    /// The raw value.
    public var description: String { rawValue }

    /// The letters that stand for the state in records and index names. A paused task is `p`, or `h` while its holder
    /// keeps the lock: the two wait in indexes of different order.
    package var letters: String {
        switch self {
        case .ready: "q"
        case .blocked: "j"
        case .running: "r"
        case .paused: "ph"
        case .succeeded: "s"
        case .exhausted: "x"
        case .cancelled: "c"
        case .ignored: "n"
        }
    }

    package init?(letter: some StringProtocol) {
        guard letter.utf8.count == 1, let state = Self.allCases.first(where: { $0.letters.contains(letter) }) else {
            return nil
        }
        self = state
    }
}
