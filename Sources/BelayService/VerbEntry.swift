import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a verb runs on.
struct VerbCall: Sendable {
    var tracker: Tracker
    /// The clock of a service for testing.
    var clock: ManualClock?
}

/// One verb of the machine interface: its name, its types, what it can say, and what it does.
public struct VerbEntry: Sendable {
    /// The name, as in an address: `enqueue`, `clock/set`.
    public let name: String
    /// One sentence.
    public let summary: String
    /// Whether it changes anything; needs a read-write token.
    public let isWrite: Bool
    /// The problems that are its own, beside ``VerbTable/commonErrors``.
    public let errors: [ProblemCode]
    let request: Shape
    let response: Shape
    private let perform: @Sendable (VerbCall, JSONValue) async throws -> [UInt8]

    init<Request: Documented, Response: Documented & Encodable>(
        _ name: String,
        _ summary: String,
        isWrite: Bool,
        errors: [ProblemCode] = [],
        _ body: @escaping @Sendable (VerbCall, Request) async throws -> Response
    ) {
        self.name = name
        self.summary = summary
        self.isWrite = isWrite
        self.errors = errors
        request = .of(Request.self)
        response = .of(Response.self)
        perform = { call, json in
            try JSONText.bytes(try await body(call, try StrictDecoder.decode(Request.self, from: json)))
        }
    }

    /// The answer to a request, as JSON.
    /// - Throws: ``Problem``, always.
    func answer(_ call: VerbCall, _ request: JSONValue) async throws(Problem) -> [UInt8] {
        do { return try await perform(call, request) } catch { throw Problem(error) }
    }
}

/// JSON as the service writes it.
enum JSONText {
    static func bytes(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
