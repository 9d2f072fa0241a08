import Belay
import BelayTestKit
import Foundation
import Logging
import RedisWire
import ServiceLifecycle
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Counts what child tasks do.
private final class Counter: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }
    func count() { number.withLock { $0 += 1 } }
}

/// Tasks that are enqueued beside the work that makes them.
@Suite("Buffered writer", .timeLimit(.minutes(2)))
struct BufferedWriterTests {
    private static let kind: KindName = "buffered"

    private func withServer(
        _ options: PrivateRedisServer.Options = PrivateRedisServer.Options(),
        _ body: @Sendable (PrivateRedisServer, Tracker, RedisClient) async throws -> Void
    ) async throws {
        try await withPrivateRedisServer(options) { server in
            let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            try await tracker.define(Self.kind)
            try await body(server, tracker, client)
            await tracker.close()
            await client.close()
        }
    }

    private static func task(_ number: Int) -> NewTask { NewTask(kind, payload: Body(text: "\(number)")) }

    @Test("Writes what was put in when it is flushed, in that order, many in one call")
    func flush() async throws {
        try await withServer { _, tracker, client in
            var configuration = BufferedWriter.Configuration()
            configuration.flushInterval = .seconds(60)
            let before = try await client.scriptCalls()
            try await tracker.withBufferedWriter(configuration: configuration) { writer in
                var ids: [TaskID] = []
                for number in 0..<1200 { ids.append(try await writer.enqueue(Self.task(number))) }
                try await writer.flush()
                #expect(writer.pending == 0)
                #expect(try await client.scriptCalls() - before == 3)
                var claimed: [TaskID] = []
                while true {
                    let claims = try await tracker.claim([Self.kind], limit: 500)
                    if claims.isEmpty { break }
                    claimed += claims.map(\.id)
                }
                #expect(claimed == ids)
            }
        }
    }

