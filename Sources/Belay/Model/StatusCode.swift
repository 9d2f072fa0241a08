/// A task's status as one number, for programs that keep statuses as numbers.
///
/// The codes up to `ignored` are those of abstract_tracker; `paused`, `cancelled` and `blocked` are Belay's.
public enum StatusCode: Int, Sendable, Hashable, Codable, CaseIterable {
    /// Waits for its first attempt, or for the next after a success was begun anew.
    case pending = 0
    /// A worker holds its lock.
    case inProgress = 10
    /// Its latest attempt failed or crashed, and it waits for the next.
    case failed = 20
    /// Its attempts are used up.
    case exhausted = 30
    /// Ended well.
    case succeeded = 40
    /// Set aside.
    case ignored = 50
    /// Kept from running.
    case paused = 60
    /// Ended because somebody asked for it.
    case cancelled = 70
    /// Waits for its parents to end.
    case blocked = 80

    /// The status of a name, for example `inProgress`; nil for an unknown one.
    public init?(name: String) {
        guard let status = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = status
    }

    /// The name, for example `inProgress`.
    public var name: String { String(describing: self) }
    /// All names, in the order of the codes.
    public static var allNames: [String] { allCases.map(\.name) }
    /// All codes, in order.
    public static var allCodes: [Int] { allCases.map(\.rawValue) }
}

extension TaskRecord {
    /// Where the task stands, with a task that waits for another attempt told apart as `failed`.
    public var status: StatusCode {
        switch state {
        case .ready: failures + crashes > 0 ? .failed : .pending
        case .blocked: .blocked
        case .running: .inProgress
        case .paused: .paused
        case .succeeded: .succeeded
        case .exhausted: .exhausted
        case .cancelled: .cancelled
        case .ignored: .ignored
        }
    }
}
