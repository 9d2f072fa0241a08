import Belay
import Synchronization

extension Measure {
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
        let (first, second, both) = (cost1 - cost0, cost2 - cost1, cost2 - cost0)
        return [
            Figure(
                name: "enqueue, bulk",
                unit: "tasks/s",
                value: tasks / enqueued,
                goal: ">= 150,000",
                peer: "109,600 (asynq head)",
                limit: "118,000"
            ),
            Figure(
                name: "drain (claim + complete)",
                unit: "tasks/s",
                value: tasks / drained,
                goal: "",
                peer: "16,100 (asynq head)"
            ),
            Figure(
                name: "whole lifecycle",
                unit: "tasks/s",
                value: tasks / (enqueued + drained),
                goal: ">= 43,000",
                peer: "14,000 (asynq head), 11,000 with finished kept (asynq)",
                limit: "38,600"
            ),
            Figure(
                name: "Redis CPU per lifecycle, batched",
                unit: "us",
                value: both.cpu / tasks,
                goal: "<= 20",
                peer: "53 (asynq head), 33 (Sidekiq: no lock, no record)",
                limit: "26"
            ),
            Figure(name: "  of it in scripts: enqueue", unit: "us", value: first.scripts / tasks, goal: ""),
            Figure(name: "  of it in scripts: drain", unit: "us", value: second.scripts / tasks, goal: ""),
            Figure(name: "commands in scripts per enqueue, bulk", unit: "", value: first.inner / tasks, goal: ""),
            Figure(name: "commands in scripts per drained task", unit: "", value: second.inner / tasks, goal: ""),
            Figure(name: "calls of scripts per 100 lifecycles", unit: "", value: both.calls / tasks * 100, goal: ""),
            Figure(name: "client CPU per enqueue, bulk", unit: "us", value: (cpu1 - cpu0) / tasks, goal: ""),
            Figure(name: "client CPU per drained task", unit: "us", value: (cpu2 - cpu1) / tasks, goal: ""),
            Figure(
                name: "memory per pending task",
                unit: "bytes",
                value: pending / tasks,
                goal: "<= 420",
                peer: "637 (asynq), 260 (Sidekiq: no record)",
                limit: "378"
            ),
            Figure(name: "memory per finished task", unit: "bytes", value: finished / tasks, goal: "<= 500"),
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
    let done = Counter()
    let worker = try Worker(
        bench.tracker,
        configuration: configuration,
        handlers: [
            Handler(Bench.kind, policy: Bench.policy) { context in
                let result = try await body(context)
                done.add()
                return result
            }
        ]
    )
    return try await time {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            // The server is asked only when all handlers have returned: the questions are not part of the work.
            while done.value < tasks { try await Task.sleep(for: .milliseconds(1)) }
            while try await bench.tracker.stats().kinds[0].succeeded < tasks {
                try await Task.sleep(for: .milliseconds(1))
            }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
    }
}

/// Counts across tasks.
private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
