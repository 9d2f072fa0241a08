import Synchronization

/// Makes task ids: 14 characters that sort by time, as bytes and as text.
///
/// Nine digits of base 62 for the microseconds since 2020-01-01, as the server's clock is known without asking, then five
/// digits (29 bits) drawn once per process. In one process the time part grows with every id; two processes can meet only
/// with the same draw in the same microsecond.
package final class IDGenerator: Sendable {
    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let epoch = 1_577_836_800_000_000
    private let last = Mutex(0)
    private static let nonces = 916_132_832
    private let draw: Int
    private let nonce: [UInt8]

    package init(random: UInt64 = .random(in: .min ... .max)) {
        draw = Int(random % UInt64(Self.nonces))
        nonce = Self.base62(draw, width: 5)
    }

    package func next(now: Timestamp) -> TaskID {
        TaskID(trusted: String(decoding: Self.base62(time(now), width: 9) + nonce, as: UTF8.self))
    }

    /// The id of a task in a partition: the draw is counted on until the id lies there, about as often as there are partitions.
    package func next(now: Timestamp, partition: Int, among count: Int) -> TaskID {
        let time = Self.base62(time(now), width: 9)
        var draw = draw
        while true {
            let id = TaskID(trusted: String(decoding: time + Self.base62(draw, width: 5), as: UTF8.self))
            if PartitionKey.partition(of: id, among: count) == partition { return id }
            draw = (draw + 1) % Self.nonces
        }
    }

    private func time(_ now: Timestamp) -> Int {
        last.withLock { last in
            last = max(last + 1, now.microseconds - Self.epoch)
            return last
        }
    }

    private static func base62(_ value: Int, width: Int) -> [UInt8] {
        var rest = max(value, 0)
        var text = [UInt8](repeating: digits[0], count: width)
        for place in stride(from: width - 1, through: 0, by: -1) {
            text[place] = digits[rest % 62]
            rest /= 62
        }
        return text
    }
}
