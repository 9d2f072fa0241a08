import Belay
import Crypto

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The demo's kind of work: SHA-256, lines and bytes of a file, read in blocks of 1 MiB.
enum Checksum {
    /// The file.
    struct Input: Codable, Sendable {
        var path: String
    }

    /// What was found.
    struct Output: Codable, Sendable {
        var sha256: String
        var lines: Int
        var bytes: Int
    }

    /// Three attempts with short delays, and a lease that shows a crash soon.
    static let policy = KindPolicy(
        lease: .seconds(2),
        attempts: 3,
        retry: .exponential(base: .milliseconds(300), factor: 2, cap: .seconds(2)),
        keepSucceeded: .seconds(86_400),
        keepOther: .seconds(86_400)
    )
    static let kind = TaskKind<Input, Output>("checksum", policy: policy)

    /// A handler that takes at least `floor` for each file.
    static func handler(floor: Duration) -> Handler {
        Handler(kind) { input, context in
            let begun = ContinuousClock.now
            let output = try await compute(input.path, context)
            let rest = floor - begun.duration(to: .now)
            if rest > .zero { try await Task.sleep(for: rest) }
            return output
        }
    }

    static func compute(_ path: String, _ context: ClaimContext) async throws -> Output {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var info = stat()
        let size = fstat(descriptor, &info) == 0 ? Int(info.st_size) : 0
        var hash = SHA256()
        var output = Output(sha256: "", lines: 0, bytes: 0)
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(descriptor, &block, block.count)
            guard count >= 0 else { throw unreadable(path) }
            if count == 0 { break }
            block.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            for byte in block[..<count] where byte == UInt8(ascii: "\n") { output.lines += 1 }
            output.bytes += count
            try Task.checkCancellation()
            if output.bytes.isMultiple(of: 64 << 20), size > 0 {
                try await context.progress(min(1, Double(output.bytes) / Double(size)))
            }
            await Task.yield()
        }
        output.sha256 = hash.finalize().map { hex($0) }.joined()
        return output
    }

    static func unreadable(_ path: String) -> TaskFailure {
        TaskFailure(type: "unreadable", message: "cannot read \(path): \(String(cString: strerror(errno)))")
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
