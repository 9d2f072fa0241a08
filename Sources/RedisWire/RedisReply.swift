/// A reply of the server, in Swift values.
///
/// Simple and bulk strings are both ``bytes(_:)``. An error reply to a whole command is thrown as a ``RedisError``; only
/// errors inside an array appear as ``error(_:)``.
public enum RedisReply: Sendable, Equatable {
    /// A missing value: a null bulk string or a null array.
    case null
    /// An integer.
    case integer(Int)
    /// A string of any bytes.
    case bytes([UInt8])
    /// An array; it may hold arrays.
    case array([RedisReply])
    /// An error inside an array, for example of one command of a transaction.
    case error(RedisServerError)

    /// The text of a string reply, or `nil` for any other reply. Bytes that are not UTF-8 are replaced by U+FFFD.
    public var string: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The value of an integer reply or of a string of decimal digits, or `nil` for any other reply.
    public var int: Int? {
        switch self {
        case .integer(let value): value
        case .bytes(let bytes): Int(String(decoding: bytes, as: UTF8.self))
        case .null, .array, .error: nil
        }
    }

    /// The elements of an array reply, or `nil` for any other reply.
    public var elements: [RedisReply]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The bytes of a string reply, or `nil` for any other reply.
    public var rawBytes: [UInt8]? {
        guard case .bytes(let bytes) = self else { return nil }
        return bytes
    }
}
