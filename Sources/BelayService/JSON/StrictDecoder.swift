import Belay

/// Reads Swift types from JSON and refuses, naming the place, what they do not know.
///
/// An object may only have fields that the type has: a misspelt option must not be taken for its default.
final class StrictDecoder: Place {
    /// Where in the document: kept as steps, because nearly nobody asks for the text.
    private indirect enum Path {
        case root
        case field(Path, String)
        case element(Path, Int)

        var text: String {
            switch self {
            case .root: ""
            case .field(.root, let name): name
            case .field(let path, let name): "\(path.text).\(name)"
            case .element(let path, let place): "\(path.text)[\(place)]"
            }
        }
    }

    private let json: JSONValue
    private let path: Path
    private let type: any Decodable.Type
    private var isOpened = false

    /// The value as a type.
    /// - Throws: ``Problem``, always.
    static func decode<T: Decodable>(_ type: T.Type, from json: JSONValue) throws -> T {
        try StrictDecoder(json, .root, type).value(type)
    }

    private init(_ json: JSONValue, _ path: Path, _ type: any Decodable.Type) {
        self.json = json
        self.path = path
        self.type = type
    }

    private func problem(_ code: ProblemCode, _ text: String, found: String? = nil, allowed: [String]? = nil) -> Problem
    {
        let place = path.text
        return Problem(
            code,
            "\(place.isEmpty ? "the request" : place) \(text)",
            field: place.isEmpty ? nil : place,
            found: found,
            allowed: allowed
        )
    }

    private func mustBe(_ wanted: String) -> Problem {
        problem(.malformedRequest, "must be \(wanted), found \(json.found)", found: json.found, allowed: [wanted])
    }

    // MARK: Place

    func openObject<Key: CodingKey>(_ key: Key.Type) throws {
        isOpened = true
        guard case .object(let members) = json else { throw mustBe("an object") }
        for member in members where Key(stringValue: member.name) == nil { try refuse(member.name) }
    }

    private func refuse(_ name: String) throws {
        let allowed = Shape.of(type).fieldNames
        let list = allowed.isEmpty ? "none" : allowed.joined(separator: ", ")
        let field = Path.field(path, name).text
        throw Problem(
            .unknownField,
            "\(field) is not a field; allowed: \(list)",
            field: field,
            found: name,
            allowed: allowed
        )
    }

    var names: [String] {
        guard case .object(let members) = json else { return [] }
        return members.map(\.name)
    }

    func has(_ name: String) -> Bool { json[name].map { $0 != .null } ?? false }

    func member(_ name: String) throws -> StrictDecoder {
        guard let value = json[name], value != .null else {
            let field = Path.field(path, name).text
            throw Problem(.malformedRequest, "\(field) is missing", field: field)
        }
        return StrictDecoder(value, .field(path, name), type)
    }

    func optional<T: Decodable>(_ type: T.Type, _ name: String) throws -> T? {
        has(name) ? try member(name).value(type) : nil
    }

    func openList() throws -> Int {
        guard case .array(let list) = json else { throw mustBe("a list") }
        return list.count
    }

    func element(_ place: Int) throws -> StrictDecoder {
        guard case .array(let list) = json, place < list.count else { throw mustBe("a longer list") }
        return StrictDecoder(list[place], .element(path, place), type)
    }

    var isNull: Bool { json == .null }

    func scalar<T: Scalar>(_ type: T.Type) throws -> T {
        guard let value = T(json: json) else { throw mustBe(T.jsonType.name) }
        return value
    }

    func value<T: Decodable>(_ type: T.Type) throws -> T {
        if let json = json as? T { return json }
        if let words = type as? any Words.Type, case .string(let text) = json, !words.words.contains(text) {
            throw problem(
                .invalidArgument,
                "is \(json.found); allowed: \(words.words.joined(separator: ", "))",
                found: text,
                allowed: words.words
            )
        }
        let decoder = StrictDecoder(json, path, type)
        do {
            let value = try T(from: decoder)
            // A type without fields never asks for a container.
            if type is any Documented.Type, !decoder.isOpened {
                guard case .object(let members) = json else { throw mustBe("an object") }
                if let first = members.first { try decoder.refuse(first.name) }
            }
            return value
        } catch let problem as Problem {
            throw problem
        } catch let error as TrackerError {
            // Names check themselves when they are read; only the place is not theirs to know.
            throw problem(.invalidArgument, "is refused: \(error.message)")
        } catch DecodingError.dataCorrupted(let context) {
            throw problem(.invalidArgument, "is \(json.found): \(context.debugDescription)", found: json.found)
        }
    }
}
