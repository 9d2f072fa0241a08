import Foundation

/// Counts the instructions that a server executes, by valgrind's callgrind: they do not move with the machine's mood.
///
/// The server dumps its count whenever it is asked `LASTSAVE`, which nothing else here does.
struct Callgrind {
    /// The script that runs `redis-server` under callgrind, for ``PrivateRedisServer/Options/executable``.
    let executable: String
    private let folder: URL

    /// Nil where valgrind or redis-server are not installed.
    init?() throws {
        guard let valgrind = Self.find("valgrind"), let server = Self.find("redis-server") else { return nil }
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("belay-callgrind-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let script = folder.appendingPathComponent("redis-server")
        try """
        #!/bin/sh
        exec '\(valgrind)' --tool=callgrind --callgrind-out-file='\(folder.path)/out' \
        --dump-before=lastsaveCommand '\(server)' "$@"
        """.write(to: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: script.path)
        executable = script.path
    }

    /// Instructions between two dumps, in their order; the first is the server's start.
    func counts() throws -> [Double] {
        var counts: [Double] = []
        while true {
            let dump = folder.appendingPathComponent("out.\(counts.count + 1)")
            guard let text = try? String(contentsOf: dump, encoding: .utf8) else { return counts }
            guard let line = text.split(separator: "\n").last(where: { $0.hasPrefix("totals: ") }),
                let count = Double(line.dropFirst("totals: ".count))
            else { throw BenchError("no total in \(dump.path)") }
            counts.append(count)
        }
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    private static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}
