import BelayTestKit
import Foundation
import Subprocess
import Testing

/// The program `belay` as a shell calls it: a namespace of its own on the shared private server.
struct CommandLineTool: Sendable {
    /// What a finished call left.
    struct Output: Sendable {
        var exitCode: Int32
        var out: String
        var error: String

        /// The lines of stdout.
        var lines: [String] { out.split(separator: "\n").map(String.init) }

        /// The lines of stdout as JSON objects.
        func objects(sourceLocation: SourceLocation = #_sourceLocation) throws -> [JSONObject] {
            try lines.map { line in
                let value = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                return JSONObject(value: try #require(value, sourceLocation: sourceLocation))
            }
        }

        /// The only line of stdout as a JSON object.
        func object(sourceLocation: SourceLocation = #_sourceLocation) throws -> JSONObject {
            let all = try objects(sourceLocation: sourceLocation)
            return try #require(all.count == 1 ? all.first : nil, "\(out)", sourceLocation: sourceLocation)
        }
    }

    /// An object of JSON output.
    struct JSONObject {
        let value: [String: Any]
        subscript(_ path: String...) -> String? {
            var place: Any? = value
            for key in path { place = (place as? [String: Any])?[key] }
            if let number = place as? NSNumber { return number.stringValue }
            return place as? String
        }
    }

    /// Variables that the calls get beside a plain environment.
    var variables: [String: String]

    /// On the private server that tests share.
    static func shared() async throws -> CommandLineTool {
        let server = try await PrivateRedisServer.shared()
        let namespace = "cli-" + UUID().uuidString.prefix(13)
        return CommandLineTool(variables: ["REDIS_URL": server.url, "BELAY_NAMESPACE": namespace])
    }

    /// Runs `belay` to its end.
    @discardableResult
    func callAsFunction(
        _ arguments: String...,
        input: String = "",
        variables: [String: String] = [:]
    ) async throws -> Output {
        try await run(arguments, input: Array(input.utf8), variables: variables) { _ in }.output
    }

    /// Runs `belay`, and `body` with its process id beside it; the program must end by itself or by what `body` does.
    func run<T: Sendable>(
        _ arguments: [String],
        input: [UInt8] = [],
        variables: [String: String] = [:],
        _ body: @Sendable (pid_t) async throws -> T
    ) async throws -> (output: Output, value: T) {
        let slash = BelayBinary.path.lastIndex(of: "/") ?? BelayBinary.path.startIndex
        var all = ProcessInfo.processInfo.environment.filter { key, _ in
            !key.hasPrefix("BELAY_") && !key.hasPrefix("LOG_") && !["REDIS_URL", "NO_COLOR", "COLUMNS"].contains(key)
        }
        all.merge(self.variables) { _, new in new }
        all.merge(variables) { _, new in new }
        all["PATH"] = BelayBinary.path[..<slash] + ":" + (all["PATH"] ?? "/usr/bin:/bin")
        let result = try await Subprocess.run(
            .name(String(BelayBinary.path[slash...].dropFirst())),
            arguments: Arguments(arguments),
            environment: .custom(all.reduce(into: [:]) { $0[Environment.Key(rawValue: $1.key)!] = $1.value }),
            input: .array(input),
            output: .string(limit: 1 << 22),
            error: .string(limit: 1 << 22)
        ) { execution in
            try await body(execution.processIdentifier.value)
        }
        let code: Int32 =
            switch result.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        let output = Output(exitCode: code, out: result.standardOutput, error: result.standardError)
        return (output, result.closureResult)
    }

    /// Waits until a task is in a state, at most ten seconds.
    func waitForState(_ state: String, of id: String) async throws {
        for _ in 0..<200 {
            let task = try await self("get", id, "--json")
            if task.exitCode == 0, try task.object()["state"] == state { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("task \(id) did not become \(state) within ten seconds")
    }
}

/// Runs `body` with a fresh folder, which is removed afterwards.
func withTemporaryFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    let folder = "/tmp/belay-cli-" + UUID().uuidString.prefix(8)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}
