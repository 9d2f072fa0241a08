import Crypto

/// Keeps a task out when another of its kind has the same content: checked when it is enqueued, and again when it is to start.
///
/// On a tracker of several partitions a task whose id is made goes to the partition of its content, where its equals are. With
/// ids of the caller's own, contents are compared within a partition only.
public struct Uniqueness: Sendable, Hashable {
    /// What becomes of the later task.
    public enum Later: String, Sendable, Hashable, Codable, CaseIterable {
        /// It is not created.
        case refuse
        /// It is created as cancelled, and its record names the other.
        case record
    }

    /// What the content is; nil for the payload's bytes (JSON that Belay encodes has its keys in order). Any text.
    public var key: String?
    /// The other task counts while it is in one of these states.
    public var states: Set<TaskState>
    /// The other task counts for so long after it was enqueued, 1 µs to 3,650 days; nil for as long as it is kept.
    public var window: Duration?
    /// What becomes of the later one.
    public var later: Later

    /// Uniqueness; while the other task has not ended, or ended well, unless said otherwise.
    public init(
        key: String? = nil,
        states: Set<TaskState> = [.ready, .blocked, .running, .paused, .succeeded],
        window: Duration? = nil,
        later: Later = .refuse
    ) {
        self.key = key
        self.states = states
        self.window = window
        self.later = later
    }

    /// The first 128 bits of the content's SHA-256, in hexadecimal.
    package func hash(of payload: Body) -> String {
        let digest = key.map { SHA256.hash(data: Array("key:\($0)".utf8)) } ?? SHA256.hash(data: payload.bytes)
        return digest.prefix(16).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 2 ? text : "0" + text
        }.joined()
    }

    func validate() throws(TrackerError) {
        guard !states.isEmpty else { throw .invalid("states of uniqueness", "none", allowed: "at least one state") }
        if let window, window < .microseconds(1) || window > Limits.delay.upperBound {
            throw .invalid("window of uniqueness", window, allowed: "1 µs to 3,650 days, or none")
        }
    }
}