    @Test("Writes by itself after the flush interval, and what is left when it is closed; then it refuses")
    func intervalAndClose() async throws {
        try await withServer { _, tracker, _ in
            let writer = try BufferedWriter(tracker)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await writer.run() }
                let first = try await writer.enqueue(Self.task(1))
                try await eventually { try await tracker.get(first)?.state == .ready }
                let second = try await writer.enqueue(Self.task(2))
                try await writer.close()
                #expect(try await tracker.get(second)?.payload?.text == "2")
                await #expect { try await writer.enqueue(Self.task(3)) } throws: {
                    ($0 as? TrackerError)?.code == .closed
                }
                try await group.waitForAll()
            }
            await #expect { try await writer.run() } throws: { ($0 as? TrackerError)?.code == .invalidArgument }
            try await writer.close()
        }
    }

    @Test("Makes whoever puts in more than it holds wait, until there is room or the wait is cancelled")
    func backPressure() async throws {
        try await withServer { server, tracker, _ in
            var configuration = BufferedWriter.Configuration()
            configuration.capacity = 10
            try await tracker.withBufferedWriter(configuration: configuration) { writer in
                // The first call needs the server; it is away from then on.
                try await writer.enqueue(Self.task(0))
                try await writer.flush()
                server.pause()
                defer { server.resume() }
                let accepted = Counter()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for number in 1...25 {
                            try await writer.enqueue(Self.task(number))
                            accepted.count()
                        }
                    }
                    try await eventually { accepted.value == 10 }
                    #expect(writer.pending == 10)
                    let refused = Counter()
                    await withTaskGroup(of: Void.self) { hurry in
                        hurry.addTask {
                            do throws(TrackerError) {
                                try await writer.enqueue(Self.task(99))
                            } catch {
                                if error.code == .cancelled { refused.count() }
                            }
                        }
                        hurry.cancelAll()
                    }
                    #expect(refused.value == 1)
                    #expect(accepted.value == 10 && writer.pending == 10)
                    server.resume()
                    try await group.waitForAll()
                }
                try await writer.flush()
                let tasks = try await tracker.claim([Self.kind], limit: 100)
                #expect(tasks.map(\.payload.text) == (0...25).map { "\($0)" })
            }
        }
    }

    @Test("Refuses what can never be written at once, and what is out of range in its own configuration")
    func refusesAtOnce() async throws {
        try await withServer { _, tracker, _ in
            let writer = try BufferedWriter(tracker)
            for (task, code) in [
                (NewTask(Self.kind, options: EnqueueOptions(priority: 10)), TrackerError.Code.invalidArgument),
                (NewTask(Self.kind, payload: Body(bytes: [UInt8](repeating: 0, count: 1 << 21))), .tooLarge),
            ] {
                await #expect { try await writer.enqueue(task) } throws: { ($0 as? TrackerError)?.code == code }
            }
            #expect(writer.pending == 0)
            for change: @Sendable (inout BufferedWriter.Configuration) -> Void in [
                { $0.capacity = 0 }, { $0.capacity = 1_000_001 }, { $0.capacityBytes = 0 },
                { $0.flushInterval = .seconds(61) }, { $0.message = "\u{7}" },
            ] {
                var configuration = BufferedWriter.Configuration()
                change(&configuration)
                #expect(throws: TrackerError.self) { try BufferedWriter(tracker, configuration: configuration) }
            }
        }
    }

    @Test("A task that the tracker refuses does not keep the others of its call out; flush tells of it")
    func refusals() async throws {
        try await withServer { _, tracker, _ in
            try await tracker.define("small", policy: KindPolicy(queueLimit: 1))
            try await tracker.withBufferedWriter { writer in
                let mine: TaskID = "mine"
                try await writer.enqueue(
                    NewTask(Self.kind, payload: Body(text: "first"), options: EnqueueOptions(id: mine))
                )
                for number in 0..<7 { try await writer.enqueue(Self.task(number)) }
                let unknown = try await writer.enqueue(NewTask("unknown"))
                try await writer.enqueue(
                    NewTask(Self.kind, payload: Body(text: "again"), options: EnqueueOptions(id: mine))
                )
                try await writer.enqueue(NewTask("small"))
                let full = try await writer.enqueue(NewTask("small"))
                do {
                    try await writer.flush()
                    Issue.record("nothing was told")
                } catch let error as BufferedWriter.Refusals {
                    #expect(error.count == 3)
                    #expect(error.first.map(\.id) == [unknown, mine, full])
                    guard case .failed(_, let failure) = error.first[0] else {
                        Issue.record("\(error.first[0])")
                        return
                    }
                    #expect(failure.code == .unknownKind)
                }
                #expect(try await tracker.get(mine)?.payload?.text == "first")
                #expect(try await tracker.stats().kinds.reduce(0) { $0 + $1.ready } == 9)
                try await writer.flush()
            }
        }
    }

    @Test("Tells the outcome of each task in its order when somebody wants to hear it, and defines kinds of Swift")
    func outcomes() async throws {
        try await withServer { _, tracker, _ in
            let kind = TaskKind<Int, NoOutput>("numbers", policy: KindPolicy(attempts: 7))
            let told = Mutex<[TaskID]>([])
            let ids = try await tracker.withBufferedWriter(onOutcome: { outcome in
                if case .answered(.created(let id)) = outcome { told.withLock { $0.append(id) } }
            }) { writer in
                var ids: [TaskID] = []
                for number in 0..<600 { ids.append(try await writer.enqueue(kind, number)) }
                return ids
            }
            #expect(told.withLock { $0 } == ids)
            #expect(try await tracker.kinds().first { $0.name == "numbers" }?.policy.attempts == 7)
        }
    }

    @Test("redis-server killed and restarted five times: 0 of 5,000 lost, 0 doubled, also with ids of the caller's")
    func serverKilled() async throws {
        var options = PrivateRedisServer.Options()
        options.appendOnly = .always
        try await withServer(options) { server, tracker, client in
            let count = 5000
            let ids = try await tracker.withBufferedWriter { writer in
                var ids: [TaskID] = []
                for number in 0..<count {
                    var task = Self.task(number)
                    if number.isMultiple(of: 3) { task.options.id = try TaskID("own-\(number)") }
                    ids.append(try await writer.enqueue(task))
                    if number % 1000 == 500 {
                        server.kill9()
                        try await server.restart()
                    }
                }
                return ids
            }
            #expect(Set(ids).count == count)
            #expect(try await tracker.stats().kinds[0].ready == count)
            let enqueued = try await client.events(named: "enqueued", of: tracker)
            #expect(enqueued.count == count)
            #expect(Set(enqueued) == Set(ids.map(\.description)))
        }
    }

    @Test("A graceful shutdown writes everything first; a cancelled run tries what is left once")
    func shutdown() async throws {
        try await withServer { _, tracker, _ in
            for isGraceful in [true, false] {
                var configuration = BufferedWriter.Configuration()
                configuration.flushInterval = .seconds(60)
                let writer = try BufferedWriter(tracker, configuration: configuration)
                var logger = Logger(label: "test")
                logger.logLevel = .critical
                let group = ServiceGroup(services: [writer], logger: logger)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await group.run() }
                    for number in 0..<700 { try await writer.enqueue(Self.task(number)) }
                    #expect(writer.pending > 0)
                    if isGraceful { await group.triggerGracefulShutdown() } else { tasks.cancelAll() }
                    do { try await tasks.waitForAll() } catch is CancellationError {}
                }
                #expect(writer.pending == 0)
                #expect(try await tracker.stats().kinds[0].ready == (isGraceful ? 700 : 1400))
            }
        }
    }

    // MARK: Processes

    /// `belay enqueue --lines`, whose stdin stays open.
    private static func startEnqueue(_ server: PrivateRedisServer, _ input: Any, _ output: String) throws -> Process {
        try Data().write(to: URL(filePath: output))
        let process = Process()
        process.executableURL = URL(filePath: BelayBinary.path)
        process.arguments = ["enqueue", "--kind", kind.description, "--namespace", "system", "--lines"]
        process.environment = ProcessInfo.processInfo.environment.merging(["REDIS_URL": server.url]) { _, new in new }
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func told(_ output: String) throws -> [String] {
        try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// Bytes of a pipe that its reader has not taken yet.
    private static func unread(_ pipe: Pipe) -> Int32 {
        var count: Int32 = 0
        _ = ioctl(pipe.fileHandleForReading.fileDescriptor, UInt(FIONREAD), &count)
        return count
    }

    @Test("SIGTERM while the server is away: everything that was read is written once it is back, nothing twice")
    func terminated() async throws {
        try await withServer { server, tracker, _ in
            try await withTemporaryFolder { folder in
                let (input, output) = (Pipe(), folder + "/out")
                let process = try Self.startEnqueue(server, input, output)
                try input.fileHandleForWriting.write(contentsOf: Data("0\n".utf8))
                try await eventually { try Self.told(output).count == 1 }
                server.pause()
                let lines = (1...1500).map { "\($0)\n" }.joined()
                try input.fileHandleForWriting.write(contentsOf: Data(lines.utf8))
                try await eventually { Self.unread(input) == 0 }
                // Time to ask, and to notice that there is no answer.
                try await Task.sleep(for: .milliseconds(300))
                kill(process.processIdentifier, SIGTERM)
                try await Task.sleep(for: .milliseconds(300))
                #expect(process.isRunning)
                server.resume()
                process.waitUntilExit()
                #expect(process.terminationStatus == 143)
                let told = try Self.told(output)
                #expect(told.count == 1501 && Set(told).count == 1501)
                #expect(try await tracker.stats().kinds[0].ready == 1501)
                let claims = try await tracker.claim([Self.kind], limit: 500)
                #expect(claims.map(\.payload.text) == (0..<500).map { "\($0)" })
            }
        }
    }

    @Test("kill -9 loses only tasks whose ids were not told")
    func killed() async throws {
        try await withServer { server, tracker, _ in
            try await withTemporaryFolder { folder in
                let (input, output) = (folder + "/in", folder + "/out")
                try Data((0..<200_000).map { "\($0)\n" }.joined().utf8).write(to: URL(filePath: input))
                let lines = try FileHandle(forReadingFrom: URL(filePath: input))
                let process = try Self.startEnqueue(server, lines, output)
                try await eventually { try Self.told(output).count > 500 }
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                #expect(process.terminationReason == .uncaughtSignal)
                let told = try Self.told(output).filter { $0.utf8.count == 14 }
                var missing = 0
                for start in stride(from: 0, to: told.count, by: 500) {
                    let ids = try told[start..<min(start + 500, told.count)].map { try TaskID($0) }
                    missing += try await tracker.get(ids).count { $0 == nil }
                }
                #expect(missing == 0)
                // What was written but not told yet is at most what one writer holds.
                #expect(try await tracker.stats().kinds[0].ready - told.count <= 10_000)
            }
        }
    }
}
