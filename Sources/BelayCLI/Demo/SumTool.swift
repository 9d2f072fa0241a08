import Subprocess

/// The system's own `sha256sum`: the second opinion on every checksum.
enum SumTool {
    /// The checksums by path; a file that cannot be read has none.
    static func sums(of paths: [String]) async throws -> [String: String] {
        var sums: [String: String] = [:]
        var batch: [String] = []
        var size = 0
        for path in paths {
            batch.append(path)
            size += path.utf8.count + 1
            if size > 100_000 || batch.count == 1000 {
                try await add(batch, to: &sums)
                (batch, size) = ([], 0)
            }
        }
        try await add(batch, to: &sums)
        return sums
    }

    private static func add(_ paths: [String], to sums: inout [String: String]) async throws {
        guard !paths.isEmpty else { return }
        let result: ExecutionResult<Void, BytesOutput, DiscardedOutput>
        do {
            let arguments = Arguments(["--zero", "--"] + paths)
            result = try await run(.name("sha256sum"), arguments: arguments, output: .bytes(limit: 8 << 20))
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw Failure(.unavailable, "nothing was verified: sha256sum is not installed (package coreutils)")
        }
        // <64 digits> <space> <space or *> <path> NUL
        for line in result.standardOutput.split(separator: 0) where line.count > 66 {
            let text = String(decoding: line, as: UTF8.self)
            sums[String(text.dropFirst(66))] = String(text.prefix(64))
        }
    }
}
