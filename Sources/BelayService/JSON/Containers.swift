/// A place in a document that a `Decodable` reads: real JSON, or the sketch that a schema is drawn from.
protocol Place: Decoder {
    /// Begins to read an object.
    func openObject<Key: CodingKey>(_ key: Key.Type) throws
    /// The names of the object's members.
    var names: [String] { get }
    /// Whether the object has the member, and it is not null.
    func has(_ name: String) -> Bool
    /// The member, which must be there.
    func member(_ name: String) throws -> Self
    /// The member, read only where it is there.
    func optional<T: Decodable>(_ type: T.Type, _ name: String) throws -> T?
    /// Begins to read a list, and says how long it is.
    func openList() throws -> Int
    /// An element of the list.
    func element(_ place: Int) throws -> Self
    /// Whether it is null.
    var isNull: Bool { get }
    /// A plain value.
    func scalar<T: Scalar>(_ type: T.Type) throws -> T
    /// Any value.
    func value<T: Decodable>(_ type: T.Type) throws -> T
}

/// A type that JSON has a word for.
protocol Scalar {
    init?(json: JSONValue)
    /// What JSON Schema calls it, and people.
    static var jsonType: (schema: String, name: String) { get }
    /// Any value of it.
    static var sample: Self { get }
}

extension Bool: Scalar {
    init?(json: JSONValue) {
        guard case .bool(let value) = json else { return nil }
        self = value
    }
    static var jsonType: (schema: String, name: String) { ("boolean", "true or false") }
    static var sample: Bool { false }
}

extension String: Scalar {
    init?(json: JSONValue) {
        guard case .string(let value) = json else { return nil }
        self = value
    }
    static var jsonType: (schema: String, name: String) { ("string", "text") }
    static var sample: String { "" }
}

extension Double: Scalar {
    init?(json: JSONValue) {
        guard case .number(let text) = json, let value = Double(text), value.isFinite else { return nil }
        self = value
    }
    static var jsonType: (schema: String, name: String) { ("number", "a number") }
    static var sample: Double { 0 }
}

extension Int: Scalar {
    /// Every 64-bit number as it was written; `1.0` and `1e3` are whole numbers too.
    init?(json: JSONValue) {
        guard case .number(let text) = json else { return nil }
        if let value = Int(text) {
            self = value
        } else {
            // Digits alone that do not fit are too large; a double would round them.
            guard text.contains(where: { ".eE".contains($0) }), let value = Double(text), abs(value) <= 0x1p53,
                let whole = Int(exactly: value)
            else { return nil }
            self = whole
        }
    }
    static var jsonType: (schema: String, name: String) { ("integer", "a whole number of 64 bits") }
    static var sample: Int { 0 }
}

extension Place {
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try openObject(type)
        return KeyedDecodingContainer(ObjectContainer<Key, Self>(place: self))
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        ListContainer(place: self, length: try openList())
    }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { ValueContainer(place: self) }
    /// Widths that no type of ours has are read by way of `Int`.
    func narrow<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        guard let value = T(exactly: try scalar(Int.self)) else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "must fit \(type)"))
        }
        return value
    }
}

struct ObjectContainer<Key: CodingKey, P: Place>: KeyedDecodingContainerProtocol {
    let place: P
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { place.names.compactMap { Key(stringValue: $0) } }
    func contains(_ key: Key) -> Bool { place.has(key.stringValue) }
    func decodeNil(forKey key: Key) throws -> Bool { !place.has(key.stringValue) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try decodeScalar(key) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try decodeScalar(key) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try decodeScalar(key) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try decodeScalar(key) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { Float(try decodeScalar(key) as Double) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try decodeNarrow(key) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try decodeNarrow(key) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try decodeNarrow(key) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try decodeNarrow(key) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try decodeNarrow(key) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try decodeNarrow(key) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try decodeNarrow(key) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try decodeNarrow(key) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try decodeNarrow(key) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try place.member(key.stringValue).value(type)
    }
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { try decodeOptional(type, key) }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try decodeOptional(type, key) }
    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? { try decodeOptional(type, key) }
    func nestedContainer<N: CodingKey>(keyedBy type: N.Type, forKey key: Key) throws -> KeyedDecodingContainer<N> {
        try place.member(key.stringValue).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try place.member(key.stringValue).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder { place }
    func superDecoder(forKey key: Key) throws -> any Decoder { try place.member(key.stringValue) }

    private func decodeScalar<T: Scalar>(_ key: Key) throws -> T { try place.member(key.stringValue).scalar(T.self) }
    private func decodeNarrow<T: FixedWidthInteger>(_ key: Key) throws -> T {
        try place.member(key.stringValue).narrow(T.self)
    }
    private func decodeOptional<T: Decodable>(_ type: T.Type, _ key: Key) throws -> T? {
        try place.optional(type, key.stringValue)
    }
}

struct ListContainer<P: Place>: UnkeyedDecodingContainer {
    let place: P
    let length: Int
    var currentIndex = 0
    var codingPath: [any CodingKey] { [] }
    var count: Int? { length }
    var isAtEnd: Bool { currentIndex >= length }

    private mutating func next() throws -> P {
        defer { currentIndex += 1 }
        return try place.element(currentIndex)
    }
    mutating func decodeNil() throws -> Bool {
        guard try place.element(currentIndex).isNull else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode(_ type: Bool.Type) throws -> Bool { try next().scalar(type) }
    mutating func decode(_ type: String.Type) throws -> String { try next().scalar(type) }
    mutating func decode(_ type: Double.Type) throws -> Double { try next().scalar(type) }
    mutating func decode(_ type: Int.Type) throws -> Int { try next().scalar(type) }
    mutating func decode(_ type: Float.Type) throws -> Float { Float(try next().scalar(Double.self)) }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try next().narrow(type) }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try next().narrow(type) }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try next().narrow(type) }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try next().narrow(type) }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try next().narrow(type) }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try next().narrow(type) }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try next().narrow(type) }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try next().narrow(type) }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try next().narrow(type) }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().value(type) }
    mutating func nestedContainer<N: CodingKey>(keyedBy type: N.Type) throws -> KeyedDecodingContainer<N> {
        try next().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }
}

struct ValueContainer<P: Place>: SingleValueDecodingContainer {
    let place: P
    var codingPath: [any CodingKey] { [] }
    func decodeNil() -> Bool { place.isNull }
    func decode(_ type: Bool.Type) throws -> Bool { try place.scalar(type) }
    func decode(_ type: String.Type) throws -> String { try place.scalar(type) }
    func decode(_ type: Double.Type) throws -> Double { try place.scalar(type) }
    func decode(_ type: Int.Type) throws -> Int { try place.scalar(type) }
    func decode(_ type: Float.Type) throws -> Float { Float(try place.scalar(Double.self)) }
    func decode(_ type: Int8.Type) throws -> Int8 { try place.narrow(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try place.narrow(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try place.narrow(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try place.narrow(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try place.narrow(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try place.narrow(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try place.narrow(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try place.narrow(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try place.narrow(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try place.value(type) }
}
