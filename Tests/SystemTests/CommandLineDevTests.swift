import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The private server that `belay` starts by itself, `belay dev`, and the demo on it.
@Suite(.serialized) struct CommandLineDevTests {
    /// A tool without `REDIS_URL`, whose private server ends with the test.
    private func withDefault(_ body: @Sendable (CommandLineTool) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let belay = CommandLineTool(variables: ["BELAY_STATE_DIR": folder])
            do {
                try await body(belay)
            } catch {
                try await belay("dev", "--stop")
                throw error
            }
            try await belay("dev", "--stop")
        }
    }

    @Test func startsAServerOnDemandAndSharesIt() async throws {
        try await withDefault { belay in
            #expect(try await belay("dev", "--status").exitCode == 1)
            #expect(try await belay("kinds", "define", "k").exitCode == 0)
            let status = try await belay("dev", "--status", "--json").object()
            #expect(status["isRunning"] == "1" || status["isRunning"] == "true")
            #expect(try await belay("enqueue", "--kind", "k", "--id", "kept").exitCode == 0)
            #expect(try await belay("dev", "--stop").exitCode == 0)
            #expect(try await belay("dev", "--stop").error.contains("none was running"))
            #expect(try await belay("dev", "--status").out == "not running\n")
            // Started again, with its data.
            #expect(try await belay("get", "kept", "--json").object()["state"] == "ready")
        }
    }

    @Test func startsOneServerForMany() async throws {
        try await withDefault { belay in
            let codes = try await withThrowingTaskGroup(of: Int32.self) { group in
                for number in 1...6 {
                    group.addTask { try await belay("kinds", "define", "k\(number)").exitCode }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes == [0, 0, 0, 0, 0, 0])
            #expect(try await belay("kinds", "--json").lines.count == 6)
        }
    }

    @Test func runsInTheForeground() async throws {
        try await withDefault { belay in
            let (output, _) = try await belay.run(["dev"]) { process in
                try await eventually { try await belay("dev", "--status").exitCode == 0 }
                try await belay("kinds", "define", "k", "--lease", "200ms")
                try await belay("enqueue", "--kind", "k", "--id", "t")
                // Its reaper takes back what a dead worker held.
                _ = try await belay.run(["work", "--kind", "k", "--", "sleep", "60"]) { worker in
                    try await belay.waitForState("running", of: "t")
                    kill(worker, SIGKILL)
                }
                try await belay.waitForState("ready", of: "t")
                kill(process, SIGINT)
            }
            #expect(output.exitCode == 0)
            #expect(output.out.contains("export REDIS_URL='unix://"))
            #expect(output.error.contains(" running "))
            #expect(try await belay("dev", "--status").exitCode == 0)
        }
    }

    @Test func saysWhatToDoWithoutRedis() async throws {
        try await withTemporaryFolder { folder in
            let belay = CommandLineTool(variables: ["BELAY_STATE_DIR": folder, "PATH": "/nonexistent"])
            let missing = try await belay("stats")
            #expect(missing.exitCode == 69)
            #expect(missing.error.contains("redis-server"))
            let wrong = try await belay("stats", variables: ["BELAY_STATE_DIR": "not/absolute"])
            #expect(wrong.exitCode == 73)
        }
    }
}

/// `belay demo`: the main job, on files made for the test.
@Suite(.serialized) struct CommandLineDemoTests {
    private func makeFiles(_ count: Int, in folder: String) throws {
        for number in 1...count {
            let text = String(repeating: "line of file \(number)\n", count: number * 10)
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/file \(number)"))
        }
        try FileManager.default.createDirectory(atPath: folder + "/.git", withIntermediateDirectories: true)
        try Data("skipped".utf8).write(to: URL(filePath: folder + "/.git/skipped"))
        try Data([0xff, 0x0a]).write(to: URL(filePath: folder + "/new\nline\\"))
    }

    @Test func provesThatNothingIsLost() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            try makeFiles(40, in: folder)
            let demo = try await belay("demo", folder, "--json")
            #expect(demo.exitCode == 0, "\(demo.error)")
            let proof = try demo.object()
            #expect(proof["tasks", "succeeded"] == "41")
            #expect(proof["tasks", "exhausted"] == "1")
            #expect(proof["verified"] == "41")
            #expect(proof["lost"] == "0")
            #expect(proof["doubled"] == "0")
            #expect(proof["wrong"] == "0")
            #expect(Int(try #require(proof["held"])) ?? 0 > 0)
            #expect(Double(try #require(proof["recovery"])) ?? 99 < 3)
            #expect(demo.error.contains("SIGKILL to worker process"))
            let namespace = try #require(demo.error.firstMatch(of: /namespace (demo-[a-z0-9]+)/)).1
            #expect(try await belay("kinds", "--json", "--namespace", String(namespace)).lines.isEmpty)
        }
    }

    @Test func showsASummary() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            try makeFiles(1, in: folder)
            let demo = try await belay("demo", folder)
            #expect(demo.exitCode == 0, "\(demo.error)")
            for word in [
                "tasks ", "attempts ", "crash ", "unreadable ", "queue wait ", "run time ", "throughput ", "sha256sum ",
            ] {
                #expect(demo.lines.contains { $0.hasPrefix(word) }, "\(word)")
            }
            #expect(demo.out.contains("Is a directory"))
            #expect(demo.out.contains("0 lost, 0 done twice, 0 wrong"))
        }
    }

    @Test func cleansUpWhenInterrupted() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            try makeFiles(60, in: folder)
            let (output, workers) = try await belay.run(["demo", folder, "--floor", "1s"]) { process in
                try await Task.sleep(for: .seconds(2))
                let workers = children(of: process)
                kill(process, SIGINT)
                return workers
            }
            #expect(output.exitCode == 130)
            #expect(workers.count >= 3)
            for worker in workers { #expect(kill(worker, 0) != 0 || isZombie(worker)) }
            let namespace = try #require(output.error.firstMatch(of: /namespace (demo-[a-z0-9]+)/)).1
            #expect(try await belay("kinds", "--json", "--namespace", String(namespace)).lines.isEmpty)
        }
    }

    private func children(of process: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        return names.flatMap { thread in
            let text = try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
        }
    }
}
