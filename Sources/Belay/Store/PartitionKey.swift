/// Which partition of a tracker a task lies in. `lua/README.md` tells the rule to other languages.
package enum PartitionKey {
    /// The partition of a task: the CRC-32 (as in zlib, PNG and Ethernet) of its partition key, modulo the partitions.
    package static func partition(of id: TaskID, among count: Int) -> Int {
        var text = id.description
        return text.withUTF8 { bytes in
            var crc = CRC32()
            for byte in bytes[key(of: bytes)] { crc.update(byte) }
            return Int(crc.value % UInt32(count))
        }
    }

    /// The partition of a text, such as the hash of a content.
    package static func partition(of text: String, among count: Int) -> Int {
        var crc = CRC32()
        for byte in text.utf8 { crc.update(byte) }
        return Int(crc.value % UInt32(count))
    }

    /// The partition key of an id: what stands between its first `{` and the next `}` when that is not empty; else, of an id
    /// that begins with `flow/`, all before the second slash; else the whole id.
    private static func key(of bytes: UnsafeBufferPointer<UInt8>) -> Range<Int> {
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")),
            let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        {
            return open + 1..<close
        }
        let flow = Array("flow/".utf8)
        if bytes.starts(with: flow), let slash = bytes[flow.count...].firstIndex(of: UInt8(ascii: "/")) {
            return 0..<slash
        }
        return 0..<bytes.count
    }
}

/// The cyclic redundancy check of zlib, PNG and Ethernet.
package struct CRC32: Sendable {
    private var state: UInt32 = 0xffff_ffff

    package init() {}

    /// The check of the bytes so far.
    package var value: UInt32 { ~state }

    package mutating func update(_ byte: UInt8) {
        state = Self.table[Int((state ^ UInt32(byte)) & 0xff)] ^ (state >> 8)
    }

    private static let table: [UInt32] = (0..<256).map { number in
        var value = UInt32(number)
        for _ in 0..<8 { value = value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
        return value
    }
}

extension KindPolicy {
    /// The policy as one partition keeps it: its share of the queue limit, of which each has at least 1.
    package func share(of partition: Int, among count: Int) -> KindPolicy {
        guard let limit = queueLimit else { return self }
        var policy = self
        policy.queueLimit = max(1, limit / count + (partition < limit % count ? 1 : 0))
        return policy
    }
}
