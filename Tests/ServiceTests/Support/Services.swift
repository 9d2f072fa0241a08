import Belay
import BelayTestKit
import Testing

@testable import BelayService

/// JSON as tests write and read it.
func json(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

extension JSONValue {
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    var list: [JSONValue] { if case .array(let list) = self { list } else { [] } }
    var names: [String] { if case .object(let members) = self { members.map(\.name) } else { [] } }
    /// The value at a path such as `tasks.0.outcome`.
    func at(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(self as JSONValue?) { value, step in
            guard let value else { return nil }
            if let place = Int(step), case .array(let list) = value {
                return list.indices.contains(place) ? list[place] : nil
            }
            return value[String(step)]
        }
    }
}

extension Dispatcher {
    /// A service of one tracker that exists.
    init(_ tracker: Tracker, clock: ManualClock? = nil, requestLimit: Int = 8 << 20) throws {
        self.init(
            try Trackers([tracker.namespace], clock: clock) { _ throws(TrackerError) in tracker },
            requestLimit: requestLimit
        )
    }

    /// Performs a verb, text in and JSON out.
    @discardableResult
    func call(_ verb: String, _ request: String = "{}", access: Access = .readWrite) async throws -> JSONValue {
        try JSONParser.parse(try await call(verb, request: Array(request.utf8), access: access))
    }

    /// The problem that a call must end with.
    func problem(
        _ verb: String,
        _ request: String,
        access: Access = .readWrite,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async -> Problem {
        do {
            let answer = try await call(verb, request, access: access)
            Issue.record("answered \(answer.text)", sourceLocation: sourceLocation)
        } catch let problem as Problem {
            return problem
        } catch {
            Issue.record(error, sourceLocation: sourceLocation)
        }
        return Problem(.internalError, "no problem")
    }
}

/// Runs `body` with a service in memory whose clock the test moves.
func withService(_ body: (Dispatcher, ManualClock) async throws -> Void) async throws {
    try await withInMemoryTracker { tracker, clock in try await body(try Dispatcher(tracker, clock: clock), clock) }
}
