import Belay
import Synchronization

extension Measure {
    /// One idle worker.
    static let pickup = waiting(workers: 1)
    /// A hundred.
    static let pickup100 = waiting(workers: 100)
    /// A thousand.
    static let pickup1000 = waiting(workers: 1000, isLong: true)

    /// What the server spends while nobody is connected but this program.
    static let idle = Measure(name: "idle server", rounds: 1) { bench, scale in
        let cost = try await spent(bench, seconds: scale.idleSeconds)
        return [Figure(name: "idle server without workers, CPU", unit: "us/s", value: cost.cpu, goal: "")]
    }

    /// Idle workers, each with a tracker of its own and so with two connections, all in this process: what they cost the
    /// server while nothing happens, and the time from the call of enqueue to the first line of the handler of whichever is
    /// woken, one task every 2 to 12 ms.
    private static func waiting(workers count: Int, isLong: Bool = false) -> Measure {
        Measure(name: "pick-up \(count)", isLong: isLong) { bench, scale in
            let arrivals = Mutex<[TaskID: ContinuousClock.Instant]>([:])
            let handler = Handler(Bench.kind, policy: Bench.policy) { context in
                let now = ContinuousClock.now
                arrivals.withLock { $0[context.claim.id] = now }
                return .empty
            }
            var waits: [Double] = []
            var cost = ServerCost()
            let trackers = try (0..<count).map { _ in try Tracker(url: bench.url, namespace: Bench.namespace) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (place, tracker) in trackers.enumerated() {
                    let worker = try Worker(tracker, handlers: [handler])
                    group.addTask {
                        // Not all at once: their polls and heartbeats shall spread as those of many hosts do.
                        try await Task.sleep(for: .milliseconds(1000 * place / count))
                        try await worker.run()
                    }
                }
                try await Task.sleep(for: .milliseconds(count > 1 ? 3000 : 300))
                cost = try await spent(bench, seconds: scale.idleSeconds)
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
            for tracker in trackers { await tracker.close() }
            waits.sort()
            let whose = count == 1 ? "1 idle worker" : "\(count) idle workers"
            let peer = count == 1 ? ("0.88 (Sidekiq), 1.00 (asynq, 1 ms poll)", "2.1 (Sidekiq)") : ("", "")
            return [
                Figure(
                    name: "pick-up, \(whose), p50",
                    unit: "ms",
                    value: waits[waits.count / 2],
                    goal: "<= 0.4",
                    peer: peer.0,
                    limit: count == 1 ? "two round trips" : ""
                ),
                Figure(
                    name: "pick-up, \(whose), p99",
                    unit: "ms",
                    value: waits[waits.count * 99 / 100],
                    goal: "<= 1.2",
                    peer: peer.1
                ),
                Figure(name: "idle server, \(whose), CPU", unit: "us/s", value: cost.cpu, goal: ""),
                Figure(name: "idle server, \(whose), calls of scripts", unit: "/s", value: cost.calls, goal: ""),
            ]
        }
    }

    /// What the server spends in a second while this program sleeps.
    private static func spent(_ bench: Bench, seconds: Int) async throws -> ServerCost {
        let before = try await bench.serverCost()
        let elapsed = try await time { try await Task.sleep(for: .seconds(seconds)) }
        let cost = try await bench.serverCost() - before
        return ServerCost(
            cpu: cost.cpu / elapsed,
            scripts: cost.scripts / elapsed,
            calls: cost.calls / elapsed,
            inner: cost.inner / elapsed
        )
    }
}
