import Belay
import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The demo's pipeline over files: scan, then checksum and classify beside each other, then one report.
enum FilePipeline {
    /// A file as it was when it was listed: what is scanned depends on it.
    struct Listed: Codable, Hashable, Sendable {
        var path: String
        var size: Int
        var modified: String

        /// Nil when the file is gone.
        init?(_ path: String) {
            guard let stamp = FileTree.stamp(path) else { return nil }
            self.path = path
            size = stamp.size
            modified = "\(stamp.seconds).\(stamp.nanoseconds)"
        }

        /// A file that there is not.
        init(missing path: String) {
            self.path = path
            (size, modified) = (0, "never")
        }
    }

    /// A file's checksum.
    struct Sum: Codable, Sendable {
        var path: String
        var sha256: String
        var bytes: Int
    }

    /// What a file holds.
    struct Class: Codable, Sendable {
        var path: String
        var what: String
        var lines: Int
    }

    /// All files in one.
    struct Report: Codable, Sendable {
        var files: Int
        var bytes: Int
        var lines: Int
        var classes: [String: Int]
        /// SHA-256 of all checksums and paths, by path.
        var digest: String
    }

    /// Two attempts, and a lease that shows a crash soon.
    static let policy = KindPolicy(
        lease: .seconds(2),
        attempts: 2,
        retry: .fixed(.milliseconds(100)),
        keepSucceeded: .seconds(86_400),
        keepOther: .seconds(86_400)
    )

    static func pipeline() throws -> Pipeline {
        try Pipeline([
            Segment("scan", policy: policy), Segment("checksum", parents: ["scan"], policy: policy),
            Segment("classify", parameters: ["binary": "a zero byte"], parents: ["scan"], policy: policy),
            Segment("report", parents: ["checksum", "classify"], rule: .gather, policy: policy),
        ])
    }

    /// One handler for each segment; each takes at least `floor`.
    static func handlers(on tracker: Tracker, floor: Duration) throws -> [Handler] {
        try pipeline().segments.map { segment in
            switch segment.name {
            case "scan":
                segment.handler(on: tracker) { inputs, _ in
                    let file: Listed = try inputs.one()
                    return try await slow(floor) { try scan(file) }
                }
            case "checksum":
                segment.handler(on: tracker) { inputs, context in
                    let file: Listed = try inputs.one()
                    return try await slow(floor) {
                        let found = try await Checksum.compute(file.path, context)
                        return Sum(path: file.path, sha256: found.sha256, bytes: found.bytes)
                    }
                }
            case "classify":
                segment.handler(on: tracker) { inputs, _ in
                    let file: Listed = try inputs.one()
                    return try await slow(floor) { try classify(file) }
                }
            default:
                segment.handler(on: tracker) { inputs, _ in
                    let sums: [Sum] = try inputs.decoded(from: "checksum")
                    return report(sums, try inputs.decoded(from: "classify"))
                }
            }
        }
    }

    private static func slow<T>(_ floor: Duration, _ work: () async throws -> T) async throws -> T {
        let begun = ContinuousClock.now
        let result = try await work()
        let rest = floor - begun.duration(to: .now)
        if rest > .zero { try await Task.sleep(for: rest) }
        return result
    }

    private static func scan(_ file: Listed) throws -> Listed {
        var info = stat()
        guard lstat(file.path, &info) == 0, info.st_mode & S_IFMT == S_IFREG, let found = Listed(file.path) else {
            throw Checksum.unreadable(file.path)
        }
        return found
    }

    private static func classify(_ file: Listed) throws -> Class {
        let bytes = try Data(contentsOf: URL(filePath: file.path), options: .mappedIfSafe)
        let what = bytes.isEmpty ? "empty" : bytes.prefix(8192).contains(0) ? "binary" : "text"
        return Class(path: file.path, what: what, lines: bytes.count { $0 == UInt8(ascii: "\n") })
    }

    /// The report of some files; of checksums alone it is what the demo expects.
    static func report(_ sums: [Sum], _ classes: [Class]) -> Report {
        var hash = SHA256()
        for sum in sums.sorted(by: { $0.path < $1.path }) {
            hash.update(data: Data("\(sum.sha256) \(sum.path)\n".utf8))
        }
        let digest = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return Report(
            files: sums.count,
            bytes: sums.reduce(0) { $0 + $1.bytes },
            lines: classes.reduce(0) { $0 + $1.lines },
            classes: classes.reduce(into: [:]) { $0[$1.what, default: 0] += 1 },
            digest: digest
        )
    }
}
