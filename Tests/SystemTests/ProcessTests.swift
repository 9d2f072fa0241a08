import Belay
import BelayTestKit
import Foundation
import Logging
import RedisWire
import Testing

/// Real worker processes that are killed, stopped and asked to end.
@Suite("Worker processes", .serialized, .timeLimit(.minutes(3)))
struct ProcessTests {
    private static let kind: KindName = "job"

    /// A worker process that runs a shell command for each task.
    private static func startWorker(_ server: PrivateRedisServer, _ command: String, _ more: [String] = []) throws
        -> Process
    {
        let process = Process()
        process.executableURL = URL(filePath: BelayBinary.path)
        process.arguments = ["work", "--kind", kind.description, "--namespace", "system", "--exec", command] + more
        process.environment = ProcessInfo.processInfo.environment.merging(["REDIS_URL": server.url]) { _, new in new }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func withServer(
        lease: Duration,
        _ body: @Sendable (PrivateRedisServer, Tracker, RedisClient) async throws -> Void
    ) async throws {
        try await withPrivateRedisServer { server in
            let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            try await tracker.define(Self.kind, policy: KindPolicy(lease: lease, attempts: 50, retry: .fixed(.zero)))
            try await body(server, tracker, client)
            await tracker.close()
            await client.close()
        }
    }

    @Test("kill -9 of workers, 20 times: 0 of 150 lost, 0 doubled, every crash on record")
    func killed() async throws {
        try await withServer(lease: .milliseconds(500)) { server, tracker, client in
            let count = 150
            let ids = try await tracker.enqueue((0..<count).map { _ in NewTask(Self.kind) }).map(\.id)
            let command = "sleep 0.05; echo done"
            var workers = try (0..<3).map { _ in try Self.startWorker(server, command, ["--slots", "4"]) }
            let reaper = try Reaper(tracker)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await reaper.run() }
                for round in 0..<20 {
                    try await Task.sleep(for: .milliseconds(100))
                    let victim = workers[round % 3]
                    kill(victim.processIdentifier, SIGKILL)
                    workers[round % 3] = try Self.startWorker(server, command, ["--slots", "4"])
                }
                try await eventually(within: .seconds(60)) { try await tracker.stats().kinds[0].succeeded == count }
                group.cancelAll()
                do { try await group.waitForAll() } catch is CancellationError {}
            }
            for worker in workers { worker.terminate() }
            let counts = try await tracker.stats().kinds[0]
            #expect(counts.total == count && counts.succeeded == count)
            let ended = try await client.events(named: "succeeded", of: tracker)
            #expect(ended.count == count && Set(ended) == Set(ids.map(\.description)))
            let records = try await tracker.get(ids).compactMap { $0 }
            let reaped = try await client.events(named: "reaped", of: tracker).count
            #expect(records.map(\.crashes).reduce(0, +) == reaped)
            #expect(reaped > 0, "no kill hit a worker that held a task")
            #expect(records.allSatisfy { $0.attempts == $0.crashes + 1 && $0.failures == 0 })
        }
    }

    @Test("A worker that was stopped for longer than its lease writes nothing when it goes on")
    func zombie() async throws {
        try await withServer(lease: .milliseconds(400)) { server, tracker, client in
            let id = try await tracker.enqueue([NewTask(Self.kind)])[0].id
            let zombie = try Self.startWorker(server, "sleep 0.2; echo $BELAY_FENCE")
            try await eventually { try await tracker.get(id)?.state == .running }
            kill(zombie.processIdentifier, SIGSTOP)
            try await eventually {
                _ = try await tracker.reap()
                return try await tracker.get(id)?.state == .ready
            }
            guard case .claimed(let claim) = try await tracker.claim(id, lease: .seconds(30)) else {
                Issue.record("the reaped task could not be claimed")
                return
            }
            kill(zombie.processIdentifier, SIGCONT)
            // It has a second lease's time to do harm.
            try await Task.sleep(for: .milliseconds(800))
            #expect(try await tracker.get(id)?.state == .running)
            #expect(try await tracker.complete(claim.handle, result: Body(text: "\(claim.fence)")) == .accepted)
            zombie.terminate()
            let record = try #require(try await tracker.get(id))
            #expect(record.result?.text == "\(claim.fence)")
            #expect(try await tracker.attempts(of: id)?.map(\.outcome) == [.crashed, .succeeded])
            #expect(try await client.events(named: "succeeded", of: tracker) == [id.description])
        }
    }

    @Test("SIGTERM hands a held task back within 200 ms, without an attempt lost")
    func terminated() async throws {
        try await withServer(lease: .seconds(30)) { server, tracker, _ in
            let id = try await tracker.enqueue([NewTask(Self.kind)])[0].id
            var best = Duration.seconds(60)
            for _ in 0..<3 {
                let worker = try Self.startWorker(server, "exec sleep 60", ["--grace", "0s"])
                try await eventually { try await tracker.get(id)?.state == .running }
                try await Task.sleep(for: .milliseconds(100))
                let asked = ContinuousClock.now
                kill(worker.processIdentifier, SIGTERM)
                try await eventually { try await tracker.get(id)?.state == .ready }
                best = min(best, asked.duration(to: .now))
                worker.waitUntilExit()
            }
            // The best of three, because the machine may be busy with other tests.
            #expect(best < .milliseconds(200))
            let record = try #require(try await tracker.get(id))
            #expect(record.attempts == 0 && record.crashes == 0 && record.failures == 0)
            #expect(try await tracker.attempts(of: id)?.map(\.outcome) == [.released, .released, .released])
        }
    }

    @Test("A removal of a kind that is killed between its steps, three times, ends when it is asked for again")
    func removalKilled() async throws {
        try await withServer(lease: .seconds(30)) { server, tracker, client in
            try await tracker.define("other")
            var ids: [TaskID] = []
            for _ in 0..<40 {
                let tasks = (0..<500).map { _ in NewTask(Self.kind, options: EnqueueOptions(tags: ["g"])) }
                ids += try await tracker.enqueue(tasks).map(\.id)
            }
            let held = try await tracker.claim([Self.kind], limit: 100)
            let child = EnqueueOptions(id: "child", after: .after(ids[0], condition: .failed))
            try await tracker.enqueue([NewTask("other", options: child)])
            let belay = CommandLineTool(variables: ["REDIS_URL": server.url, "BELAY_NAMESPACE": "system"])
            let remove = ["kinds", "remove", Self.kind.description, "--force"]

            var left = ids.count
            for _ in 0..<3 {
                let before = left
                let (output, _) = try await belay.run(remove) { process in
                    try await eventually {
                        let kinds = try await tracker.stats().kinds
                        return (kinds.first { $0.kind == Self.kind }?.total ?? 0) < before
                    }
                    kill(process, SIGKILL)
                }
                #expect(output.exitCode == 128 + SIGKILL)
                left = try #require(try await tracker.stats().kinds.first { $0.kind == Self.kind }).total
                #expect(left > 0 && left < before, "it was killed between two steps")
            }
            let output = try await belay.run(remove) { _ in }.output
            #expect(output.exitCode == 0)
            #expect(output.out == "\(Self.kind)  removed with \(left) tasks\n")

            #expect(try await tracker.kinds().map(\.name) == ["other"])
            #expect(try await tracker.stats().kinds.map { [$0.ready, $0.total] } == [[1, 1]])
            let deleted = try await tracker.ids(ofEvents: .deleted)
            #expect(deleted.count == ids.count && Set(deleted) == Set(ids))
            #expect(try await tracker.complete(held[0].handle) == .gone)
            // Of the kind and its tasks no key is left.
            var keys: Set<String> = []
            for key in try await client.send(RedisCommand("KEYS", "*")).elements ?? [] {
                keys.insert(String((key.string ?? "").trimmingPrefix("{system:0}:")))
            }
            keys = keys.filter { !$0.hasPrefix("w") }
            #expect(keys == ["meta", "events", "t:child", "q:5:other", "g:child"])
        }
    }
}
