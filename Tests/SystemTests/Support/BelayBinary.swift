import Foundation
import Subprocess

/// The `belay` program that was built together with these tests.
enum BelayBinary {
    /// What a finished program left.
    struct Output: Sendable {
        let exitCode: Int32
        let standardOutput: String
        let standardError: String
    }

    /// The package's folder.
    static let packageFolder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The program's path. It lies beside the test bundle, whose path is among the arguments of the test process;
    /// `BELAY_BINARY` names another one.
    static let path: String = {
        if let given = ProcessInfo.processInfo.environment["BELAY_BINARY"] { return given }
        let bundles = CommandLine.arguments.compactMap { argument -> URL? in
            guard let end = argument.range(of: ".xctest") else { return nil }
            return URL(filePath: String(argument[..<end.upperBound])).deletingLastPathComponent()
        }
        let folders = bundles + [packageFolder.appending(path: ".build/debug")]
        let candidates = folders.map { $0.appending(path: "belay").path }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
    }()

    /// Runs `belay` to its end and returns what it printed.
    static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Output {
        try await run(path, arguments, environment: environment)
    }

    /// Runs a program, named by path or found on the `PATH`, to its end.
    static func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String] = [:]
    ) async throws -> Output {
        var variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        var name = program
        if let slash = program.lastIndex(of: "/") {
            name = String(program[program.index(after: slash)...])
            variables["PATH"] = program[..<slash] + ":" + (variables["PATH"] ?? "/usr/bin:/bin")
        }
        let result = try await Subprocess.run(
            .name(name),
            arguments: Arguments(arguments),
            environment: .custom(variables.reduce(into: [:]) { $0[Environment.Key(rawValue: $1.key)!] = $1.value }),
            output: .string(limit: 1 << 22),
            error: .string(limit: 1 << 22)
        )
        let exitCode: Int32 =
            switch result.terminationStatus {
            case .exited(let code): code
            case .signaled(let signal): 128 + signal
            }
        return Output(exitCode: exitCode, standardOutput: result.standardOutput, standardError: result.standardError)
    }
}
