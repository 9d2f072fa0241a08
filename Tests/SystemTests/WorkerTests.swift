import Belay
import BelayTestKit
import Logging
import RedisWire
import ServiceLifecycle
import Synchronization
import Testing

/// Workers in this process against a real server: what they promise while everything is well, and when it is not.
@Suite("Worker", .timeLimit(.minutes(2)))
struct WorkerTests {
    @Test("Runs typed handlers and stores their output, the failure of a permanent error, and snoozes")
    func outcomes() async throws {
        struct Job: Codable, Sendable { var wish: String }
        let kind = TaskKind<Job, String>("typed", policy: KindPolicy(lease: .seconds(5), retry: .fixed(.zero)))
        try await withTracker { tracker, _ in
            let ids = try await tracker.enqueue(
                kind,
                contentsOf: ["echo", "fail once", "permanent", "snooze"].map(Job.init(wish:))
            ).map(\.id)
            let garbled = try await tracker.enqueue([
                NewTask("typed", payload: Body(text: "{", contentType: "application/json"))
            ])
            try await withWorker(
                tracker,
                handlers: [
                    Handler(kind) { job, context in
                        switch (job.wish, context.claim.attempt) {
                        case ("fail once", 1): throw TaskFailure(type: "demo", message: "not yet")
                        case ("permanent", _): throw PermanentFailure("never")
                        case ("snooze", _):
                            if try await tracker.get(context.claim.id)?.snoozes == 0 {
                                throw Snooze(for: .milliseconds(20))
                            }
                            return "woke"
                        default: return "done " + job.wish
                        }
                    }
                ]
            ) {
                try await eventually { try await tracker.stats().kinds[0].succeeded == 3 }
                try await eventually { try await tracker.stats().kinds[0].exhausted == 2 }
            }
            let records = try await tracker.get(ids).compactMap { $0 }
            #expect(records.map(\.state) == [.succeeded, .succeeded, .exhausted, .succeeded])
            #expect(try records[0].result?.decoded(as: String.self) == "done echo")
            #expect(records[1].attempts == 2 && records[1].failures == 0)
            #expect(records[2].lastFailure?.failure?.message == "never")
            #expect(records[3].attempts == 1 && records[3].snoozes == 1)
            let unreadable = try #require(try await tracker.get(garbled[0].id))
            #expect(unreadable.state == .exhausted && unreadable.lastFailure?.failure?.type == "payload")
        }
    }

