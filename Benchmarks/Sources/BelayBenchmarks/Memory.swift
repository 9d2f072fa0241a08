import Belay
import RedisWire

extension Measure {
    /// What a task takes in every state, and what each thing that it may carry adds. One round: it does not move.
    static let memory = Measure(name: "memory", rounds: 1) { _, scale in
        try await MemoryTable(tasks: scale.memoryTasks).figures()
    }
}

/// Bytes of `used_memory` per task, each row on a fresh server; the event stream apart, which is bounded.
private struct MemoryTable {
    let tasks: Int

    func figures() async throws -> [Figure] {
        var rows = try await states()
        rows += try await attempts()
        rows += try await extras()
        rows += try await others()
        return rows
    }

    private func row(_ name: String, _ value: Double, goal: String = "", peer: String = "") -> Figure {
        Figure(name: "memory: \(name)", unit: "bytes", value: value, goal: goal, peer: peer)
    }

    /// Bytes per task of what `body` leaves on the server.
    private func bytes(_ body: (Bench) async throws -> Void) async throws -> Double {
        try await withBench(policy: KindPolicy(lease: .seconds(600), attempts: 20, retry: .fixed(.zero))) { bench in
            let before = try await bench.memory()
            try await body(bench)
            return try await (bench.settledMemory() - before - bench.eventBytes()) / Double(tasks)
        }
    }

    private func task(_ payload: Int = 100, _ options: EnqueueOptions = EnqueueOptions()) -> NewTask {
        NewTask(Bench.kind, payload: Bench.body(of: payload), options: options)
    }

    private func finish(_ bench: Bench, payload: Int = 100, result: Int = 0) async throws {
        try await bench.enqueue(tasks, batch: 500) { _ in task(payload) }
        try await bench.complete(bench.claim(tasks, batch: 500), batch: 500, result: Bench.body(of: result))
    }

    private func states() async throws -> [Figure] {
        var rows: [Figure] = []
        for payload in [0, 64, 100, 256, 1024] {
            let value = try await bytes { try await $0.enqueue(tasks, batch: 500) { _ in task(payload) } }
            let isGoal = payload == 100
            let peer = isGoal ? "637 (asynq), 260 (Sidekiq: no record)" : ""
            rows.append(row("pending, payload of \(payload)", value, goal: isGoal ? "<= 420" : "", peer: peer))
        }
        let running = try await bytes { bench in
            try await bench.enqueue(tasks, batch: 500) { _ in task() }
            _ = try await bench.claim(tasks, batch: 500)
        }
        rows.append(row("running, payload of 100", running))
        for result in [0, 64, 100, 256, 1024] {
            let value = try await bytes { try await finish($0, result: result) }
            let what = "finished, payload of 100, " + (result == 0 ? "no result" : "result of \(result)")
            rows.append(row(what, value, goal: result == 0 ? "<= 500" : ""))
        }
        return rows
    }

    private func attempts() async throws -> [Figure] {
        func failing(_ times: Int, _ failure: TaskFailure = Bench.failure) async throws -> Double {
            try await bytes { bench in
                try await bench.enqueue(tasks, batch: 500) { _ in task() }
                for _ in 0..<times { try await bench.fail(bench.claim(tasks, batch: 500), batch: 500, failure) }
                try await bench.complete(bench.claim(tasks, batch: 500), batch: 500)
            }
        }
        var traced = Bench.failure
        traced.backtrace = (0..<20).map { "frame \($0) at Sources/Tiles/Download.swift:1\($0)" }
        let text = traced.backtrace.reduce(0) { $0 + $1.utf8.count + 1 }
        let (none, one, five) = (try await failing(0), try await failing(1), try await failing(5))
        return [
            row("+ the first failed attempt, error of 60", one - none),
            row("+ each further one, up to 20", (five - one) / 4),
            row("+ a backtrace of \(text), once however often", try await failing(1, traced) - one),
        ]
    }

    private func extras() async throws -> [Figure] {
        func pending(_ options: @escaping (Int) throws -> EnqueueOptions) async throws -> Double {
            try await bytes { try await $0.enqueue(tasks, batch: 500) { i in task(100, try options(i)) } }
        }
        let plain = try await pending { _ in EnqueueOptions() }
        let ids = try (0..<tasks).map { try TaskID(padding($0, 36)) }
        let named = try await pending { EnqueueOptions(id: ids[$0]) }
        let tagged = try await pending { EnqueueOptions(tags: [try TaskTag("flow-" + padding($0 % 100))]) }
        let twice = try await pending {
            EnqueueOptions(tags: [try TaskTag("flow-" + padding($0 % 100)), try TaskTag("user-" + padding($0 % 100))])
        }
        let unique = try await pending { EnqueueOptions(unique: Uniqueness(key: "\($0)")) }
        let delayed = try await pending { _ in EnqueueOptions(delay: .seconds(3600)) }
        let blocked = try await bytes { bench in
            let parents = try await bench.enqueue(tasks, batch: 500) { _ in task() }
            try await bench.enqueue(tasks, batch: 500) { task(100, EnqueueOptions(after: .after(parents[$0]))) }
        }
        let logged = try await bytes { bench in
            for _ in 0..<tasks / 500 {
                try await bench.tracker.enqueue(
                    [NewTask](repeating: task(), count: 500),
                    policy: Bench.policy,
                    message: String(repeating: "m", count: 60)
                )
            }
        }
        return [
            row("+ a delay or an own due time", delayed - plain),
            row("+ an id of your own of 36", named - plain),
            row("+ a tag of 11", tagged - plain),
            row("+ a second tag of 11", twice - tagged),
            row("+ a parent", blocked - 2 * plain),
            row("+ unique content", unique - plain),
            row("+ the first log line of 60", logged - plain),
        ]
    }

    /// What is not counted by task: index entries by themselves, events, workers.
    private func others() async throws -> [Figure] {
        let count = min(tasks, 2000)
        let single = try await withBench { bench in
            try await bench.enqueue(count, batch: 1) { _ in task() }
            return try await bench.eventBytes() / Double(count)
        }
        let (entry, event) = try await withBench { bench in
            try await bench.enqueue(tasks, batch: 100) { _ in task() }
            let key = "q:5:\(Bench.kind)"
            return try await (bench.bytes(of: key) / Double(tasks), bench.eventBytes() / Double(tasks))
        }
        let worker = try await withBench { bench in
            try await bench.enqueue(1, batch: 1) { _ in task() }
            _ = try await bench.tracker.claim([Bench.kind])
            let before = try await bench.memory()
            for i in 0..<count {
                _ = try await bench.tracker.enqueue([task()], policy: Bench.policy)
                _ = try await bench.tracker.claim([Bench.kind], as: WorkerName("host-\(i):1234:01234567"))
            }
            return try await bench.settledMemory() - before - bench.eventBytes()
        }
        let running = try await bytes { bench in
            try await bench.enqueue(tasks, batch: 500) { _ in task() }
            _ = try await bench.claim(tasks, batch: 500)
        }
        return [
            row("of it one entry of an index", entry),
            row("an event of one task, at most about 10,000", single),
            row("an event of 100 tasks, for each task", event),
            row("a worker that ever claimed", worker / Double(count) - running),
        ]
    }

    /// A number of so many digits.
    private func padding(_ number: Int, _ length: Int = 6) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, length - digits.count)) + digits
    }
}
