public import Belay
import Synchronization

/// The trackers that a service serves, opened when they are first asked for and kept.
public final class Trackers: Sendable {
    /// Their namespaces; the first is meant where a request names none.
    public let namespaces: [String]
    /// The clock of all of them, in a service for testing; nil for the server's.
    public let clock: ManualClock?
    private let open: @Sendable (String) throws(TrackerError) -> Tracker
    private let opened = Mutex<[String: Tracker]>([:])

    /// Trackers that nobody has asked for yet.
    /// - Parameters:
    ///   - namespaces: At least one, each once.
    ///   - clock: The clock that `open` gives to every tracker, when it is one for testing.
    ///   - open: Makes the tracker of a namespace; it connects by itself at its first call.
    /// - Throws: ``Problem`` (`invalidArgument`).
    public init(
        _ namespaces: [String],
        clock: ManualClock? = nil,
        open: @escaping @Sendable (String) throws(TrackerError) -> Tracker
    ) throws(Problem) {
        guard !namespaces.isEmpty, Set(namespaces).count == namespaces.count else {
            throw Problem(.invalidArgument, "a service needs at least one namespace, and each only once")
        }
        self.namespaces = namespaces
        self.clock = clock
        self.open = open
    }

    /// The tracker of a namespace; of the first one for nil.
    /// - Throws: ``Problem`` (`unknownNamespace`), or what opening it throws.
    public func tracker(_ namespace: String? = nil) throws(Problem) -> Tracker {
        let name = namespace ?? namespaces[0]
        guard namespaces.contains(name) else {
            throw Problem(
                .unknownNamespace,
                "\(JSONValue.string(name).found) is no namespace of this service",
                found: String(name.prefix(64)),
                allowed: namespaces
            )
        }
        do {
            return try opened.withLock { opened throws(TrackerError) in
                if let tracker = opened[name] { return tracker }
                let tracker = try open(name)
                opened[name] = tracker
                return tracker
            }
        } catch { throw Problem(error) }
    }

    /// Closes those that were opened.
    public func close() async {
        for tracker in opened.withLock({ Array($0.values) }) { await tracker.close() }
    }
}
