import Belay

/// Every verb and query of the library as the service offers it. `belay api`, HTTP, the OpenAPI document and the reference
/// page are made of this table, so they cannot differ.
public enum VerbTable {
    /// All verbs, in the order of the reference.
    public static let entries: [VerbEntry] =
        [open] + enqueueing + claiming + holding + operating + kinds + queries + flows + segments
        + supervising + hooks + foreign + sweeping + clock

    /// Problems that any verb may answer with.
    public static let commonErrors: [ProblemCode] = [
        .malformedRequest, .unknownField, .invalidArgument, .unknownVerb, .unknownNamespace, .requestTooLarge,
        .incompatibleTracker, .unsuitableServer, .unavailable, .unauthorised, .timedOut, .cancelled, .server,
        .protocolViolation, .closed, .internalError,
    ]

    private static let byName = [String: VerbEntry](uniqueKeysWithValues: entries.map { ($0.name, $0) })

    /// The verb of that name.
    /// - Throws: ``Problem`` (`unknownVerb`) with what there is.
    public static func entry(_ name: String) throws(Problem) -> VerbEntry {
        guard let entry = byName[name] else {
            throw Problem(
                .unknownVerb,
                "\(JSONValue.string(name).found) is no verb; GET /v1 lists all, as does the reference",
                found: String(name.prefix(64)),
                allowed: entries.map(\.name)
            )
        }
        return entry
    }

    private static let open = VerbEntry(
        "open",
        "Connects, and checks that the server and the tracker on it can be used. Every verb does this at first use.",
        isWrite: true
    ) { (call, _: OpenRequest) in
        try await call.tracker.open()
        return OpenResponse(namespace: call.tracker.namespace, worker: call.tracker.workerName)
    }
}

struct OpenRequest: Documented {
    static let docs: [String: String] = [:]
}

struct OpenResponse: Documented, Encodable {
    var namespace: String
    var worker: WorkerName

    static let docs = [
        "namespace": "The tracker.", "worker": "The name under which claims are made that name no worker.",
    ]
}
