import Belay
import BelayTestKit
import Foundation
import RedisWire
import Testing

/// Hook runners as processes that are killed, stopped and asked to end.
@Suite("Hook runners", .serialized, .timeLimit(.minutes(3)))
struct HookRunnerTests {
    private static let (work, one, two): (KindName, KindName, KindName) = ("work", "one", "two")

    private static func start(_ server: PrivateRedisServer) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: BelayBinary.path)
        process.arguments = ["hooks", "run", "--namespace", "system", "--interval", "10ms", "--slots", "0"]
        process.environment = ProcessInfo.processInfo.environment.merging(["REDIS_URL": server.url]) { _, new in new }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func withHooks(_ body: @Sendable (PrivateRedisServer, Tracker) async throws -> Void) async throws {
        try await withPrivateRedisServer { server in
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            for kind in [Self.work, Self.one, Self.two] { try await tracker.define(kind) }
            let works = HookCondition(kinds: ["work"])
            try await tracker.defineHook(HookRule("one", when: works, action: .enqueue(HookTask(Self.one))))
            try await tracker.defineHook(
                HookRule("two", when: works, action: .enqueue(HookTask(Self.two, payload: #""{{id}}""#)))
            )
            try await body(server, tracker)
            await tracker.close()
        }
    }

    /// Creates tasks and ends them a few at a time.
    private func end(_ range: Range<Int>, _ tracker: Tracker) async throws {
        for begin in stride(from: range.lowerBound, to: range.upperBound, by: 5) {
            let ids = (begin..<begin + 5).map { "t\($0)" }
            try await tracker.enqueue(
                try ids.map { NewTask(Self.work, options: EnqueueOptions(id: try TaskID($0))) }
            )
            let claims = try await tracker.claim([Self.work], limit: 5)
            try await tracker.complete(claims.map { ($0.handle, .empty) }).forEach { #expect($0 == .accepted) }
        }
    }

    private func counts(_ tracker: Tracker) async throws -> [Int] {
        let kinds = try await tracker.stats().kinds
        return [Self.one, Self.two].map { kind in kinds.first { $0.kind == kind }?.total ?? 0 }
    }

    /// The payloads of all tasks of the second hook.
    private func told(_ tracker: Tracker) async throws -> [String] {
        let ids = try await tracker.find(kinds: [Self.two], limit: 500).tasks.map(\.id)
        return try await tracker.get(ids).compactMap { $0?.payload?.text }
    }

    @Test("kill -9 of a runner in the middle of 200 ends: another goes on, each hook's task exists once")
    func killed() async throws {
        try await withHooks { server, tracker in
            // Ends come while runners are killed as soon as they have begun to act.
            async let ends: Void = {
                for begin in stride(from: 0, to: 200, by: 5) {
                    try await end(begin..<begin + 5, tracker)
                    try await Task.sleep(for: .milliseconds(10))
                }
            }()
            var kills = 0
            while kills < 5 {
                let victim = try Self.start(server)
                let before = try await counts(tracker)[1]
                try await eventually(within: .seconds(30)) {
                    let now = try await counts(tracker)[1]
                    return now > before || now == 200
                }
                kill(victim.processIdentifier, SIGKILL)
                victim.waitUntilExit()
                if try await counts(tracker)[1] == 200 { break }
                kills += 1
            }
            #expect(kills > 1, "the runners were too fast to be killed at work")
            try await ends
            let last = try Self.start(server)
            try await eventually(within: .seconds(60)) {
                try await tracker.hooks().position == tracker.events(from: .newest).position
            }
            last.terminate()
            last.waitUntilExit()
            #expect(last.terminationStatus == 0)
            #expect(try await counts(tracker) == [200, 200])
            #expect(try await Set(told(tracker)) == Set((0..<200).map { "\"t\($0)\"" }))
        }
    }

    @Test("three runners at once, one stopped for a while: each hook's task exists once")
    func together() async throws {
        try await withHooks { server, tracker in
            let runners = try (0..<3).map { _ in try Self.start(server) }
            try await eventually(within: .seconds(30)) { try await tracker.hooks().position != nil }
            try await end(0..<50, tracker)
            kill(runners[0].processIdentifier, SIGSTOP)
            try await end(50..<150, tracker)
            kill(runners[0].processIdentifier, SIGCONT)
            try await end(150..<200, tracker)
            try await eventually(within: .seconds(60)) {
                try await tracker.hooks().position == tracker.events(from: .newest).position
            }
            for runner in runners {
                runner.terminate()
                runner.waitUntilExit()
                #expect(runner.terminationStatus == 0)
            }
            #expect(try await counts(tracker) == [200, 200])
        }
    }

    @Test("events that were dropped before a runner came are passed over, and it goes on with the oldest")
    func lost() async throws {
        try await withHooks { server, tracker in
            let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
            try await end(0..<5, tracker)
            let belay = ["hooks", "run", "--once", "--namespace", "system", "--redis", server.url]
            #expect(try await BelayBinary.run(belay).standardOutput == "10 created\n")
            try await end(5..<10, tracker)
            _ = try await client.send(RedisCommand("XTRIM", "{system:0}:events", "MAXLEN", "0"))
            try await end(10..<15, tracker)
            let output = try await BelayBinary.run(belay)
            #expect(output.standardOutput == "10 created\n")
            #expect(output.standardError.contains("events were dropped before hooks could act on them"))
            #expect(try await counts(tracker) == [10, 10])
            await client.close()
        }
    }
}
