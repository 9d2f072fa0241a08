import Belay
import BelayTestKit
import RedisWire

extension Measure {
    /// A tracker of twelve partitions on a cluster of three primaries beside one of one partition on one server: what a
    /// lifecycle costs each server.
    static let cluster = Measure(name: "cluster", rounds: 3, isLong: true) { bench, scale in
        let single = try await lifecycles(of: bench, tasks: scale.tasks / 3, slots: scale.slots, on: [bench.client])
        let alone = try await withPrivateRedisCluster(primaries: 1) { cluster in
            try await run(on: cluster, partitions: 1, tasks: scale.tasks / 3, slots: scale.slots)
        }
        let (three, turns) = try await withPrivateRedisCluster { cluster in
            (
                try await run(on: cluster, partitions: 12, tasks: scale.tasks, slots: scale.slots),
                try await inTurn(on: cluster, tasks: scale.tasks / 3, slots: scale.slots)
            )
        }
        let base = single.costs[0]
        var figures = [
            Figure(name: "one server: lifecycles", unit: "tasks/s", value: single.rate, goal: ""),
            Figure(name: "one server: Redis CPU per lifecycle", unit: "us", value: base.cpu, goal: ""),
            Figure(name: "one server: of it in scripts", unit: "us", value: base.scripts, goal: ""),
            Figure(name: "one server: bytes of network per lifecycle", unit: "bytes", value: base.bytes, goal: ""),
            Figure(name: "one primary: Redis CPU per lifecycle", unit: "us", value: alone.costs[0].cpu, goal: ""),
            Figure(name: "one primary: of it in scripts", unit: "us", value: alone.costs[0].scripts, goal: ""),
            Figure(
                name: "one server: calls of scripts per 100 lifecycles",
                unit: "",
                value: base.calls * 100,
                goal: ""
            ),
            Figure(name: "one server: commands in scripts per lifecycle", unit: "", value: base.inner, goal: ""),
            Figure(name: "three primaries: lifecycles", unit: "tasks/s", value: three.rate, goal: ""),
        ]
        for (node, cost) in three.costs.enumerated() {
            let name = "primary \(node + 1) of 3"
            figures += [
                Figure(name: "\(name): share of the tasks", unit: "%", value: cost.share * 100, goal: "33"),
                Figure(name: "\(name): Redis CPU per lifecycle", unit: "us", value: cost.cpu, goal: ""),
                Figure(name: "\(name): of it in scripts", unit: "us", value: cost.scripts, goal: ""),
                Figure(
                    name: "\(name): calls of scripts per 100 lifecycles",
                    unit: "",
                    value: cost.calls * 100,
                    goal: ""
                ),
                Figure(name: "\(name): commands in scripts per lifecycle", unit: "", value: cost.inner, goal: ""),
                Figure(
                    name: "\(name): scripts to one server's",
                    unit: "%",
                    value: cost.scripts / base.scripts * 100,
                    goal: "90 - 110"
                ),
                Figure(
                    name: "\(name): scripts to one primary's",
                    unit: "%",
                    value: cost.scripts / alone.costs[0].scripts * 100,
                    goal: "90 - 110"
                ),
            ]
        }
        for (node, cost) in turns.enumerated() {
            let name = "primary \(node + 1) of 3, alone at work"
            figures += [
                Figure(name: "\(name): Redis CPU per lifecycle", unit: "us", value: cost.cpu, goal: ""),
                Figure(name: "\(name): of it in scripts", unit: "us", value: cost.scripts, goal: ""),
                Figure(
                    name: "\(name): scripts to one primary's",
                    unit: "%",
                    value: cost.scripts / alone.costs[0].scripts * 100,
                    goal: "90 - 110"
                ),
            ]
        }
        return figures
    }

