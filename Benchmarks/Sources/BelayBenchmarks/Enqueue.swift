import Belay

extension Measure {
    /// Enqueue, one by one awaited: from any thread, and from that of the connection.
    static let single = Measure(name: "enqueue one by one") { bench, scale in
        @Sendable func rate() async throws -> Double {
            let seconds = try await time {
                for _ in 0..<scale.singles { try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy) }
            }
            return Double(scale.singles) / seconds
        }
        let anywhere = try await rate()
        let there = try await withTaskExecutorPreference(bench.tracker.executor) { try await rate() }
        return [
            Figure(
                name: "enqueue, one by one",
                unit: "tasks/s",
                value: anywhere,
                goal: ">= 25,000",
                peer: "22,200 (asynq)",
                limit: "26,600"
            ),
            Figure(
                name: "enqueue, one by one, on the tracker's executor",
                unit: "tasks/s",
                value: there,
                goal: ">= 25,000",
                peer: "22,200 (asynq)",
                limit: "26,600"
            ),
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
        return [
            Figure(
                name: "enqueue, 64 callers",
                unit: "tasks/s",
                value: Double(64 * each) / seconds,
                goal: "",
                peer: "51,100 (asynq)"
            )
        ]
    }
}
