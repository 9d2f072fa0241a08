import Belay

extension Measure {
    /// Every task fails once and is retried at once.
    static let retry = Measure(name: "retry path") { bench, scale in
        let tasks = scale.tasks / 5
        try await bench.enqueueBulk(tasks)
        let cost0 = try await bench.serverCost()
        let seconds = try await drain(bench, tasks: tasks, slots: scale.slots) { context in
            if context.claim.attempt == 1 { throw TaskFailure(type: "once", message: "the first attempt fails") }
            return .empty
        }
        let cost = try await bench.serverCost() - cost0
        return [
            Figure(
                name: "retry path (fails once, runs again)",
                unit: "tasks/s",
                value: Double(tasks) / seconds,
                goal: ">= 20,000",
                peer: "6,100 (asynq, 10 ms checks)"
            ),
            Figure(
                name: "Redis CPU of claim, failure, claim, success",
                unit: "us",
                value: cost.cpu / Double(tasks),
                goal: "",
                peer: "139 (asynq, with enqueue)"
            ),
        ]
    }
}
