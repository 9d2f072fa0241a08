/// One of the 16,384 parts that a cluster divides its keys into.
///
/// The number is the CRC16 of the key, or of what stands between its first `{` and the next `}` if that is not empty:
/// keys with the same text in braces lie together. Computed anew for each call: some ten nanoseconds for a tag.
struct HashSlot: Hashable, Sendable, CustomStringConvertible {
    static let count = 16_384

    /// From 0 to 16,383.
    let number: Int

    init(key: String) {
        var key = key
        number = key.withUTF8 { Int(CRC16.checksum(of: Self.tag(of: $0[...]))) % Self.count }
    }

    /// The slot of a number in a reply, which may be out of range.
    init?(number: some StringProtocol) {
        guard let number = Int(number), (0..<Self.count).contains(number) else { return nil }
        self.number = number
    }

    var description: String { "\(number)" }

    private static func tag(of key: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return key }
        let rest = key[(open + 1)...]
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")), close > rest.startIndex else { return key }
        return rest[..<close]
    }
}

/// The checksum that Redis Cluster uses: CRC16-CCITT in the variant XMODEM (polynomial 0x1021, from zero).
enum CRC16 {
    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { sum, _ in sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
    }

    static func checksum(of bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { sum, byte in sum << 8 ^ table[Int(UInt8(truncatingIfNeeded: sum >> 8) ^ byte)] }
    }
}
