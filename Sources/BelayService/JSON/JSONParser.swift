/// Text that is no JSON, or nested too deep.
struct JSONSyntaxError: Error {
    /// What is wrong, and where.
    var message: String
}

/// Reads one JSON text (RFC 8259): strict, each name once per object, nesting bounded, numbers left as they are.
struct JSONParser {
    /// The deepest nesting of lists and objects.
    static let depthLimit = 64

    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0

    /// The value of a whole text.
    static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.place == bytes.count else { throw parser.wrong("the end") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private func wrong(_ expected: String) -> JSONSyntaxError {
        guard let next else { return JSONSyntaxError(message: "ends where \(expected) should follow") }
        let found =
            (0x21..<0x7f).contains(next) ? "“\(Character(Unicode.Scalar(next)))”" : "byte 0x\(String(next, radix: 16))"
        return JSONSyntaxError(message: "has \(found) at byte \(place + 1) where \(expected) should follow")
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { place += 1 }
    }

    /// Takes the byte if it comes next, after white space.
    private mutating func take(_ wanted: Character) -> Bool {
        skipSpace()
        guard next == wanted.asciiValue else { return false }
        place += 1
        return true
    }

    private mutating func value() throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONSyntaxError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONSyntaxError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            return try number()
        default: throw wrong("a value")
        }
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONSyntaxError) -> JSONValue
    ) throws(JSONSyntaxError) -> JSONValue {
        depth += 1
        guard depth <= Self.depthLimit else {
            throw JSONSyntaxError(message: "is nested deeper than \(Self.depthLimit) levels at byte \(place + 1)")
        }
        place += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func array() throws(JSONSyntaxError) -> JSONValue {
        var list: [JSONValue] = []
        if take("]") { return .array(list) }
        repeat { list.append(try value()) } while take(",")
        guard take("]") else { throw wrong("“,” or “]”") }
        return .array(list)
    }

    private mutating func object() throws(JSONSyntaxError) -> JSONValue {
        var members: [JSONValue.Member] = []
        var names: Set<String> = []
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw wrong("a name in quotes") }
            let name = try string()
            guard names.insert(name).inserted else {
                throw JSONSyntaxError(message: "has the name “\(name.prefix(64))” twice in one object")
            }
            guard take(":") else { throw wrong("“:”") }
            members.append(JSONValue.Member(name, try value()))
        } while take(",")
        guard take("}") else { throw wrong("“,” or “}”") }
        return .object(members)
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        guard bytes[place...].starts(with: text.utf8) else { throw wrong("a value") }
        place += text.utf8.count
        return value
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = place
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { place += 1 }
        guard place > start else { throw wrong("a digit") }
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = place
        if next == UInt8(ascii: "-") { place += 1 }
        if next == UInt8(ascii: "0") { place += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            place += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            place += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
            try digits()
        }
        return .number(String(decoding: bytes[start..<place], as: UTF8.self))
    }

    // MARK: Text

    private mutating func string() throws(JSONSyntaxError) -> String {
        let start = place
        place += 1
        var text: [UInt8] = []
        while let byte = next {
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let whole = String(validating: text, as: UTF8.self) else {
                    throw JSONSyntaxError(message: "has text at byte \(start + 1) that is no UTF-8")
                }
                return whole
            case UInt8(ascii: "\\"): text += String(try escape()).utf8
            case 0..<0x20:
                place -= 1
                throw wrong("text without control characters")
            default: text.append(byte)
            }
        }
        throw wrong("“\"”")
    }

    private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = next else { throw wrong("an escape") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try fourDigits()
            if let scalar = Unicode.Scalar(first) { return scalar }
            // Half of a pair: the other half must follow.
            guard first < 0xdc00, next == UInt8(ascii: "\\") else { throw wrong("the second half of a surrogate pair") }
            place += 1
            guard next == UInt8(ascii: "u") else { throw wrong("the second half of a surrogate pair") }
            place += 1
            let second = try fourDigits()
            guard (0xdc00...0xdfff).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + UInt32(second) - 0xdc00)
            else { throw wrong("text after a surrogate pair that is none;") }
            return scalar
        default:
            place -= 1
            throw wrong("one of \" \\ / b f n r t u")
        }
    }

    private mutating func fourDigits() throws(JSONSyntaxError) -> UInt16 {
        var number: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw wrong("a hexadecimal digit")
            }
            number = number << 4 + UInt16(digit)
            place += 1
        }
        return number
    }
}