    /// A tracker of one partition on each primary, one after the other: as many servers are at work as in the base line,
    /// where three at once would share the machine's cores and caches.
    private static func inTurn(
        on cluster: PrivateRedisCluster,
        tasks: Int,
        slots: Int
    ) async throws -> [(cpu: Double, scripts: Double)] {
        var costs: [(cpu: Double, scripts: Double)] = []
        for node in cluster.primaries.indices {
            let result = try await run(on: cluster, partitions: 1, tasks: tasks, slots: slots, only: node)
            costs.append((result.costs[node].cpu, result.costs[node].scripts))
        }
        return costs
    }

    private static func run(
        on cluster: PrivateRedisCluster,
        partitions: Int,
        tasks: Int,
        slots: Int,
        only node: Int? = nil
    ) async throws -> Lifecycles {
        var configuration = try Tracker.Configuration(
            url: cluster.url,
            namespace: try await namespace(cluster, partitions, on: node)
        )
        configuration.partitions = partitions
        let client = RedisClient(configuration: try RedisConfiguration(url: cluster.url))
        let tracker = try Tracker(configuration: configuration)
        try await tracker.define(Bench.kind, policy: Bench.policy)
        let nodes = try cluster.primaries.map { RedisClient(configuration: try RedisConfiguration(url: $0.url)) }
        let bench = Bench(tracker: tracker, client: client, url: cluster.url)
        let result = try await lifecycles(
            of: bench,
            tasks: tasks,
            slots: slots,
            batch: partitions > 1 ? 500 : 100,
            on: nodes
        )
        for client in nodes + [client] { await client.close() }
        await tracker.close()
        return result
    }

    /// A name of a tracker whose partitions lie evenly on the primaries, or all on one.
    private static func namespace(
        _ cluster: PrivateRedisCluster,
        _ partitions: Int,
        on node: Int?
    ) async throws -> String {
        let all = cluster.primaries.indices
        let wanted = all.map { node == nil ? partitions / all.count : $0 == node ? partitions : 0 }
        for number in 0... {
            var counts = Array(repeating: 0, count: cluster.primaries.count)
            for partition in 0..<partitions {
                let slot = try await cluster.slot(ofKey: "{bench\(number):\(partition)}:meta")
                counts[cluster.owner(ofSlot: slot)] += 1
            }
            if counts == wanted { return "bench\(number)" }
        }
        return Bench.namespace
    }

    private struct Lifecycles {
        /// Tasks a second.
        var rate: Double
        /// Per server: its share of the tasks, and microseconds per task of its own.
        var costs: [(share: Double, cpu: Double, scripts: Double, bytes: Double, calls: Double, inner: Double)]
    }

    /// Bulk enqueue, then a worker with no-op handlers drains.
    private static func lifecycles(
        of bench: Bench,
        tasks: Int,
        slots: Int,
        batch: Int = 100,
        on servers: [RedisClient]
    ) async throws -> Lifecycles {
        let before = try await costs(servers)
        let records = try await keys(servers)
        let seconds = try await time {
            // A call of 500 goes to five partitions: a script of 100 in each.
            try await bench.enqueueBulk(tasks, batch: batch)
            _ = try await drain(bench, tasks: tasks, slots: slots) { _ in .empty }
        }
        let after = try await costs(servers)
        // All tasks are kept, each in a record: what a server holds more is what ran there.
        let ran = zip(try await keys(servers), records).map { max(Double($0 - $1), 1) }
        let costs = servers.indices.map { server in
            let cost = after[server] - before[server]
            let each = ran[server]
            return (
                each / Double(tasks), cost.cpu / each, cost.scripts / each, cost.bytes / each, cost.calls / each,
                cost.inner / each
            )
        }
        return Lifecycles(rate: Double(tasks) / seconds, costs: costs)
    }

    private static func costs(_ servers: [RedisClient]) async throws -> [ServerCost] {
        var costs: [ServerCost] = []
        for server in servers {
            costs.append(ServerCost(info: try await server.send(RedisCommand("INFO", "everything")).string ?? ""))
        }
        return costs
    }

    private static func keys(_ servers: [RedisClient]) async throws -> [Int] {
        var keys: [Int] = []
        for server in servers { keys.append(try await server.send(RedisCommand("DBSIZE")).int ?? 0) }
        return keys
    }
}
