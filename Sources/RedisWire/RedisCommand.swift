import NIOCore

/// One command: its name and its encoded arguments.
///
/// The name is always text of the program, never data, so a command can be logged by its ``name`` without showing any
/// value.
public struct RedisCommand: Sendable {
    /// What comes before the caller's arguments.
    enum Head: Sendable {
        case name(String)
        case script(RedisScript, keyCount: Int, bySource: Bool)
    }

    let head: Head
    let arguments: RedisArguments

    init(head: Head, arguments: RedisArguments) {
        self.head = head
        self.arguments = arguments
    }

    /// Creates a command from its name and encoded arguments.
    public init(_ name: String, _ arguments: RedisArguments = .init()) {
        self.init(head: .name(name), arguments: arguments)
    }

    /// Creates a command from its name and arguments as strings: `RedisCommand("GET", "key")`.
    public init(_ name: String, _ arguments: String...) {
        var encoded = RedisArguments(reservingCapacity: arguments.reduce(0) { $0 + $1.utf8.count + RESP.bulkOverhead })
        for argument in arguments {
            encoded.append(argument)
        }
        self.init(head: .name(name), arguments: encoded)
    }

    /// The command's name; for a call of a script `EVALSHA` or `EVAL` and the script's name.
    public var name: String {
        switch head {
        case .name(let name): name
        case .script(let script, _, let bySource): (bySource ? "EVAL " : "EVALSHA ") + script.name
        }
    }

    /// The size that this command adds to a request, in bytes: exact to the few bytes of its array header.
    var byteCount: Int {
        switch head {
        case .name(let name):
            arguments.byteCount + name.utf8.count + 2 * RESP.bulkOverhead
        case .script(let script, _, let bySource):
            arguments.byteCount + (bySource ? script.source.utf8.count : script.sha1.utf8.count) + 4 * RESP.bulkOverhead
        }
    }

    /// Writes the whole request.
    func encode(into buffer: inout ByteBuffer) {
        switch head {
        case .name(let name):
            buffer.writeArrayHeader(1 + arguments.count)
            buffer.writeBulkString(name)
        case .script(let script, let keyCount, let bySource):
            buffer.writeArrayHeader(3 + arguments.count)
            buffer.writeBulkString(bySource ? "EVAL" : "EVALSHA")
            buffer.writeBulkString(bySource ? script.source : script.sha1)
            buffer.writeBulkInteger(keyCount)
        }
        buffer.writeImmutableBuffer(arguments.encoded)
    }
}

extension ByteBuffer {
    fileprivate mutating func writeBulkString(_ string: String) {
        var string = string
        string.withUTF8 { writeBulkString(UnsafeRawBufferPointer($0)) }
    }

    fileprivate mutating func writeBulkInteger(_ integer: Int) {
        withUnsafeTemporaryAllocation(byteCount: Decimal.maximumLength, alignment: 1) { digits in
            let start = Decimal.write(integer, endingAt: digits)
            writeBulkString(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }
}
