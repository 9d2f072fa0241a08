import Belay

/// An object of the interface: what it looks like is its properties, what they mean stands beside them.
protocol Documented: Decodable, Sendable {
    /// One sentence for each field.
    static var docs: [String: String] { get }
    /// The type's name in schemas; `Task` for `TaskJSON` unless said otherwise.
    static var typeName: String { get }
}

extension Documented {
    static var typeName: String {
        let name = String(describing: Self.self)
        return name.hasSuffix("JSON") ? String(name.dropLast(4)) : name
    }
}

/// A value of the interface that has no parts.
protocol Plain: Decodable, Sendable {
    static var schema: JSONValue { get }
    /// For people.
    static var label: String { get }
    /// A value that is allowed.
    static var example: JSONValue { get }
}

/// One word of several.
protocol Words: Plain, RawRepresentable<String> {
    static var words: [String] { get }
}

extension Words {
    static var schema: JSONValue { ["type": "string", "enum": JSONValue(words)] }
    static var label: String { words.map { "`\($0)`" }.joined(separator: ", ") }
    static var example: JSONValue { .string(words.first ?? "") }
}

extension Words where Self: CaseIterable {
    static var words: [String] { allCases.map(\.rawValue) }
}

extension JSONValue: Plain {
    static var schema: JSONValue { true }
    static var label: String { "any JSON" }
    static var example: JSONValue { .null }
    /// Read by `StrictDecoder` alone, which has it at hand.
    public init(from decoder: any Decoder) throws {
        throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "is read from JSON text only"))
    }
}

extension TaskID: Plain {
    static var schema: JSONValue {
        ["type": "string", "minLength": 1, "maxLength": .number("\(Limits.idBytes)")]
    }
    static var label: String { "a task's id" }
    static var example: JSONValue { "report-7" }
}

extension KindName: Plain {
    static var schema: JSONValue {
        [
            "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
            "maxLength": .number("\(Limits.kindBytes)"),
        ]
    }
    static var label: String { "a kind's name" }
    static var example: JSONValue { "mail" }
}

extension WorkerName: Plain {
    static var schema: JSONValue {
        ["type": "string", "pattern": "^[!-~]+$", "maxLength": .number("\(Limits.workerBytes)")]
    }
    static var label: String { "a worker's name" }
    static var example: JSONValue { "host:1:a" }
}

extension Timestamp: Plain {
    static var schema: JSONValue { ["type": "string", "format": "date-time"] }
    static var label: String { "a time, RFC 3339 in UTC with up to microseconds" }
    static var example: JSONValue { "2026-01-01T00:00:00.000000Z" }
}

extension TaskState: Words {}
extension ClaimOrder: Words {}
extension FindOrder: Words {}
extension ExhaustedState: Words {}
extension DuplicatePolicy: Words {
    static var words: [String] { [Self.refuse, .returnExisting].map(\.rawValue) }
}
extension RetryBudget: Words {
    static var words: [String] { [Self.fresh, .kept].map(\.rawValue) }
}
