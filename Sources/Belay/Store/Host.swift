#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What this process is called in records and histories.
package enum Host {
    /// The host's name, or `localhost` when the system tells none.
    package static let name: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? "localhost" : text
    }()

    /// The process id.
    package static var pid: Int32 { getpid() }

    /// A fresh worker name of this process.
    package static func workerName() -> WorkerName {
        let nonce = String(UInt32.random(in: .min ... .max), radix: 36)
        return WorkerName(host: name, pid: pid, nonce: nonce)
    }

    /// 128 random bits as 32 hexadecimal digits, the identity of a lock: a version-4 UUID without its dashes.
    package static func token() -> String {
        var high = UInt64.random(in: .min ... .max)
        var low = UInt64.random(in: .min ... .max)
        high = high & 0xffff_ffff_ffff_0fff | 0x4000
        low = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        return hex(high) + hex(low)
    }

    /// Tells one request from another: 48 random bits as 12 hexadecimal digits.
    package static func nonce() -> String { String(hex(.random(in: .min ... .max)).prefix(12)) }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
