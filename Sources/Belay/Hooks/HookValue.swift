import FoundationEssentials

/// A JSON value as a hook compares it: numbers by their value, members in any order.
public enum HookValue: Sendable, Hashable, Codable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number of 64 bits, however it was written.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// Text.
    case text(String)
    /// A list.
    case list([HookValue])
    /// An object.
    case object([String: HookValue])

    /// Reads any JSON value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode([HookValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: HookValue].self))
        }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// The value that JSON bytes hold; nil when they are no JSON.
    public init?(json bytes: [UInt8]) {
        guard let value = try? JSONDecoder().decode(HookValue.self, from: Data(bytes)) else { return nil }
        self = value
    }

    /// The value as JSON.
    public var json: String { (try? Body(encoding: self).text) ?? "null" }

    /// What stands at a place of JSON bytes; nil when there is nothing, or they are no JSON. Only what lies on the way is read.
    static func at(_ steps: [String], of bytes: [UInt8]) -> HookValue? {
        let decoder = JSONDecoder()
        decoder.userInfo[Probe.steps] = steps
        return (try? decoder.decode(Probe.self, from: Data(bytes)))?.value
    }

    /// A text as it stands between quotes in JSON.
    static func escaped(_ text: String) -> String { String(HookValue.text(text).json.dropFirst().dropLast()) }

    private struct Probe: Decodable {
        static let steps = CodingUserInfoKey(rawValue: "steps")!
        let value: HookValue?

        init(from decoder: any Decoder) throws {
            let steps = decoder.userInfo[Self.steps] as? [String] ?? []
            value = try Self.find(steps[...], in: decoder)
        }

        private static func find(_ steps: ArraySlice<String>, in decoder: any Decoder) throws -> HookValue? {
            guard let step = steps.first else { return try HookValue(from: decoder) }
            if let object = try? decoder.container(keyedBy: Name.self) {
                let name = Name(stringValue: step)
                guard object.contains(name) else { return nil }
                return try find(steps.dropFirst(), in: object.superDecoder(forKey: name))
            }
            // The place in a list has no sign and no zeros before it.
            guard var list = try? decoder.unkeyedContainer(), let place = Int(step), place >= 0, "\(place)" == step,
                place < list.count ?? 0
            else { return nil }
            for _ in 0..<place { _ = try list.superDecoder() }
            return try find(steps.dropFirst(), in: list.superDecoder())
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
