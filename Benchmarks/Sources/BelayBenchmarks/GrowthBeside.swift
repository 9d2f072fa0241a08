import Belay
import Foundation
import RedisWire
import Synchronization

/// What goes through many tasks, and how long another client waits meanwhile: each 5 ms a PING, and one task enqueued, claimed
/// and completed in three calls.
struct Beside {
    static func report(tasks: Int, leases: Int) async throws -> String {
        var lines = [
            "| meanwhile | tasks | seconds | µs of Redis a task | longest script, ms | scripts over 5 ms "
                + "| others' PING p99, ms | others' call p99, ms |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for (name, count, work) in works(tasks, leases) {
            try await withSite(count) { site in
                lines.append(try await measure(name, count, site, work))
                say("growth: \(name)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private typealias Work = (Site, Int) async throws -> @Sendable () async throws -> Void

    /// What is measured: each prepares a tracker, and answers what is to be measured.
    private static func works(_ tasks: Int, _ leases: Int) -> [(String, Int, Work)] {
        [
            ("nothing", 0, { _, _ in { try await Task.sleep(for: .seconds(3)) } }),
            (
                "reap \(leases) expired leases", leases,
                { site, count in
                    try await fill(site, count)
                    while try await !site.tracker.claim([Bench.kind], limit: 500).isEmpty {}
                    site.clock.advance(by: .seconds(40))
                    return sweep(site)
                }
            ),
            (
                "purge \(tasks) ended tasks", tasks,
                { site, count in
                    try await fill(site, count)
                    while case let claims = try await site.tracker.claim([Bench.kind], limit: 500), !claims.isEmpty {
                        _ = try await site.tracker.complete(claims.map { ($0.handle, .empty) })
                    }
                    var policy = Bench.policy
                    policy.keepSucceeded = .seconds(1)
                    try await site.tracker.define(Bench.kind, policy: policy, replacing: true)
                    site.clock.advance(by: .seconds(1000))
                    return sweep(site)
                }
            ),
            (
                "cancel \(tasks) tasks by tag", tasks,
                { site, count in
                    try await fill(site, count, tag: "all")
                    let tracker = site.tracker
                    return { _ = try await tracker.cancel(tag: "all") }
                }
            ),
            (
                "cancel \(tasks) tasks by id, \(Limits.step) a call", tasks,
                { site, count in
                    let ids = try await fill(site, count)
                    let tracker = site.tracker
                    return {
                        for start in stride(from: 0, to: ids.count, by: Limits.step) {
                            _ = try await tracker.cancel(Array(ids[start..<min(start + Limits.step, ids.count)]))
                        }
                    }
                }
            ),
            (
                "undefine a kind of \(tasks) tasks", tasks,
                { site, count in
                    try await fill(site, count)
                    let tracker = site.tracker
                    return { _ = try await tracker.undefine(Bench.kind, force: true) }
                }
            ),
            (
                "destroy a tracker of \(tasks) tasks", tasks,
                { site, count in
                    try await fill(site, count)
                    let (tracker, client) = try site.another()
                    return {
                        try await tracker.destroy()
                        await tracker.close()
                        await client.close()
                    }
                }
            ),
        ]
    }

    @discardableResult
    private static func fill(_ site: Site, _ count: Int, tag: TaskTag? = nil) async throws -> [TaskID] {
        var ids: [TaskID] = []
        while ids.count < count { ids += try await site.enqueue(min(500, count - ids.count), tag: tag) }
        return ids
    }

    /// What a reaper does, without its pauses.
    private static func sweep(_ site: Site) -> @Sendable () async throws -> Void {
        let tracker = site.tracker
        return {
            while case let step = try await tracker.reap(), step.more {}; while try await tracker.purge().more {}
        }
    }

    private static func measure(_ name: String, _ count: Int, _ site: Site, _ work: Work) async throws -> String {
        let run = try await work(site, count)
        try await site.tracker.define("other", policy: Bench.policy)
        _ = try await site.client.send(RedisCommand("CONFIG", "RESETSTAT"))
        _ = try await site.client.send(RedisCommand("SLOWLOG", "RESET"))
        let other = try OtherClient(site)
        var seconds = 0.0
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await other.run() }
            seconds = try await time(run)
            group.cancelAll()
            try await group.waitForAll()
        }
        await other.close()
        let micros = try await site.scriptTime() / Double(max(1, count))
        let slow = try await slowest(site.client)
        func text(_ value: Double) -> String { String(format: "%.2f", value) }
        return
            "| \(name) | \(count) | \(text(seconds)) | \(count == 0 ? "" : text(micros)) | \(text(slow.longest / 1000)) "
            + "| \(slow.over5) | \(text(other.pings.p99)) | \(text(other.calls.p99)) |"
    }

    /// The longest script, µs, and how many took longer than 5 ms; scripts below 1 ms are not kept by the server.
    private static func slowest(_ client: RedisClient) async throws -> (longest: Double, over5: Int) {
        let reply = try await client.send(RedisCommand("SLOWLOG", "GET", "20000"))
        var times: [Int] = []
        guard case .array(let entries) = reply else { return (0, 0) }
        for case .array(let fields) in entries where fields.count > 3 {
            guard let micros = fields[2].int, case .array(let words) = fields[3] else { continue }
            if words.first?.string?.hasPrefix("EVAL") ?? false { times.append(micros) }
        }
        return (Double(times.max() ?? 0), times.count { $0 > 5000 })
    }
}

/// Waits that a client had, ms.
final class Waits: Sendable {
    private let values = Mutex<[Double]>([])

    func add(_ wait: Duration) {
        let (seconds, attoseconds) = wait.components
        values.withLock { $0.append(Double(seconds) * 1000 + Double(attoseconds) / 1e15) }
    }

    var p99: Double { values.withLock { $0.isEmpty ? 0 : $0.sorted()[$0.count * 99 / 100] } }
}

/// Another client with connections of its own.
final class OtherClient: Sendable {
    let pings = Waits()
    let calls = Waits()
    private let tracker: Tracker
    private let client: RedisClient

    init(_ site: Site) throws {
        (tracker, client) = try site.another()
    }

    /// Works until it is cancelled.
    func run() async throws {
        do {
            while !Task.isCancelled { try await round() }
        } catch {
            guard Task.isCancelled else { throw error }
        }
    }

    private func round() async throws {
        let clock = ContinuousClock()
        pings.add(try await clock.measure { _ = try await client.send(RedisCommand("PING")) })
        var claims: [Claim] = []
        calls.add(try await clock.measure { try await tracker.enqueue([NewTask("other")]) })
        calls.add(try await clock.measure { claims = try await tracker.claim(["other"]) })
        for claim in claims { calls.add(try await clock.measure { try await tracker.complete(claim.handle) }) }
        try await Task.sleep(for: .milliseconds(5))
    }

    func close() async {
        await tracker.close()
        await client.close()
    }
}
