import Belay
import BelayTestKit
import Foundation
import RedisWire

/// What each verb costs in a small tracker and in a large one: every verb at 1,000, 100,000 and 1,000,000 tasks, the four of
/// the hot path at 10,000,000 when asked for; then what goes through a million tasks at once, with another client beside it.
///
/// All sizes stand side by side, each on a server of its own, and take turns call by call, so that what else the machine
/// does falls on all of them. A cost is the median of 20 calls of 50 tasks; tasks of one call are neighbours in the order of
/// time, as the pages of a listing and the claims of a worker are.
struct Growth {
    /// The goal: largest to smallest.
    static let goal = 1.3
    static let samples = 20
    /// Small trackers are so small that a few of them share the samples.
    static let small = 5

    private var rows: [(name: String, costs: [(median: Double, longest: Double)?])] = []
    private let sizes: [Int]

    /// Measures, and tells it as tables.
    static func report(quick: Bool, millions: Int) async throws -> String {
        let most = quick ? 20_000 : 1_000_000
        var every = Growth(sizes: quick ? [1000, most] : [1000, 100_000, most])
        try await every.measure(GrowthStep.all)
        var text = every.table()
        if millions > 1 {
            text += "\n\n" + (try await hot(millions: millions))
        }
        return text + "\n\n" + (try await meanwhile(quick: quick))
    }

    /// Only the hot path.
    static func hot(millions: Int) async throws -> String {
        var hot = Growth(sizes: [1000, millions * 1_000_000])
        try await hot.measure(GrowthStep.hot)
        return hot.table()
    }

    /// Only what goes through many tasks, and who waits meanwhile.
    static func meanwhile(quick: Bool) async throws -> String {
        try await Beside.report(tasks: quick ? 20_000 : 1_000_000, leases: quick ? 2000 : 100_000)
    }

    private init(sizes: [Int]) { self.sizes = sizes }

    private mutating func measure(_ steps: [GrowthStep]) async throws {
        try await withSites(sizes.flatMap { size in Array(repeating: size, count: Self.count(size)) }) { sites in
            let groups = sizes.map { size in sites.filter { $0.size == size } }
            for step in steps {
                var costs = [[Double]](repeating: [], count: sizes.count)
                for site in sites { try await step.prepare(site) }
                for sample in 0..<Self.samples {
                    for (place, group) in groups.enumerated() {
                        let each = Self.samples / group.count
                        let site = group[sample / each]
                        try await step.arrange(site, sample % each)
                        let before = try await site.scriptTime()
                        try await step.call(site, sample % each)
                        costs[place].append(try await site.scriptTime() - before)
                    }
                }
                guard let name = step.name else { continue }
                rows.append(
                    (name, costs.map { (median($0) / Double(step.tasks), $0.max() ?? 0) })
                )
                say("growth: \(name)")
            }
        }
    }

    static func count(_ size: Int) -> Int { size < 10_000 ? small : 1 }

    private func table() -> String {
        let heads = sizes.map { "\($0.formatted()) tasks" }
        var lines = [
            "| µs of Redis a task (* a call) | \(heads.joined(separator: " | ")) | growth | longest script, ms |"
        ]
        lines.append("|" + String(repeating: "---|", count: sizes.count + 3))
        for row in rows {
            let costs = row.costs.compactMap(\.self)
            let growth = (costs.last?.median ?? 0) / max(costs.first?.median ?? 0, 0.01)
            let longest = costs.map(\.longest).max() ?? 0
            let cells = costs.map { String(format: "%.1f", $0.median) }.joined(separator: " | ")
            lines.append(
                "| \(row.name) | \(cells) | \(String(format: "%.2f", growth))\(growth > Self.goal ? " (> 1.3)" : "") "
                    + "| \(String(format: "%.1f", longest / 1000)) |"
            )
        }
        return lines.joined(separator: "\n")
    }
}

func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

/// A tracker of so many tasks on a server of its own, and what the steps leave for each other.
final class Site {
    static let batch = 50
    static let tag: TaskTag = "all"

    let size: Int
    let tracker: Tracker
    let client: RedisClient
    let clock: ManualClock
    private let url: String
    /// Calls that one step may make.
    let calls: Int
    /// Ready tasks in the order of time; empty in trackers of more than 2,000,000.
    var ready: [TaskID] = []
    var picked: [[TaskID]] = []
    var held: [[Claim]] = []
    var rest: [Claim] = []
    /// Foreign tasks.
    var heard: [String] = []

    init(size: Int, url: String) throws {
        (self.size, self.url, clock) = (size, url, ManualClock())
        calls = Growth.samples / Growth.count(size)
        tracker = try Self.tracker(url, clock)
        client = RedisClient(configuration: try RedisConfiguration(url: url))
    }

    private static func tracker(_ url: String, _ clock: ManualClock) throws -> Tracker {
        var configuration = try Tracker.Configuration(url: url, namespace: "bench")
        configuration.manualClock = clock
        return try Tracker(configuration: configuration)
    }

