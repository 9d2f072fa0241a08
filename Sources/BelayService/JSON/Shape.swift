import Synchronization

/// What a type looks like in JSON, found by letting it read a sketch: nothing is written twice.
indirect enum Shape: Sendable {
    /// A value without parts: its JSON Schema, and its name for people.
    case plain(JSONValue, name: String)
    /// A list.
    case list(Shape)
    /// An object whose names are data.
    case map(Shape)
    /// An object with fields.
    case object(ObjectShape)

    /// An object with fields.
    struct ObjectShape: Sendable {
        /// The type's name.
        var name: String
        /// In the order of the type.
        var fields: [Field]
    }

    /// One field of an object.
    struct Field: Sendable {
        var name: String
        var isOptional: Bool
        var shape: Shape
        /// One sentence.
        var doc: String
    }

    var fieldNames: [String] { if case .object(let object) = self { object.fields.map(\.name) } else { [] } }

    /// The objects in it, itself first, each once.
    var objects: [ObjectShape] {
        var found: [ObjectShape] = []
        collect(into: &found)
        return found
    }

    private func collect(into found: inout [ObjectShape]) {
        switch self {
        case .plain: break
        case .list(let shape), .map(let shape): shape.collect(into: &found)
        case .object(let object):
            guard !found.contains(where: { $0.name == object.name }) else { return }
            found.append(object)
            for field in object.fields { field.shape.collect(into: &found) }
        }
    }

    private static let known = Mutex<[ObjectIdentifier: Shape]>([:])

    /// The shape of a type.
    static func of(_ type: any Decodable.Type) -> Shape {
        if let shape = known.withLock({ $0[ObjectIdentifier(type)] }) { return shape }
        let sketch = Sketch()
        // A type that cannot read the sketch is a bug, which the tests of the schema find.
        _ = try? sketch.value(type)
        let shape = sketch.shape ?? .plain(.object([]), name: "\(type)")
        known.withLock { $0[ObjectIdentifier(type)] = shape }
        return shape
    }
}

/// A dictionary: its names are data, not fields.
private protocol NamedValues {
    static var valueType: any Decodable.Type { get }
    static var empty: Self { get }
}

extension Dictionary: NamedValues where Key == String, Value: Decodable {
    fileprivate static var valueType: any Decodable.Type { Value.self }
    fileprivate static var empty: Self { [:] }
}

/// A document that has whatever is asked for, and remembers what that was.
private final class Sketch: Place {
    private var fields: [(name: String, isOptional: Bool, sketch: Sketch)]?
    private var items: Sketch?
    private var fixed: Shape?
    private var docs: [String: String] = [:]
    private var name = ""

    var shape: Shape? {
        if let fixed { return fixed }
        if let items { return items.shape.map { .list($0) } }
        guard let fields else { return nil }
        return .object(
            Shape.ObjectShape(
                name: name,
                fields: fields.compactMap { field in
                    field.sketch.shape.map {
                        Shape.Field(
                            name: field.name,
                            isOptional: field.isOptional,
                            shape: $0,
                            doc: docs[field.name] ?? ""
                        )
                    }
                }
            )
        )
    }

    func openObject<Key: CodingKey>(_ key: Key.Type) throws { fields = fields ?? [] }
    var names: [String] { [] }
    func has(_ name: String) -> Bool { true }
    var isNull: Bool { false }

    private func add(_ name: String, isOptional: Bool) -> Sketch {
        let sketch = Sketch()
        fields?.append((name, isOptional, sketch))
        return sketch
    }

    func member(_ name: String) throws -> Sketch { add(name, isOptional: false) }

    func optional<T: Decodable>(_ type: T.Type, _ name: String) throws -> T? {
        _ = try add(name, isOptional: true).value(type)
        return nil
    }

    func openList() throws -> Int {
        items = Sketch()
        return 1
    }

    func element(_ place: Int) throws -> Sketch { items ?? self }

    func scalar<T: Scalar>(_ type: T.Type) throws -> T {
        fixed = .plain(["type": .string(T.jsonType.schema)], name: T.jsonType.name)
        return T.sample
    }

    func value<T: Decodable>(_ type: T.Type) throws -> T {
        if let plain = type as? any Plain.Type {
            fixed = .plain(plain.schema, name: plain.label)
            return try StrictDecoder.decode(type, from: plain.example)
        }
        if let map = type as? any NamedValues.Type, let empty = map.empty as? T {
            let values = Sketch()
            _ = try values.value(map.valueType)
            fixed = values.shape.map { .map($0) }
            return empty
        }
        if let documented = type as? any Documented.Type {
            name = documented.typeName
            docs = documented.docs
            fields = []
        }
        return try T(from: self)
    }
}
