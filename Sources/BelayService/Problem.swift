public import Belay

/// Why a call gave no answer, as problem details (RFC 9457).
public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The sort.
    public var code: ProblemCode
    /// What happened, for people: what was found, what is allowed, what to do.
    public var detail: String
    /// Whether the same call may succeed later without a change.
    public var isRetriable: Bool
    /// Whether something may have happened: nobody knows when no answer came. Every verb may be sent again.
    public var outcome: TrackerError.Outcome
    /// The place in the request, for example `tasks[0].priority`.
    public var field: String?
    /// What was found there.
    public var found: String?
    /// What is allowed there.
    public var allowed: [String]?

    /// A problem from its parts.
    public init(
        _ code: ProblemCode,
        _ detail: String,
        isRetriable: Bool = false,
        outcome: TrackerError.Outcome = .nothing,
        field: String? = nil,
        found: String? = nil,
        allowed: [String]? = nil
    ) {
        self.code = code
        self.detail = detail
        self.isRetriable = isRetriable
        self.outcome = outcome
        self.field = field
        self.found = found
        self.allowed = allowed
    }

    /// What any error means to a caller. An error that nobody foresaw tells nothing of the inside.
    public init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as TrackerError:
            self.init(
                ProblemCode(rawValue: error.code.description) ?? .internalError,
                error.message,
                isRetriable: error.isRetriable,
                outcome: error.outcome
            )
        case is CancellationError: self.init(.cancelled, "the service ends", isRetriable: true, outcome: .unknown)
        default: self.init(.internalError, "unexpected \(type(of: error))", outcome: .unknown)
        }
    }

    /// `code: detail`.
    public var description: String { "\(code.rawValue): \(detail)" }

    /// The problem as `application/problem+json` has it.
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", .string("urn:belay:problem:\(code.rawValue)")),
            .init("title", .string(code.title)),
            .init("status", .number("\(code.status)")),
            .init("detail", .string(detail)),
            .init("code", .string(code.rawValue)),
            .init("retriable", .bool(isRetriable)),
            .init("outcome", .string(outcome.rawValue)),
        ]
        if let field { members.append(.init("field", .string(field))) }
        if let found { members.append(.init("found", .string(found))) }
        if let allowed { members.append(.init("allowed", JSONValue(allowed))) }
        return .object(members)
    }
}
