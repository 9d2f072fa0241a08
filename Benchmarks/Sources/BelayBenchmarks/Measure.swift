import Belay
import Foundation
import Synchronization

/// One figure with the goal that it is held against.
struct Figure {
    var name: String
    var unit: String
    var value: Double
    var goal: String
}

/// One thing that is measured on a fresh server.
struct Measure: Sendable {
    let name: String
    let run: @Sendable (Bench, Scale) async throws -> [Figure]

    static let all = [single, concurrent, lifecycle, oneAtATime, retry, pickup]

    /// Enqueue, one by one awaited.
    static let single = Measure(name: "enqueue one by one") { bench, scale in
        let seconds = try await time {
            for _ in 0..<scale.singles { try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy) }
        }
        return [
            Figure(
                name: "enqueue, one by one",
                unit: "tasks/s",
                value: Double(scale.singles) / seconds,
                goal: ">= 25,000"
            )
        ]
    }

    /// Enqueue by 64 callers, each one by one.
    static let concurrent = Measure(name: "enqueue 64 callers") { bench, scale in
        let each = max(1, scale.tasks / 64)
        let seconds = try await time {
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<64 {
                    group.addTask {
                        for _ in 0..<each { try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy) }
                    }
                }
            }
        }
        return [Figure(name: "enqueue, 64 callers", unit: "tasks/s", value: Double(64 * each) / seconds, goal: "")]
    }

    /// Bulk enqueue, then a worker with no-op handlers drains; everything on record, finished tasks kept.
    static let lifecycle = Measure(name: "lifecycle") { bench, scale in
        let tasks = Double(scale.tasks)
        let memory0 = try await bench.memory()
        let cost0 = try await bench.serverCost()
        let cpu0 = clientCPU()
        let enqueued = try await time { try await bench.enqueueBulk(scale.tasks) }
        let cost1 = try await bench.serverCost()
        let cpu1 = clientCPU()
        let pending = try await bench.memory() - memory0 - bench.eventBytes()
        let drained = try await drain(bench, tasks: scale.tasks, slots: scale.slots) { _ in .empty }
        let cost2 = try await bench.serverCost()
        let cpu2 = clientCPU()
        let finished = try await bench.memory() - memory0 - bench.eventBytes()
        return [
            Figure(name: "enqueue, bulk", unit: "tasks/s", value: tasks / enqueued, goal: ">= 150,000"),
            Figure(name: "drain (claim + complete)", unit: "tasks/s", value: tasks / drained, goal: ""),
            Figure(name: "whole lifecycle", unit: "tasks/s", value: tasks / (enqueued + drained), goal: ">= 43,000"),
            Figure(
                name: "Redis CPU per lifecycle, batched",
                unit: "us",
                value: (cost2.cpu - cost0.cpu) / tasks,
                goal: "<= 20"
            ),
            Figure(
                name: "  of it in scripts: enqueue",
                unit: "us",
                value: (cost1.scripts - cost0.scripts) / tasks,
                goal: ""
            ),
            Figure(
                name: "  of it in scripts: drain",
                unit: "us",
                value: (cost2.scripts - cost1.scripts) / tasks,
                goal: ""
            ),
            Figure(name: "client CPU per enqueue, bulk", unit: "us", value: (cpu1 - cpu0) / tasks, goal: ""),
            Figure(name: "client CPU per drained task", unit: "us", value: (cpu2 - cpu1) / tasks, goal: ""),
            Figure(name: "memory per pending task", unit: "bytes", value: pending / tasks, goal: "<= 420"),
            Figure(name: "memory per finished task", unit: "bytes", value: finished / tasks, goal: "<= 500"),
        ]
    }

    /// Enqueue one, claim one, complete one, each awaited.
    static let oneAtATime = Measure(name: "one at a time") { bench, scale in
        let cost0 = try await bench.serverCost()
        let seconds = try await time {
            for _ in 0..<scale.singles {
                try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy)
                for claim in try await bench.tracker.claim([Bench.kind]) {
                    try await bench.tracker.complete(claim.handle)
                }
            }
        }
        let cost1 = try await bench.serverCost()
        let count = Double(scale.singles)
        return [
            Figure(name: "lifecycles, one at a time", unit: "tasks/s", value: count / seconds, goal: ""),
            Figure(
                name: "Redis CPU per lifecycle, one at a time",
                unit: "us",
                value: (cost1.cpu - cost0.cpu) / count,
                goal: "<= 45"
            ),
            Figure(name: "  of it in scripts", unit: "us", value: (cost1.scripts - cost0.scripts) / count, goal: ""),
        ]
    }

    /// Every task fails once and is retried at once.
    static let retry = Measure(name: "retry path") { bench, scale in
        let tasks = scale.tasks / 5
        try await bench.enqueueBulk(tasks)
        let seconds = try await drain(bench, tasks: tasks, slots: scale.slots) { context in
            if context.claim.attempt == 1 { throw TaskFailure(type: "once", message: "the first attempt fails") }
            return .empty
        }
        return [
            Figure(
                name: "retry path (fails once, runs again)",
                unit: "tasks/s",
                value: Double(tasks) / seconds,
                goal: ">= 20,000"
            )
        ]
    }

    /// From the call of enqueue to the first line of the handler, an idle worker, one task every 2 to 12 ms.
    static let pickup = Measure(name: "pick-up") { bench, scale in
        let arrivals = Mutex<[TaskID: ContinuousClock.Instant]>([:])
        let worker = try Worker(
            bench.tracker,
            handlers: [
                Handler(Bench.kind) { context in
                    let now = ContinuousClock.now
                    arrivals.withLock { $0[context.claim.id] = now }
                    return .empty
                }
            ]
        )
        var waits: [Double] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            try await Task.sleep(for: .milliseconds(300))
            for _ in 0..<scale.pickups {
                try await Task.sleep(for: .microseconds(Int.random(in: 2000...12_000)))
                let sent = ContinuousClock.now
                let id = try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy)[0].id
                while true {
                    if let arrival = arrivals.withLock({ $0.removeValue(forKey: id) }) {
                        let (seconds, attoseconds) = sent.duration(to: arrival).components
                        waits.append(Double(seconds) * 1000 + Double(attoseconds) / 1e15)
                        break
                    }
                    try await Task.sleep(for: .microseconds(100))
                }
            }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        waits.sort()
        return [
            Figure(name: "pick-up by an idle worker, p50", unit: "ms", value: waits[waits.count / 2], goal: "<= 0.4"),
            Figure(
                name: "pick-up by an idle worker, p99",
                unit: "ms",
                value: waits[waits.count * 99 / 100],
                goal: "<= 1.2"
            ),
        ]
    }
}

/// Seconds until a worker has run all tasks to their end.
func drain(
    _ bench: Bench,
    tasks: Int,
    slots: Int,
    _ body: @escaping @Sendable (ClaimContext) async throws -> Body
) async throws -> Double {
    var configuration = Worker.Configuration()
    configuration.slots = slots
    let worker = try Worker(
        bench.tracker,
        configuration: configuration,
        handlers: [Handler(Bench.kind, policy: Bench.policy, body)]
    )
    return try await time {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            while try await bench.tracker.stats().kinds[0].succeeded < tasks {
                try await Task.sleep(for: .milliseconds(5))
            }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }
}

func time(_ body: () async throws -> Void) async throws -> Double {
    let elapsed = try await ContinuousClock().measure(body).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
}
