import Belay
import BelayTestKit
import Logging
import RedisWire
import ServiceLifecycle
import Synchronization
import Testing

/// What operators see of running workers, and how they stop a kind: against a real server, with real workers.
@Suite("Supervision", .timeLimit(.minutes(2)))
struct SupervisionTests {
    private static let kind: KindName = "job"

    /// The events that a reader has seen.
    private final class Seen: Sendable {
        let events = Mutex<[TrackerEvent]>([])

        func follow(_ tracker: Tracker) async throws {
            for try await event in tracker.events(following: .oldest, pollInterval: .milliseconds(5)) {
                events.withLock { $0.append(event) }
            }
        }
    }

    private static func configuration(_ name: String, beatInterval: Duration = .seconds(1)) throws
        -> Worker.Configuration
    {
        var configuration = Worker.Configuration()
        configuration.slots = 2
        configuration.name = try WorkerName(name)
        configuration.beatInterval = beatInterval
        configuration.gracePeriod = .milliseconds(200)
        return configuration
    }

    private static func info(_ name: String, of tracker: Tracker) async throws -> WorkerInfo? {
        try await tracker.workers().first { $0.name == name }
    }

    @Test(
        "A worker is among the workers, alive with its kinds and counts, until a graceful shutdown tells that it left"
    )
    func life() async throws {
        try await withTracker { tracker, client in
            let worker = try Worker(
                tracker,
                configuration: try Self.configuration("one"),
                handlers: [
                    Handler(Self.kind) { context in
                        if context.claim.attempt == 1, context.claim.payload.text == "bad" {
                            throw PermanentFailure("never")
                        }
                        return .empty
                    },
                    Handler("other") { _ in .empty },
                ]
            )
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let group = ServiceGroup(services: [worker], logger: logger)
            try await withThrowingDiscardingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                try await eventually { try await Self.info("one", of: tracker)?.isAlive == true }
                let first = try #require(try await Self.info("one", of: tracker))
                #expect(first.kinds == [Self.kind, "other"])
                #expect(first.slots == 2 && first.active == 0 && first.interval == .seconds(1))
                #expect(first.software == "belay")
                let payloads = ["good", "good", "bad"].map { Body(text: $0) }
                try await tracker.enqueue(payloads.map { NewTask(Self.kind, payload: $0) })
                try await eventually { try await Self.info("one", of: tracker)?.succeeded == 2 }
                try await eventually { try await Self.info("one", of: tracker)?.failed == 1 }
                #expect(try await Self.info("one", of: tracker)?.since == first.since)
                await group.triggerGracefulShutdown()
            }
            let last = try #require(try await Self.info("one", of: tracker))
            #expect(last.isAlive == false && last.active == 0)
            let events = try await tracker.events(from: .oldest).events.filter { $0.worker == "one" && $0.task == nil }
            #expect(events.map(\.name) == [.workerOnline, .workerOffline])
            let id = try await tracker.enqueue([NewTask(Self.kind)])[0].id
            let left = try #require(last.aliveUntil)
            #expect(try await tracker.explain(id)?.reasons == [.noWorker(lastLeft: left)])
        }
    }

    @Test("A worker whose calling task was cancelled tells that it leaves, too")
    func cancelled() async throws {
        try await withTracker { tracker, _ in
            let handlers = [Handler(Self.kind) { _ in .empty }]
            try await withWorker(tracker, configuration: try Self.configuration("one"), handlers: handlers) {
                try await eventually { try await Self.info("one", of: tracker)?.isAlive == true }
            }
            #expect(try await Self.info("one", of: tracker)?.isAlive == false)
        }
    }

    @Test("A worker that cannot reach the server falls silent: two intervals after its last beat it is not alive")
    func silent() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            let worker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            let handlers = [Handler(Self.kind) { _ in .empty }]
            try await withThrowingTaskGroup(of: Void.self) { group in
                let configuration = try Self.configuration("one")
                let one = try Worker(worker, configuration: configuration, handlers: handlers)
                group.addTask { try await one.run() }
                try await eventually { try await Self.info("one", of: tracker)?.isAlive == true }
                // What a kill leaves: no word of leaving, and no connection.
                await worker.close()
                let last = try #require(try await Self.info("one", of: tracker))
                let until = try #require(last.aliveUntil)
                #expect(until - last.seen <= .seconds(2))
                try await eventually(within: .seconds(5)) { try await Self.info("one", of: tracker)?.isAlive == false }
                #expect(try await tracker.stats().now >= until)
                let names = try await tracker.events(from: .oldest).events.map(\.name)
                #expect(!names.contains(.workerOffline))
                group.cancelAll()
                do { try await group.waitForAll() } catch {}
            }
            await tracker.close()
        }
    }

    @Test("A paused kind stops a running worker from taking more; it goes on within a second of the pause's end")
    func pausedKind() async throws {
        try await withTracker { tracker, _ in
            let runs = Mutex(0)
            let gate = Mutex(false)
            let handlers = [
                Handler(Self.kind) { _ in
                    runs.withLock { $0 += 1 }
                    while !gate.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
                    return .empty
                }
            ]
            var configuration = try Self.configuration("one")
            // So that it is the wake-up that counts, not the next look.
            configuration.pollInterval = .seconds(30)
            try await withWorker(tracker, configuration: configuration, handlers: handlers) {
                try await eventually { try await Self.info("one", of: tracker)?.isAlive == true }
                try await tracker.enqueue((0..<6).map { _ in NewTask(Self.kind) })
                try await eventually { runs.withLock { $0 } == 2 }
                try await tracker.pauseKind(Self.kind, message: "maintenance")
                gate.withLock { $0 = true }
                try await eventually { try await tracker.stats().kinds[0].succeeded == 2 }
                try await Task.sleep(for: .milliseconds(300))
                #expect(runs.withLock { $0 } == 2, "what runs goes on, and nothing more is taken")
                let resumed = ContinuousClock.now
                try await tracker.resumeKind(Self.kind)
                try await eventually { try await tracker.stats().kinds[0].succeeded == 6 }
                #expect(resumed.duration(to: .now) < .seconds(1))
            }
        }
    }

    @Test(
        "Who follows the events misses none and sees none twice while the server is killed and restarted with its AOF"
    )
    func eventsOverRestart() async throws {
        var options = PrivateRedisServer.Options()
        options.appendOnly = .always
        try await withPrivateRedisServer(options) { server in
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            let reader = try Tracker(url: server.url, namespace: "system", logger: .silent)
            try await tracker.define(Self.kind)
            let rounds = 6
            let seen = Seen()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await seen.follow(reader) }
                var ids: [TaskID] = []
                for round in 1...rounds {
                    for _ in 1...10 {
                        ids += try await tracker.enqueue((0..<5).map { _ in NewTask(Self.kind) }).map(\.id)
                    }
                    guard round.isMultiple(of: 2) else { continue }
                    server.kill9()
                    try await server.restart()
                }
                try await eventually(within: .seconds(20)) { seen.events.withLock { $0.count } >= ids.count + 1 }
                try await Task.sleep(for: .milliseconds(100))
                let events = seen.events.withLock { $0 }
                #expect(events.map(\.name) == [.defined] + ids.map { _ in .enqueued })
                #expect(Set(events.compactMap(\.task)) == Set(ids) && ids.count == rounds * 50)
                group.cancelAll()
                try await group.waitForAll()
            }
            await tracker.close()
            await reader.close()
        }
    }
}
