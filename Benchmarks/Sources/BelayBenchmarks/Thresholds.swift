import Belay
import Foundation
import RedisWire

/// What CI holds: figures that do not depend on the machine's speed, kept in a file beside the package.
struct Thresholds: Codable {
    /// The server that they were recorded with; instructions are multiples of a reference, so another one does as well.
    var redis = ""
    /// Commands that the scripts call for each task.
    var commands: [String: Double] = [:]
    /// Instructions of the server for each task, as multiples of one HSET, ZADD and ZREM of the reference script.
    var instructions: [String: Double] = [:]
    /// Bytes of `used_memory` for each task.
    var bytes: [String: Double] = [:]

    /// The share by which a figure may lie above its threshold.
    static let tolerance = (instructions: 0.08, bytes: 0.03)
    /// The commands a task that may come on top: a few scripts of a run keep the time, by one command more.
    static let slack = 0.02

    /// Measures; about half a minute, most of it under callgrind.
    static func measured() async throws -> Thresholds {
        var found = Thresholds()
        try await withBench(policy: policy) { bench in
            let info = try await bench.client.send(RedisCommand("INFO", "server")).string ?? ""
            found.redis =
                info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("redis_version:") }
                .map { String($0.dropFirst("redis_version:".count)) } ?? ""
            try await Phases(bench, tasks: 1000).run { name, tasks, body in
                let before = try await bench.serverCost()
                try await body()
                found.commands[name] = try await (bench.serverCost() - before).inner / Double(tasks)
            }
        }
        found.instructions = try await instructions() ?? [:]
        found.bytes = try await bytes()
        return found
    }

    private static let policy = KindPolicy(lease: .seconds(3600), attempts: 10, retry: .fixed(.zero))

    /// Nil where there is no valgrind.
    private static func instructions() async throws -> [String: Double]? {
        guard let callgrind = try Callgrind() else { return nil }
        defer { callgrind.remove() }
        var phases: [(name: String, tasks: Int)] = []
        try await withBench(policy: policy, executable: callgrind.executable) { bench in
            // Every script once, so that none is compiled while it is counted.
            try await Phases(bench, tasks: 100).run { _, _, body in try await body() }
            try await bench.client.run(reference, ["ref", "ref:a", "ref:b"], ["10"])
            _ = try await bench.client.send(RedisCommand("LASTSAVE"))
            for _ in 0..<200 { try await bench.client.run(reference, ["ref", "ref:a", "ref:b"], ["10"]) }
            phases.append(("reference", 2000))
            _ = try await bench.client.send(RedisCommand("LASTSAVE"))
            try await Phases(bench, tasks: 1000).run { name, tasks, body in
                try await body()
                phases.append((name, tasks))
                _ = try await bench.client.send(RedisCommand("LASTSAVE"))
            }
        }
        let counts = try callgrind.counts().dropFirst()
        guard counts.count == phases.count else {
            throw BenchError("callgrind made \(counts.count) dumps of \(phases.count): was redis-server stripped?")
        }
        let each = zip(phases, counts).map { ($0.name, $1 / Double($0.tasks)) }
        return Dictionary(uniqueKeysWithValues: each.dropFirst().map { ($0, $1 / each[0].1) })
    }

    private static func bytes() async throws -> [String: Double] {
        let tasks = 10_000
        return try await withBench(policy: policy) { bench in
            let empty = try await bench.memory()
            try await bench.enqueue(tasks, batch: 500) { _ in NewTask(Bench.kind, payload: bench.payload) }
            let pending = try await bench.settledMemory() - empty - bench.eventBytes()
            try await bench.complete(bench.claim(tasks, batch: 500), batch: 500)
            let finished = try await bench.settledMemory() - empty - bench.eventBytes()
            return ["pending task": pending / Double(tasks), "finished task": finished / Double(tasks)]
        }
    }
}

/// The verbs of a task's life one after the other, for all tasks, at 100 tasks a call and at one.
private struct Phases {
    let bench: Bench
    let tasks: Int

    init(_ bench: Bench, tasks: Int) { (self.bench, self.tasks) = (bench, tasks) }

    /// Calls `phase` with the name of each, how many tasks it moves, and what to run.
    func run(_ phase: (String, Int, () async throws -> Void) async throws -> Void) async throws {
        for (batch, how) in [(100, "100 a call"), (1, "one a call")] {
            var claims: [Claim] = []
            try await phase("enqueue, \(how)", tasks) {
                try await bench.enqueue(tasks, batch: batch) { _ in NewTask(Bench.kind, payload: bench.payload) }
            }
            try await phase("claim, \(how)", tasks) { claims = try await bench.claim(tasks, batch: batch) }
            try await phase("renew, \(how)", tasks) { try await bench.renew(claims, batch: batch) }
            try await phase("fail and retry, \(how)", tasks) { try await bench.fail(claims, batch: batch) }
            try await phase("claim again, \(how)", tasks) { claims = try await bench.claim(tasks, batch: batch) }
            try await phase("complete, \(how)", tasks) { try await bench.complete(claims, batch: batch) }
        }
        try await phase("claim, nothing due", tasks) {
            for _ in 0..<tasks { _ = try await bench.tracker.claim([Bench.kind]) }
        }
    }
}

extension Thresholds {
    /// What is worse than `recorded`, a line each; and a table of everything.
    func compared(with recorded: Thresholds) -> (table: String, regressions: [String]) {
        var lines = ["| per task | recorded | now | now / recorded |", "|---|---|---|---|"]
        var regressions: [String] = []
        func compare(_ what: String, _ old: [String: Double], _ new: [String: Double], most: (Double) -> Double) {
            for name in Set(old.keys).union(new.keys).sorted() {
                guard let now = new[name] else {
                    regressions.append("\(what), \(name): not measured any more")
                    continue
                }
                guard let before = old[name] else {
                    regressions.append("\(what), \(name): no threshold is recorded")
                    continue
                }
                let ratio = before > 0 ? now / before : now > 0 ? .infinity : 1
                let numbers = [before, now, ratio].map { String(format: "%.3f", $0) }
                lines.append("| \(what), \(name) | \(numbers.joined(separator: " | ")) |")
                if now > most(before) {
                    let limit = String(format: "%.3f", most(before))
                    regressions.append(
                        "\(what), \(name): \(numbers[1]) a task, recorded \(numbers[0]), at most \(limit)"
                    )
                }
            }
        }
        compare("commands", recorded.commands, commands) { $0 + Self.slack }
        if !instructions.isEmpty {
            compare("instructions", recorded.instructions, instructions) { $0 * (1 + Self.tolerance.instructions) }
        }
        compare("bytes", recorded.bytes, bytes) { $0 * (1 + Self.tolerance.bytes) }
        return (lines.joined(separator: "\n"), regressions)
    }

    init(contentsOf file: String) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    }

    func write(to file: String) throws {
        func rounded(_ values: [String: Double]) -> [String: Double] {
            values.mapValues { ($0 * 1000).rounded() / 1000 }
        }
        var copy = self
        (copy.commands, copy.instructions, copy.bytes) = (rounded(commands), rounded(instructions), rounded(bytes))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        var data = try encoder.encode(copy)
        data.append(0x0A)
        try data.write(to: URL(fileURLWithPath: file))
    }
}