    @Test("A graceful shutdown stops claiming, waits the grace period, and hands the rest back without an attempt lost")
    func gracefulShutdown() async throws {
        try await withTracker { tracker, _ in
            let kind: KindName = "slow"
            try await tracker.define(kind, policy: KindPolicy(lease: .seconds(30)))
            try await tracker.enqueue((0..<6).map { _ in NewTask(kind) })
            var configuration = Worker.Configuration()
            configuration.slots = 3
            configuration.gracePeriod = .milliseconds(200)
            let quick = Mutex(true)
            let worker = try Worker(
                tracker,
                configuration: configuration,
                handlers: [
                    Handler(kind) { _ in
                        // One ends within the grace period, the others would take an hour.
                        let isQuick = quick.withLock { quick in
                            defer { quick = false }
                            return quick
                        }
                        try await Task.sleep(for: isQuick ? .milliseconds(250) : .seconds(3600))
                        return .empty
                    }
                ]
            )
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let group = ServiceGroup(services: [worker], logger: logger)
            try await withThrowingDiscardingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                try await eventually { try await tracker.stats().kinds[0].running == 3 }
                try await Task.sleep(for: .milliseconds(150))
                await group.triggerGracefulShutdown()
            }
            let counts = try await tracker.stats().kinds[0]
            #expect(counts.running == 0)
            #expect(counts.succeeded == 1)
            #expect(counts.ready == 5)
            let page = try await tracker.find(states: [.ready])
            #expect(page.tasks.allSatisfy { $0.attempts == 0 })
        }
    }

    @Test("A handler that ignores its cancellation loses its task to others; what it still writes is refused")
    func stubbornHandler() async throws {
        try await withTracker { tracker, _ in
            let kind: KindName = "stubborn"
            try await tracker.define(kind, policy: KindPolicy(lease: .seconds(30)))
            let id = try await tracker.enqueue([NewTask(kind)])[0].id
            var configuration = Worker.Configuration()
            configuration.gracePeriod = .milliseconds(10)
            let release = Mutex(false)
            let worker = try Worker(
                tracker,
                configuration: configuration,
                handlers: [
                    Handler(kind) { _ in
                        while !release.withLock({ $0 }) { await Task.yield() }
                        return Body(text: "too late")
                    }
                ]
            )
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let group = ServiceGroup(services: [worker], logger: logger)
            try await withThrowingDiscardingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                try await eventually { try await tracker.stats().kinds[0].running == 1 }
                await group.triggerGracefulShutdown()
                try await eventually { try await tracker.get(id)?.state == .ready }
                release.withLock { $0 = true }
            }
            let record = try #require(try await tracker.get(id))
            #expect(record.state == .ready && record.attempts == 0 && record.result == nil)
        }
    }

    @Test("A cancelled task's handler on a worker is cancelled at once, with the reason")
    func cancelRunning() async throws {
        try await withTracker { tracker, _ in
            let kind: KindName = "long"
            try await tracker.define(kind, policy: KindPolicy(lease: .seconds(30)))
            let id = try await tracker.enqueue([NewTask(kind)])[0].id
            let reason = Mutex<StopReason?>(nil)
            try await withWorker(
                tracker,
                handlers: [
                    Handler(kind) { context in
                        do {
                            try await Task.sleep(for: .seconds(3600))
                        } catch {
                            reason.withLock { $0 = context.stopReason }
                            throw error
                        }
                        return .empty
                    }
                ]
            ) {
                try await eventually { try await tracker.get(id)?.state == .running }
                // The worker may still be about to subscribe to its wake channel; renewal would tell it at the latest.
                try await Task.sleep(for: .milliseconds(100))
                let asked = ContinuousClock.now
                #expect(try await tracker.cancel([id], reason: "not needed") == [.requested])
                try await eventually { try await tracker.get(id)?.state == .cancelled }
                #expect(asked.duration(to: .now) < .seconds(2))
            }
            #expect(reason.withLock { $0 } == .cancelRequested)
            #expect(try await tracker.get(id)?.cancelReason == "not needed")
        }
    }

    @Test("Work whose lock was taken by another is cancelled with lockLost, and its completion is refused")
    func lockLost() async throws {
        try await withTracker { tracker, _ in
            let kind: KindName = "contested"
            try await tracker.define(kind, policy: KindPolicy(lease: .milliseconds(600)))
            let id = try await tracker.enqueue([NewTask(kind)])[0].id
            let reason = Mutex<StopReason?>(nil)
            try await withWorker(
                tracker,
                handlers: [
                    Handler(kind) { context in
                        do {
                            try await Task.sleep(for: .seconds(3600))
                        } catch {
                            reason.withLock { $0 = context.stopReason }
                        }
                        return Body(text: "zombie")
                    }
                ]
            ) {
                try await eventually { try await tracker.get(id)?.state == .running }
                guard case .claimed(let claim) = try await tracker.claim(id, lease: .seconds(30), options: .ignoreLock)
                else {
                    Issue.record("the lock could not be taken over")
                    return
                }
                try await eventually { reason.withLock { $0 } == .lockLost }
                #expect(try await tracker.complete(claim.handle, result: Body(text: "mine")) == .accepted)
            }
            #expect(try await tracker.get(id)?.result?.text == "mine")
            #expect(try await tracker.attempts(of: id)?.map(\.outcome) == [.superseded, .succeeded])
        }
    }

    @Test("Held locks are renewed for as long as the work takes, many in one call")
    func renewal() async throws {
        try await withTracker { tracker, client in
            let kind: KindName = "held"
            try await tracker.define(kind, policy: KindPolicy(lease: .milliseconds(600), attempts: 1))
            try await tracker.enqueue((0..<40).map { _ in NewTask(kind) })
            var configuration = Worker.Configuration()
            configuration.slots = 40
            try await withWorker(
                tracker,
                configuration: configuration,
                handlers: [
                    Handler(kind) { _ in
                        try await Task.sleep(for: .milliseconds(1800))
                        return .empty
                    }
                ]
            ) {
                try await eventually { try await tracker.stats().kinds[0].running == 40 }
                let before = try await client.scriptCalls()
                try await Task.sleep(for: .milliseconds(1200))
                // Two leases long, renewed each third, all 40 in one call: about six calls, and one poll of the claim loop.
                #expect(try await client.scriptCalls() - before <= 14)
                try await eventually { try await tracker.stats().kinds[0].succeeded == 40 }
            }
            #expect(
                try await tracker.find(states: [.succeeded]).tasks.allSatisfy { $0.crashes == 0 && $0.attempts == 1 }
            )
        }
    }
}
