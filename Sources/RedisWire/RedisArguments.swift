import NIOCore

/// The arguments of one command, encoded as RESP2 bulk strings while they are appended.
///
/// All arguments share one growing byte buffer; no intermediate string or array is made. Arguments are bytes: an
/// appended string is written as UTF-8, an integer in decimal.
public struct RedisArguments: Sendable {
    /// The number of arguments appended so far.
    public private(set) var count = 0

    private let capacity: Int
    private var buffer = ByteBuffer()

    /// Creates an empty list of arguments.
    ///
    /// - Parameter reservingCapacity: Bytes to reserve at the first append, 256 by default. The buffer grows as needed.
    public init(reservingCapacity: Int = 256) {
        self.capacity = max(reservingCapacity, 0)
    }

    /// The encoded size in bytes, headers and line ends included.
    public var byteCount: Int { buffer.readableBytes }

    /// The encoded bytes.
    var encoded: ByteBuffer { buffer }

    /// Appends a string as UTF-8.
    public mutating func append(_ string: String) {
        var string = string
        string.withUTF8 { appendBulk(UnsafeRawBufferPointer($0)) }
    }

    /// Appends a constant string.
    public mutating func append(_ string: StaticString) {
        string.withUTF8Buffer { appendBulk(UnsafeRawBufferPointer($0)) }
    }

    /// Appends any bytes, of any length and content.
    public mutating func append(bytes: some Collection<UInt8>) {
        let done: Void? = bytes.withContiguousStorageIfAvailable { appendBulk(UnsafeRawBufferPointer($0)) }
        if done == nil {
            Array(bytes).withUnsafeBytes { appendBulk($0) }
        }
    }

    /// Appends an integer in decimal.
    public mutating func append(_ integer: Int) {
        withUnsafeTemporaryAllocation(byteCount: Decimal.maximumLength, alignment: 1) { digits in
            let start = Decimal.write(integer, endingAt: digits)
            appendBulk(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }

    /// Appends all arguments of another list, in order.
    public mutating func append(contentsOf other: RedisArguments) {
        reserve(other.byteCount)
        count += other.count
        buffer.writeImmutableBuffer(other.buffer)
    }

    private mutating func reserve(_ bytes: Int) {
        if buffer.capacity == 0 {
            buffer.reserveCapacity(max(capacity, bytes))
        }
    }

    private mutating func appendBulk(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + RESP.bulkOverhead)
        count += 1
        buffer.writeBulkString(bytes)
    }
}

/// The few pieces of RESP2 that requests are made of.
enum RESP {
    /// Bytes that a bulk string needs beyond its content, at most: type byte, length and two line ends.
    static let bulkOverhead = 1 + Decimal.maximumLength + 4
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
}

/// Decimal digits without a `String`.
enum Decimal {
    /// The length of `Int.min` in decimal.
    static let maximumLength = 20

    /// Writes `value` so that its last digit lies at the end of `buffer`, and returns the index of its first character.
    static func write(_ value: Int, endingAt buffer: UnsafeMutableRawBufferPointer) -> Int {
        var index = buffer.count
        var rest = value.magnitude
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            index -= 1
            buffer[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest > 0
        if value < 0 {
            index -= 1
            buffer[index] = UInt8(ascii: "-")
        }
        return index
    }
}

extension ByteBuffer {
    /// Writes `$<length>\r\n<bytes>\r\n`.
    mutating func writeBulkString(_ bytes: UnsafeRawBufferPointer) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count + RESP.bulkOverhead) { target in
            var end = RESP.writeHeader(UInt8(ascii: "$"), bytes.count, to: target)
            UnsafeMutableRawBufferPointer(rebasing: target[end...]).copyMemory(from: bytes)
            end += bytes.count
            target[end] = RESP.carriageReturn
            target[end + 1] = RESP.lineFeed
            return end + 2
        }
    }

    /// Writes `*<count>\r\n`.
    mutating func writeArrayHeader(_ count: Int) {
        writeWithUnsafeMutableBytes(minimumWritableBytes: RESP.bulkOverhead) { target in
            RESP.writeHeader(UInt8(ascii: "*"), count, to: target)
        }
    }
}

extension RESP {
    /// Writes a type byte, a number and a line end to the start of `target` and returns how many bytes that took.
    fileprivate static func writeHeader(_ type: UInt8, _ number: Int, to target: UnsafeMutableRawBufferPointer) -> Int {
        let area = UnsafeMutableRawBufferPointer(rebasing: target[1...Decimal.maximumLength])
        let start = Decimal.write(number, endingAt: area)
        let length = area.count - start
        target[0] = type
        memmoveDown(area, from: start)
        target[1 + length] = carriageReturn
        target[2 + length] = lineFeed
        return 3 + length
    }

    private static func memmoveDown(_ area: UnsafeMutableRawBufferPointer, from start: Int) {
        for index in start..<area.count {
            area[index - start] = area[index]
        }
    }
}
