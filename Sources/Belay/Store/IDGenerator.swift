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
    private let nonce: [UInt8]

    package init(random: UInt64 = .random(in: .min ... .max)) {
        nonce = Self.base62(Int(random % 916_132_832), width: 5)
    }

    package func next(now: Timestamp) -> TaskID {
        let time = last.withLock { last in
            last = max(last + 1, now.microseconds - Self.epoch)
            return last
        }
        return TaskID(trusted: String(decoding: Self.base62(time, width: 9) + nonce, as: UTF8.self))
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
