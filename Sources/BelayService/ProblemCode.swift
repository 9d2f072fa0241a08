/// The sort of a problem: a stable word. Those of the library are the codes of `TrackerError`.
public enum ProblemCode: String, Sendable, CaseIterable, Codable {
    // Of the service.
    case malformedRequest, unknownField, unknownVerb, unknownNamespace, unauthenticated, forbidden, methodNotAllowed
    case notFound, requestTooLarge, unsupportedMediaType, clockRefused, notReady, tooManyStreams, internalError
    // Of the library.
    case invalidArgument, unknownKind, unknownParent, kindConflict, full, tooLarge, incompatibleTracker,
        unsuitableServer
    case unavailable, unauthorised, timedOut, cancelled, server, protocolViolation, payload, closed, lockLost

    /// The status over HTTP.
    public var status: Int {
        switch self {
        case .malformedRequest, .unknownField, .invalidArgument, .payload: 400
        case .unauthenticated: 401
        case .forbidden, .clockRefused: 403
        case .unknownVerb, .unknownNamespace, .notFound, .unknownKind, .unknownParent: 404
        case .methodNotAllowed: 405
        case .kindConflict, .full, .lockLost: 409
        case .requestTooLarge, .tooLarge: 413
        case .unsupportedMediaType: 415
        case .internalError: 500
        // Redis is behind the service: its errors are those of a gateway.
        case .incompatibleTracker, .unsuitableServer, .unauthorised, .server, .protocolViolation: 502
        case .unavailable, .cancelled, .closed, .notReady, .tooManyStreams: 503
        case .timedOut: 504
        }
    }

    /// What it means, for people.
    public var title: String {
        switch self {
        case .malformedRequest: "The request is not what the verb takes."
        case .unknownField: "The request has a field that the verb does not know."
        case .unknownVerb: "There is no such verb."
        case .unknownNamespace: "The service does not serve this namespace."
        case .unauthenticated: "A bearer token is needed."
        case .forbidden: "This token may not do that."
        case .methodNotAllowed: "This address does not take that method."
        case .notFound: "There is nothing at this address."
        case .requestTooLarge: "The request is larger than the service takes."
        case .unsupportedMediaType: "The request must be application/json."
        case .clockRefused: "The clock of this service cannot be moved."
        case .notReady: "Work does not flow."
        case .tooManyStreams: "As many streams of events are open as the service allows."
        case .internalError: "A bug of the service."
        case .invalidArgument: "A value is not allowed."
        case .unknownKind: "The kind is not defined."
        case .unknownParent: "A task was to wait for a task or tag that does not exist."
        case .kindConflict: "The kind is stored with another policy."
        case .full: "A limit of the tracker is reached."
        case .tooLarge: "A payload, result or error is larger than the tracker takes."
        case .incompatibleTracker: "The tracker was made by a newer Belay, or for another clock."
        case .unsuitableServer: "The Redis server cannot be used."
        case .unavailable: "The Redis server cannot be reached."
        case .unauthorised: "The Redis server refused the service."
        case .timedOut: "No answer within the time allowed."
        case .cancelled: "The call was cancelled, as when the service ends."
        case .server: "The Redis server answered with an error."
        case .protocolViolation: "The answer is not what the protocol says."
        case .payload: "A payload or result is not what it should be."
        case .closed: "The tracker was closed."
        case .lockLost: "The lock was lost."
        }
    }
}
