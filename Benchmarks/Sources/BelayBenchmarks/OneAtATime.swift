import Belay

extension Measure {
    /// Enqueue one, claim one, complete one, each awaited.
    static let oneAtATime = Measure(name: "one at a time") { bench, scale in
        let cost0 = try await bench.serverCost()
        let cpu0 = clientCPU()
        let seconds = try await time {
            for _ in 0..<scale.singles {
                try await bench.tracker.enqueue(bench.newTasks(1), policy: Bench.policy)
                for claim in try await bench.tracker.claim([Bench.kind]) {
                    try await bench.tracker.complete(claim.handle)
                }
            }
        }
        let cpu = clientCPU() - cpu0
        let cost = try await bench.serverCost() - cost0
        let count = Double(scale.singles)
        return [
            Figure(name: "lifecycles, one at a time", unit: "tasks/s", value: count / seconds, goal: ""),
            Figure(
                name: "Redis CPU per lifecycle, one at a time",
                unit: "us",
                value: cost.cpu / count,
                goal: "<= 45",
                peer: "59-68 (asynq)",
                limit: "39-61"
            ),
            Figure(name: "  of it in scripts", unit: "us", value: cost.scripts / count, goal: ""),
            Figure(
                name: "commands in scripts per lifecycle, one at a time",
                unit: "",
                value: cost.inner / count,
                goal: ""
            ),
            Figure(name: "client CPU per lifecycle, one at a time", unit: "us", value: cpu / count, goal: ""),
        ]
    }
}
