import Belay
import BelayTestKit
import Foundation
import Logging
import RedisWire

/// A fresh server with a tracker, and what the server says of its own cost.
struct Bench: Sendable {
    let tracker: Tracker
    let client: RedisClient
    /// Where the server is, for trackers of their own.
    let url: String
    let payload = Bench.body(of: 100)

    static let namespace = "bench"
    static let kind: KindName = "bench"
    static let policy = KindPolicy(lease: .seconds(30), attempts: 5, retry: .fixed(.zero))

    /// JSON of so many bytes; nothing for less than 13.
    static func body(of bytes: Int) -> Body {
        let (head, tail) = (Array("{\"image\":\"".utf8), Array("\"}".utf8))
        guard bytes > head.count + tail.count else { return .empty }
        return Body(bytes: head + [UInt8](repeating: 0x61, count: bytes - head.count - tail.count) + tail)
    }

    /// What the server has spent since it started.
    func serverCost() async throws -> ServerCost {
        ServerCost(info: try await client.send(RedisCommand("INFO", "everything")).string ?? "")
    }

    /// `used_memory` in bytes, without what connections and cached scripts take: they come and go.
    func memory() async throws -> Double {
        let info = try await client.send(RedisCommand("INFO", "memory")).string ?? ""
        var bytes = 0.0
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":")
            switch parts[0] {
            case "used_memory": bytes += Double(parts[1]) ?? 0
            case "mem_clients_normal", "used_memory_scripts_eval": bytes -= Double(parts[1]) ?? 0
            default: break
            }
        }
        return bytes
    }

    /// The same a moment later: a table of the server that has just doubled keeps its old half until it has moved.
    func settledMemory() async throws -> Double {
        try await Task.sleep(for: .milliseconds(300))
        return try await memory()
    }

    /// Bytes of a key of the tracker, by its name within the partition.
    func bytes(of key: String) async throws -> Double {
        let full = "{\(Self.namespace):0}:\(key)"
        return Double(try await client.send(RedisCommand("MEMORY", "USAGE", full, "SAMPLES", "0")).int ?? 0)
    }

    /// Bytes of the event stream, which is trimmed by length and so not a cost per task.
    func eventBytes() async throws -> Double { try await bytes(of: "events") }

    func newTasks(_ count: Int) -> [NewTask] {
        [NewTask](repeating: NewTask(Self.kind, payload: payload), count: count)
    }

    /// Enqueues in batches, of 500 unless said otherwise, four in flight.
    func enqueueBulk(_ count: Int, batch: Int = 500) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var left = count
            var inFlight = 0
            while left > 0 || inFlight > 0 {
                if left > 0, inFlight < 4 {
                    let n = min(batch, left)
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

func withBench<T>(
    policy: KindPolicy = Bench.policy,
    executable: String? = nil,
    _ body: (Bench) async throws -> T
) async throws -> T {
    let options = PrivateRedisServer.Options(transport: .loopback, executable: executable)
    return try await withPrivateRedisServer(options) { server in
        let client = RedisClient(configuration: try RedisConfiguration(url: server.url))
        let tracker = try Tracker(url: server.url, namespace: Bench.namespace)
        try await tracker.define(Bench.kind, policy: policy)
        let value = try await body(Bench(tracker: tracker, client: client, url: server.url))
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

/// Seconds that `body` takes.
func time(_ body: () async throws -> Void) async throws -> Double {
    let elapsed = try await ContinuousClock().measure(body).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
}
