import BelayTestKit
import Foundation
import Subprocess
import Testing

#if canImport(System)
    import System
#else
    import SystemPackage
#endif

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
        let result = try await Subprocess.run(
            configuration(arguments, variables),
            input: .array(input),
            output: .string(limit: 1 << 22),
            error: .string(limit: 1 << 22)
        ) { execution in
            try await body(execution.processIdentifier.value)
        }
        let output = Output(
            exitCode: Self.code(result.terminationStatus),
            out: result.standardOutput,
            error: result.standardError
        )
        return (output, result.closureResult)
    }

    /// The same with stdout in a file, which can be read while the program runs.
    func run<T: Sendable>(
        _ arguments: [String],
        variables: [String: String] = [:],
        outputFile: String,
        _ body: @Sendable (pid_t) async throws -> T
    ) async throws -> (output: Output, value: T) {
        let file = try FileDescriptor.open(outputFile, .writeOnly, options: [.create], permissions: .ownerReadWrite)
        let result = try await Subprocess.run(
            configuration(arguments, variables),
            input: .none,
            output: .fileDescriptor(file, closeAfterSpawningProcess: true),
            error: .string(limit: 1 << 22)
        ) { execution in
            try await body(execution.processIdentifier.value)
        }
        let output = Output(
            exitCode: Self.code(result.terminationStatus),
            out: try String(contentsOfFile: outputFile, encoding: .utf8),
            error: result.standardError
        )
        return (output, result.closureResult)
    }

    private static func code(_ status: TerminationStatus) -> Int32 {
        switch status {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }

    private func configuration(_ arguments: [String], _ variables: [String: String]) -> Configuration {
        let slash = BelayBinary.path.lastIndex(of: "/") ?? BelayBinary.path.startIndex
        var all = ProcessInfo.processInfo.environment.filter { key, _ in
            !key.hasPrefix("BELAY_") && !key.hasPrefix("LOG_") && !["REDIS_URL", "NO_COLOR", "COLUMNS"].contains(key)
        }
        all.merge(self.variables) { _, new in new }
        all.merge(variables) { _, new in new }
        all["PATH"] = BelayBinary.path[..<slash] + ":" + (all["PATH"] ?? "/usr/bin:/bin")
        return Configuration(
            executable: .name(String(BelayBinary.path[slash...].dropFirst())),
            arguments: Arguments(arguments),
            environment: .custom(all.reduce(into: [:]) { $0[Environment.Key(rawValue: $1.key)!] = $1.value })
        )
    }

    /// Runs what is to be refused, in plain words and as JSON: the exit code, one line of error that holds the words.
    func expectRefusal(_ arguments: [String], _ code: Int32, _ words: String) async throws {
        let plain = try await run(arguments) { _ in }.output
        #expect(plain.exitCode == code, "\(plain.error)")
        #expect(plain.error.hasPrefix("belay: "))
        #expect(plain.error.contains(words), "\(plain.error)")
        #expect(plain.error.split(separator: "\n").count == 1)
        let json = try await run(["--json"] + arguments) { _ in }.output
        #expect(json.exitCode == code)
        let object = try JSONSerialization.jsonObject(with: Data(json.error.utf8)) as? [String: [String: String]]
        #expect(object?["error"]?["message"]?.contains(words) == true, "\(json.error)")
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