    /// The same tracker and server, over connections of their own.
    func another() throws -> (tracker: Tracker, client: RedisClient) {
        (try Self.tracker(url, clock), RedisClient(configuration: try RedisConfiguration(url: url)))
    }

    func scriptTime() async throws -> Double {
        let info = try await client.send(RedisCommand("INFO", "commandstats")).string ?? ""
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_evalsha:") {
            guard let usec = line.firstRange(of: "usec=") else { continue }
            return Double(line[usec.upperBound...].prefix { $0 != "," }) ?? 0
        }
        return 0
    }

    /// Looks up what is not there, in an index of all tasks, until its table has moved: each look-up moves one place of it.
    func endRehash(_ index: String) async throws {
        let nobody = 10_000
        var arguments = RedisArguments(reservingCapacity: nobody * 20)
        arguments.append("{\(Bench.namespace):0}:\(index):\(Bench.kind)")
        for number in 0..<nobody { arguments.append("nobody\(number)") }
        let command = RedisCommand("ZMSCORE", arguments)
        for _ in 0...size / nobody { _ = try await client.send(command) }
    }

    /// Enqueues so many tasks and a few to spare, a millisecond a call.
    func fill() async throws {
        var left = size < 10_000 ? size + 600 : size
        while left > 0 {
            let ids = try await enqueue(min(500, left))
            left -= ids.count
            if size <= 2_000_000 { ready += ids }
        }
    }

    func enqueue(_ count: Int, tag: TaskTag? = nil) async throws -> [TaskID] {
        clock.advance(by: .milliseconds(1))
        let payload = Body(bytes: [UInt8](repeating: 0x61, count: 100))
        let options = EnqueueOptions(tags: tag.map { [$0] } ?? [])
        let tasks = [NewTask](repeating: NewTask(Bench.kind, payload: payload, options: options), count: count)
        return try await tracker.enqueue(tasks).map(\.id)
    }

    /// A batch of neighbours somewhere among the ready tasks; they leave the list when `taking`.
    func neighbours(_ count: Int = Site.batch, taking: Bool = false) -> [TaskID] {
        let start = Int.random(in: 0...(ready.count - count))
        let ids = Array(ready[start..<start + count])
        if taking { ready.removeSubrange(start..<start + count) }
        return ids
    }

    /// As many tasks again as the tracker is to have, all of one tag; `ready` holds them in the order of time, and nothing else
    /// is due.
    func fillTagged() async throws {
        while try await !tracker.claim([Bench.kind], limit: 500).isEmpty {}
        ready = []
        while ready.count < max(size, 1000) { ready += try await enqueue(500, tag: Self.tag) }
    }

    func claim() async throws {
        clock.advance(by: .milliseconds(1))
        held.append(try await tracker.claim([Bench.kind], limit: Self.batch))
    }

    /// Tells of tasks that Celery runs, each heard of once.
    func ingest(_ count: Int, _ word: String = "received") async throws {
        let names = (0..<count).map { _ in UUID().uuidString }
        try await tracker.ingest(
            names.map { name in
                clock.advance(by: .microseconds(1))
                return try CeleryEvent(
                    type: "task-\(word)",
                    uuid: name,
                    hostname: "celery@host",
                    timestamp: clock.now,
                    fields: ["name": "app.add", "args": "(1, 2)"]
                )
            }
        )
        heard += names
    }

    /// Claims all that is due; keeps some batches of neighbours from everywhere in `held`, and the others in `rest`.
    func claimAll() async throws {
        (held, rest) = ([], [])
        var all: [Claim] = []
        while true {
            clock.advance(by: .milliseconds(1))
            let claims = try await tracker.claim([Bench.kind], limit: 500)
            if claims.isEmpty { break }
            if size <= 2_000_000 || all.count < 100_000 { all += claims }
        }
        let parts = 5 * calls
        let width = all.count / parts
        for part in 0..<parts {
            let start = part * width
            held.append(Array(all[start..<start + min(Self.batch, width)]))
            rest += all[min(start + Self.batch, start + width)..<start + width]
        }
        held.shuffle()
    }
}

/// Sites of these sizes, filled, for as long as `body` runs.
func withSites<T>(_ sizes: [Int], _ sites: [Site] = [], _ body: ([Site]) async throws -> T) async throws -> T {
    guard let size = sizes.first else {
        for site in sites {
            try await site.fill()
            say("growth: filled with \(site.size) tasks")
        }
        return try await body(sites)
    }
    return try await withSite(size) { site in try await withSites(Array(sizes.dropFirst()), sites + [site], body) }
}

func withSite<T>(_ size: Int, _ body: (Site) async throws -> T) async throws -> T {
    var options = PrivateRedisServer.Options()
    options.arguments = ["--slowlog-log-slower-than", "1000", "--slowlog-max-len", "20000"]
    return try await withPrivateRedisServer(options) { server in
        let site = try Site(size: size, url: server.url)
        try await site.tracker.define(Bench.kind, policy: Bench.policy)
        let value = try await body(site)
        await site.tracker.close()
        await site.client.close()
        return value
    }
}
