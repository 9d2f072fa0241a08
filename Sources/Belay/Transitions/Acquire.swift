import BelayScripts
package import RedisWire

/// What a claim of one named task may pass over.
public struct AcquireOptions: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: Int
    /// Options from bits.
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// Take it although it is not due yet.
    public static let ignoreDue = AcquireOptions(rawValue: 1)
    /// Take it although somebody holds it; that holder is superseded, and the history says so.
    public static let ignoreLock = AcquireOptions(rawValue: 2)
    /// Take it although it is exhausted, cancelled or ignored. Does not pass over a lock.
    public static let force = AcquireOptions(rawValue: 4)
    /// Begin anew although it has ended, well or not: attempts are counted from 1, the history goes on.
    public static let restart = AcquireOptions(rawValue: 8)

    var letters: String {
        (contains(.ignoreDue) ? "d" : "") + (contains(.ignoreLock) ? "l" : "") + (contains(.force) ? "f" : "")
            + (contains(.restart) ? "r" : "")
    }
}

/// Takes the lock of one named task.
package struct Acquire: Verb {
    package static let script = RedisScript(.acquire)
    package var id: TaskID
    package var token: String
    package var worker: WorkerName
    package var lease: Duration?
    package var options: AcquireOptions
    /// The token of the lock that the caller holds on the task and wants to hold as a new lock; nil when it holds none.
    package var held: String?

    package func validate() throws(TrackerError) {
        try ClaimMany.check(lease: lease)
        try Names.checkWord("token", token, limit: Limits.tokenBytes)
        if let held { try Names.checkWord("token of the held lock", held, limit: Limits.tokenBytes) }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(CollectionOfOne(id))
        call.append(token)
        call.append(worker.description)
        call.append(lease)
        call.append(options.letters)
        call.append(held ?? "")
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> AcquireOutcome {
        switch reply.word {
        case "OK":
            guard reply.elements.count == 7 else { throw reply.malformed("a claim of \(reply.elements.count) parts") }
            return .claimed(try Claim(reply.elements[2...], token: token, worker: worker, of: reply))
        case "GONE": return .refused(.notFound)
        case "LOCKED":
            return .refused(.locked(until: Timestamp(microseconds: try reply.int(2)), by: try reply.string(3)))
        case "NOT_DUE": return .refused(.notDue(at: Timestamp(microseconds: try reply.int(2))))
        case "PAUSED": return .refused(.paused)
        case "BLOCKED": return .refused(.blocked)
        case "ENDED": return .refused(.ended(try reply.state(reply.string(2))))
        default: throw reply.unexpected()
        }
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> AcquireOutcome {
        try await tracker.one(self, of: id)
    }
}
