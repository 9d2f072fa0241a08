import Belay
import BelayTestKit
import Logging
import Synchronization
import Testing

/// When a worker asks its work to stop, and when it stops itself.
@Suite("Limits of running work", .timeLimit(.minutes(2)))
struct WorkerLimitTests {
    private static let kind: KindName = "limited"

    /// A worker beside a task whose kind has a soft limit.
    private func withSoftLimit(
        _ limit: Duration = .milliseconds(300),
        _ handler: @escaping @Sendable (ClaimContext) async throws -> Body,
        _ body: @Sendable (Tracker, TaskID) async throws -> Void
    ) async throws {
        try await withTracker { tracker, _ in
            let policy = KindPolicy(
                lease: .seconds(5),
                attempts: 1,
                timeout: .seconds(60),
                softTimeout: limit
            )
            try await tracker.define(Self.kind, policy: policy)
            let id = try await tracker.enqueue([NewTask(Self.kind)])[0].id
            try await withWorker(tracker, handlers: [Handler(Self.kind, handler)]) {
                try await body(tracker, id)
            }
        }
    }

    // MARK: Soft limit

    @Test("At the soft limit the handler is cancelled, and its attempt counts as failed by it")
    func softLimit() async throws {
        let reason = Mutex<StopReason?>(nil)
        try await withSoftLimit { context in
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                reason.withLock { $0 = context.stopReason }
                throw error
            }
            return .empty
        } _: { tracker, id in
            try await eventually { try await tracker.get(id)?.state == .exhausted }
            let failure = try #require(try await tracker.get(id)?.lastFailure)
            #expect(failure.outcome == .failed)
            #expect(failure.failure?.type == "softTimeout")
            #expect(failure.failure?.message == "stopped at the soft limit")
            #expect(try #require(failure.ended) - failure.began >= .milliseconds(250))
        }
        #expect(reason.withLock { $0 } == .timeLimit)
    }

    @Test("A result after the soft limit counts, and so does a wish to run later")
    func softLimitInTime() async throws {
        try await withSoftLimit { _ in
            try? await Task.sleep(for: .seconds(3600))
            return Body(text: "half")
        } _: { tracker, id in
            try await eventually { try await tracker.get(id)?.state == .succeeded }
            #expect(try await tracker.get(id)?.result?.text == "half")
        }
        try await withSoftLimit { _ in
            try? await Task.sleep(for: .seconds(3600))
            throw Snooze(for: .seconds(3600))
        } _: { tracker, id in
            try await eventually { try await tracker.get(id)?.snoozes == 1 }
            #expect(try await tracker.get(id)?.failures == 0)
        }
    }

    @Test("Another error after the soft limit keeps its words")
    func softLimitError() async throws {
        try await withSoftLimit { _ in
            try? await Task.sleep(for: .seconds(3600))
            throw TaskFailure(type: "disk", message: "could not tidy up")
        } _: { tracker, id in
            try await eventually { try await tracker.get(id)?.state == .exhausted }
            let failure = try await tracker.get(id)?.lastFailure?.failure
            #expect(failure?.type == "softTimeout")
            #expect(failure?.message == "disk: could not tidy up")
        }
    }

    @Test("The soft limit stands still while the task is paused, and begins anew, also when others resume it")
    func softLimitAndPause() async throws {
        let stopped = Mutex<StopReason?>(nil)
        try await withSoftLimit(.seconds(2)) { context in
            try await context.pause("waiting for a person")
            try? await Task.sleep(for: .seconds(3600))
            stopped.withLock { $0 = context.stopReason }
            return .empty
        } _: { tracker, id in
            try await eventually { try await tracker.get(id)?.state == .paused }
            try await Task.sleep(for: .seconds(3))
            #expect(stopped.withLock { $0 } == nil)
            #expect(try await tracker.resume([id]) == [.done(.running)])
            try await eventually { try await tracker.get(id)?.state == .succeeded }
            let record = try #require(try await tracker.get(id))
            #expect(record.attempts == 1)
        }
        #expect(stopped.withLock { $0 } == .timeLimit)
    }

    // MARK: Cancellation

    @Test(
        "A cancelled task's handler is told the signal, also a second and stronger one; the cancellation is on record"
    )
    func signal() async throws {
        let signals = Mutex<[Int?]>([])
        try await withTracker { tracker, _ in
            try await tracker.define(Self.kind, policy: KindPolicy(lease: .seconds(30)))
            let id = try await tracker.enqueue([NewTask(Self.kind)])[0].id
            let handler = Handler(Self.kind) { context in
                try? await Task.sleep(for: .seconds(3600))
                signals.withLock { $0.append(context.stopSignal) }
                while context.stopSignal != 9 { await Task.yield() }
                signals.withLock { $0.append(context.stopSignal) }
                throw CancellationError()
            }
            try await withWorker(tracker, handlers: [handler]) {
                try await eventually { try await tracker.get(id)?.state == .running }
                #expect(try await tracker.cancel([id], reason: "wrong", signal: 15) == [.requested])
                try await eventually { signals.withLock { $0.count == 1 } }
                #expect(try await tracker.cancel([id], reason: "wrong", signal: 9) == [.requested])
                try await eventually { try await tracker.get(id)?.state == .cancelled }
            }
            #expect(signals.withLock { $0 } == [15, 9])
            #expect(try await tracker.get(id)?.cancelReason == "wrong")
        }
    }

    // MARK: Drain

    private func drained(
        rule: Worker.DrainRule,
        tasks: Int,
        _ handler: @escaping @Sendable (ClaimContext) async throws -> Body
    ) async throws -> (didDrain: Bool, counts: TrackerStats.Kind, events: [TrackerEvent.Name]) {
        let result = Mutex<(Bool, TrackerStats.Kind, [TrackerEvent.Name])?>(nil)
        try await withTracker { tracker, _ in
            try await tracker.define(Self.kind, policy: KindPolicy(attempts: 1))
            try await tracker.enqueue((0..<tasks).map { _ in NewTask(Self.kind) })
            var configuration = Worker.Configuration()
            configuration.slots = 1
            configuration.drain = rule
            let worker = try Worker(tracker, configuration: configuration, handlers: [Handler(Self.kind, handler)])
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await worker.run()
                    return true
                }
                group.addTask {
                    try await eventually {
                        let counts = try await tracker.stats().kinds[0]
                        return counts.ready + counts.running == 0
                    }
                    return false
                }
                _ = try await group.next()
                group.cancelAll()
                // A question that was on its way says in its own words that it was cancelled.
                do { try await group.waitForAll() } catch is CancellationError {} catch let error as TrackerError
                    where error.code == .cancelled
                {}
            }
            let stats = try await tracker.stats()
            let events = try await tracker.events(from: .oldest, limit: 500).events.map(\.name)
            result.withLock { $0 = (worker.didDrain, stats.kinds[0], events) }
        }
        let found = try #require(result.withLock { $0 })
        return (found.0, found.1, found.2)
    }

    @Test("A worker whose last attempts all failed stops itself and says so; the other tasks wait for others")
    func drain() async throws {
        let rule = Worker.DrainRule(failures: 4, within: .seconds(60))
        let end = try await drained(rule: rule, tasks: 50) { _ in throw TaskFailure(type: "disk", message: "full") }
        #expect(end.didDrain)
        #expect(end.counts.exhausted == 4)
        #expect(end.counts.ready == 46 && end.counts.running == 0)
        #expect(end.events.contains(.workerDrained))
        #expect(!end.events.contains(.workerOffline))
    }

    @Test("One success in between, or failures that are far apart, do not stop it")
    func noDrain() async throws {
        let number = Mutex(0)
        let mixed = try await drained(rule: Worker.DrainRule(failures: 4, within: .seconds(60)), tasks: 20) { _ in
            let nth = number.withLock { number in
                number += 1
                return number
            }
            if nth.isMultiple(of: 4) { return .empty }
            throw TaskFailure(type: "disk", message: "full")
        }
        #expect(!mixed.didDrain && mixed.counts.succeeded == 5)
        let slow = try await drained(rule: Worker.DrainRule(failures: 2, within: .milliseconds(20)), tasks: 6) { _ in
            try await Task.sleep(for: .milliseconds(60))
            throw TaskFailure(type: "disk", message: "full")
        }
        #expect(!slow.didDrain && slow.counts.exhausted == 6)
    }

    @Test("Refuses a drain rule out of range")
    func badRule() async throws {
        try await withTracker { tracker, _ in
            for rule in [
                Worker.DrainRule(failures: 0, within: .seconds(1)), .init(failures: 10_001, within: .seconds(1)),
                .init(failures: 5, within: .zero), .init(failures: 5, within: .seconds(86_401)),
            ] {
                var configuration = Worker.Configuration()
                configuration.drain = rule
                #expect(throws: TrackerError.self) {
                    try Worker(tracker, configuration: configuration, handlers: [Handler(Self.kind) { _ in .empty }])
                }
            }
        }
    }
}
