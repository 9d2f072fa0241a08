import Belay
import BelayTestKit
import Foundation
import Logging
import RedisWire

/// How much to measure.
struct Scale: Sendable {
    var tasks: Int
    var singles: Int
    var pickups: Int
    var slots: Int
}

/// A fresh server with a tracker, and what the server says of its own cost.
struct Bench: Sendable {
    let tracker: Tracker
    let client: RedisClient
    let payload = Body(bytes: Array("{\"image\":\"".utf8) + [UInt8](repeating: 0x61, count: 88) + Array("\"}".utf8))

    static let kind: KindName = "bench"
    static let policy = KindPolicy(lease: .seconds(30), attempts: 5, retry: .fixed(.zero))

    /// The server's processor time and its scripts' time, microseconds.
    func serverCost() async throws -> (cpu: Double, scripts: Double) {
        let info = try await client.send(RedisCommand("INFO", "everything")).string ?? ""
        var cpu = 0.0
        var scripts = 0.0
        for line in info.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("used_cpu_sys:") || line.hasPrefix("used_cpu_user:") {
                cpu += (Double(line.split(separator: ":")[1]) ?? 0) * 1_000_000
            } else if line.hasPrefix("cmdstat_eval"), let usec = line.firstRange(of: "usec=") {
                scripts += Double(line[usec.upperBound...].prefix { $0 != "," }) ?? 0
            }
        }
        return (cpu, scripts)
    }

    func memory() async throws -> Double {
        let info = try await client.send(RedisCommand("INFO", "memory")).string ?? ""
        for line in info.split(whereSeparator: \.isNewline) where line.hasPrefix("used_memory:") {
            return Double(line.dropFirst("used_memory:".count)) ?? 0
        }
        return 0
    }

    /// Bytes of the event stream, which is trimmed by length and so not a cost per task.
    func eventBytes() async throws -> Double {
        Double(try await client.send(RedisCommand("MEMORY", "USAGE", "{bench:0}:events", "SAMPLES", "0")).int ?? 0)
    }

    func newTasks(_ count: Int) -> [NewTask] {
        [NewTask](repeating: NewTask(Self.kind, payload: payload), count: count)
    }

    /// Enqueues in batches of 500, four in flight.
    func enqueueBulk(_ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var left = count
            var inFlight = 0
            while left > 0 || inFlight > 0 {
                if left > 0, inFlight < 4 {
                    let n = min(500, left)
                    left -= n
                    inFlight += 1
                    group.addTask { try await tracker.enqueue(newTasks(n), policy: Self.policy) }
                } else {
                    try await group.next()
                    inFlight -= 1
                }
            }
        }
    }
}

func withBench<T>(_ body: (Bench) async throws -> T) async throws -> T {
    var options = PrivateRedisServer.Options()
    options.transport = .loopback
    return try await withPrivateRedisServer(options) { server in
        let client = RedisClient(configuration: try RedisConfiguration(url: server.url))
        let tracker = try Tracker(url: server.url, namespace: "bench")
        try await tracker.define(Bench.kind, policy: Bench.policy)
        let value = try await body(Bench(tracker: tracker, client: client))
        await tracker.close()
        await client.close()
        return value
    }
}

/// This process' processor time, microseconds.
func clientCPU() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func micros(_ t: timeval) -> Double { Double(t.tv_sec) * 1e6 + Double(t.tv_usec) }
    return micros(usage.ru_utime) + micros(usage.ru_stime)
}
