import Belay

extension Measure {
    /// Enqueue one, claim one, complete one, each awaited: by one caller, for whom the server is woken each time, and by 50 at
    /// once, as the limits of the server and the other systems were measured.
    static let oneAtATime = Measure(name: "one at a time") { bench, scale in
        try await callers(1, bench, scale) + callers(50, bench, scale)
    }

    private static func callers(_ callers: Int, _ bench: Bench, _ scale: Scale) async throws -> [Figure] {
        let cost0 = try await bench.serverCost()
        let cpu0 = clientCPU()
        let each = max(1, scale.singles / callers)
        let seconds = try await time {
            try await withThrowingDiscardingTaskGroup { group in
                for _ in 0..<callers {
                    group.addTask {
                        for _ in 0..<each {
                            try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy)
                            for claim in try await bench.tracker.claim([Bench.kind]) {
                                try await bench.tracker.complete(claim.handle)
                            }
                        }
                    }
                }
            }
        }
        let cpu = clientCPU() - cpu0
        let cost = try await bench.serverCost() - cost0
        let count = Double(each * callers)
        let whose = callers == 1 ? "" : ", \(callers) callers"
        return [
            Figure(name: "lifecycles, one at a time\(whose)", unit: "tasks/s", value: count / seconds, goal: ""),
            Figure(
                name: "Redis CPU per lifecycle, one at a time\(whose)",
                unit: "us",
                value: cost.cpu / count,
                goal: "<= 45",
                peer: "59-68 (asynq)",
                limit: "39-61"
            ),
            Figure(name: "  of it in scripts\(whose)", unit: "us", value: cost.scripts / count, goal: ""),
            Figure(
                name: "commands in scripts per lifecycle, one at a time\(whose)",
                unit: "",
                value: cost.inner / count,
                goal: ""
            ),
            Figure(name: "client CPU per lifecycle, one at a time\(whose)", unit: "us", value: cpu / count, goal: ""),
        ]
    }
}
