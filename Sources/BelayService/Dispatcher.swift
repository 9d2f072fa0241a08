/// Answers requests by the table of verbs, whatever brought them.
public struct Dispatcher: Sendable {
    /// What a caller may do.
    public enum Access: Sendable, Hashable {
        /// Ask.
        case readOnly
        /// Ask and change.
        case readWrite
    }

    /// What it serves.
    public let trackers: Trackers
    /// The largest request, bytes.
    public let requestLimit: Int

    /// A dispatcher.
    /// - Parameters:
    ///   - trackers: What it serves.
    ///   - requestLimit: The largest request in bytes; 8 MiB unless said otherwise.
    public init(_ trackers: Trackers, requestLimit: Int = 8 << 20) {
        self.trackers = trackers
        self.requestLimit = requestLimit
    }

    /// Performs a verb.
    /// - Parameters:
    ///   - verb: Its name.
    ///   - namespace: The tracker; nil for the service's first.
    ///   - request: The request as JSON; no bytes at all mean `{}`.
    ///   - access: What the caller may do.
    /// - Returns: The answer as JSON.
    /// - Throws: ``Problem``, always.
    public func call(
        _ verb: String,
        namespace: String? = nil,
        request: [UInt8],
        access: Access = .readWrite
    ) async throws(Problem) -> [UInt8] {
        let (entry, call) = try admit(verb, namespace, access)
        guard request.count <= requestLimit else { throw tooLarge() }
        return try await entry.answer(call, request.isEmpty ? .object([]) : Self.parse(request, "the request"))
    }

    /// The same for a request that was parsed before.
    func call(_ verb: String, namespace: String?, request: JSONValue) async throws(Problem) -> [UInt8] {
        let (entry, call) = try admit(verb, namespace, .readWrite)
        return try await entry.answer(call, request)
    }

    /// What would refuse the call whatever its request says.
    func admit(
        _ verb: String,
        _ namespace: String?,
        _ access: Access
    ) throws(Problem) -> (entry: VerbEntry, call: VerbCall) {
        let entry = try VerbTable.entry(verb)
        guard access == .readWrite || !entry.isWrite else {
            throw Problem(.forbidden, "\(entry.name) changes the tracker; this token may only ask")
        }
        return (entry, VerbCall(tracker: try trackers.tracker(namespace), clock: trackers.clock))
    }

    func tooLarge() -> Problem {
        Problem(.requestTooLarge, "a request has at most \(requestLimit) bytes; send fewer tasks in one")
    }

    static func parse(_ bytes: [UInt8], _ what: String) throws(Problem) -> JSONValue {
        do { return try JSONParser.parse(bytes) } catch {
            throw Problem(.malformedRequest, "\(what) is not JSON: it \(error.message)")
        }
    }
}
