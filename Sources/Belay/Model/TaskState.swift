/// Where a task stands. A task is in exactly one state, and in exactly one index of that state, at every moment.
public enum TaskState: String, Sendable, Hashable, Codable, CaseIterable, CustomStringConvertible {
    /// Waits to be claimed, now or from its due time on (delayed, or to be retried).
    case ready
    /// A worker holds its lock.
    case running
    /// Ended well.
    case succeeded
    /// Ended: its attempts are used up, or its holder said that trying again is of no use.
    case exhausted
    /// Ended because somebody asked for it.
    case cancelled

    /// Whether the task has ended; only a retry by an operator, or a run that begins anew, leaves such a state.
    public var isTerminal: Bool { self != .ready && self != .running }
    /// The raw value.
    public var description: String { rawValue }

    /// The letter that stands for the state in records and index names.
    package var letter: String {
        switch self {
        case .ready: "q"
        case .running: "r"
        case .succeeded: "s"
        case .exhausted: "x"
        case .cancelled: "c"
        }
    }

    package init?(letter: some StringProtocol) {
        guard let state = Self.allCases.first(where: { $0.letter == letter }) else { return nil }
        self = state
    }
}
