import Belay
import BelayTestKit
import RedisWire
import Synchronization
import Testing

/// A tracker whose partitions lie on a Redis Cluster of three primaries.
@Suite("A tracker on a cluster", .serialized, .timeLimit(.minutes(3)))
struct ClusterTests {
    let kind: KindName = "work"
    let count = 12

    @Test("lies on all primaries and works as on one server: tasks, flows, queries and events")
    func lifecycle() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        #expect(Set(try await cluster.owners(of: "life", partitions: count)) == [0, 1, 2])
        try await cluster.withTracker("life", partitions: count) { tracker in
            try await tracker.define(kind, policy: KindPolicy(attempts: 2, retry: .fixed(.zero)))
            let ids = (0..<60).map { Tracker.id("t\($0)", in: $0 / 5, of: count) }
            let outcomes = try await tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0)) })
            #expect(outcomes == ids.map { .created($0) })
            for partition in 0..<count {
                let header = Keyspace(namespace: "life", partition: partition).header
                let owner = cluster.primaries[cluster.owner(ofSlot: try await cluster.slot(ofKey: header))]
                #expect(try await owner.send("EXISTS", header).int == 1)
            }
            var flow = try Flow("sum")
            let parts = try flow.group((0..<6).map { _ in NewTask(kind) }, as: "parts")
            try flow.add(NewTask(kind), as: "total", after: [parts], when: .success)
            let steps = try await tracker.enqueue(flow).map(\.id)
            #expect(try await tracker.stats().kinds.map { [$0.ready, $0.blocked] } == [[66, 1]])
            #expect(try await tracker.find(states: [.ready], limit: 500).tasks.count == 66)

            let failed = Mutex(Set<TaskID>())
            let handler = Handler(kind) { context in
                // Each task of the first partition fails once.
                let id = context.claim.id
                if ids.prefix(5).contains(id), failed.withLock({ $0.insert(id).inserted }) { throw FirstFailure() }
                return Body(text: id.description)
            }
            try await withWorker(tracker, handlers: [handler]) {
                try await eventually { try await tracker.stats().kinds[0].succeeded == 67 }
            }
            let records = try await tracker.get(ids + steps).compactMap(\.self)
            #expect(records.count == 67)
            #expect(records.allSatisfy { $0.state == .succeeded })
            #expect(records.map { $0.result?.bytes } == (ids + steps).map { Array($0.description.utf8) })
            #expect(records.map(\.attempts) == Array(repeating: 2, count: 5) + Array(repeating: 1, count: 62))
            #expect(try await tracker.kinds().map(\.name) == [kind])
            #expect(Set(try await tracker.ids(ofEvents: .succeeded)) == Set(ids + steps))
            #expect(try await tracker.workers().count == 1)
        }
    }

    @Test("wakes an idle worker in every partition", .timeLimit(.minutes(1)))
    func wakeUp() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        try await cluster.withTracker("wake", partitions: count) { tracker in
            try await tracker.define(kind)
            let (ran, continuation) = AsyncStream<TaskID>.makeStream()
            var configuration = Worker.Configuration()
            configuration.pollInterval = .seconds(60)
            configuration.slots = 2
            let handler = Handler(kind) { context in
                continuation.yield(context.claim.id)
                return .empty
            }
            // By its polls alone the worker would need minutes.
            try await withWorker(tracker, configuration: configuration, handlers: [handler]) {
                var started = ran.makeAsyncIterator()
                for number in 0..<count * 2 {
                    let id = Tracker.id("w\(number)", in: number * 5 % count, of: count)
                    try await tracker.enqueue([NewTask(kind, options: EnqueueOptions(id: id))])
                    #expect(await started.next() == id)
                }
            }
        }
    }

    @Test("a partition's slot that moves there and back under load loses and doubles nothing")
    func resharding() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let namespace = "moving"
        let slots = [
            try await cluster.slot(of: 3, in: namespace), try await cluster.slot(of: 8, in: namespace),
        ]
        try await load(cluster, namespace, runs: 1...1, atLeast: 3000) { tracker in
            try await eventually { try await tracker.stats().kinds[0].total > 500 }
            for step in 0..<2 {
                for slot in slots {
                    let target = (cluster.owner(ofSlot: slot) + 1 + step) % 3
                    try await cluster.beginMigration(ofSlot: slot, to: target)
                    try await Task.sleep(for: .milliseconds(100))
                    // Some keys here, the others there, for some time.
                    let all =
                        try await cluster.primaries[cluster.owner(ofSlot: slot)]
                        .send("CLUSTER", "COUNTKEYSINSLOT", "\(slot)").int ?? 0
                    #expect(all > 4)
                    for _ in 0..<3 {
                        #expect(try await cluster.moveKeys(ofSlot: slot, to: target, limit: all / 4) > 0)
                        try await Task.sleep(for: .milliseconds(150))
                    }
                    while try await cluster.moveKeys(ofSlot: slot, to: target) > 0 {}
                    try await cluster.endMigration(ofSlot: slot, to: target)
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
        }
    }

    @Test("goes on in the other partitions when a primary dies, and in its own when a replica has taken its place")
    func failover() async throws {
        try await withPrivateRedisCluster { cluster in
            let owners = try await cluster.owners(of: "fail", partitions: count)
            let standing = owners.indices.filter { owners[$0] != 0 }
            try await cluster.withTracker("fail", partitions: count) { tracker in
                try await tracker.define(kind)
                let replica = try await cluster.addReplica(of: 0)
                let runs = Mutex<[TaskID: Int]>([:])
                let handler = Handler(kind) { context in
                    runs.withLock { $0[context.claim.id, default: 0] += 1 }
                    return .empty
                }
                try await withWorker(tracker, handlers: [handler]) {
                    try await succeed("before", in: Array(owners.indices), tracker)
                    // What the replica has not yet been told would be lost.
                    try await eventually {
                        let told = try await replica.send("INFO", "replication").number(of: "slave_repl_offset")
                        return try await cluster.primaries[0].send("INFO", "replication")
                            .number(of: "master_repl_offset") == told
                    }
                    cluster.primaries[0].kill9()
                    try await succeed("meanwhile", in: standing, tracker)
                    try await succeed("after", in: Array(owners.indices), tracker)
                }
                let total = 10 * (2 * count + standing.count)
                #expect(try await tracker.stats().kinds.map { [$0.succeeded, $0.total] } == [[total, total]])
                #expect(runs.withLock { $0.count } == total)
                #expect(runs.withLock { $0.values.allSatisfy { $0 == 1 } })
            }
        }
    }

    /// Enqueues ten tasks in each of some partitions, and waits until they have succeeded.
    private func succeed(_ name: String, in partitions: [Int], _ tracker: Tracker) async throws {
        var ids: [TaskID] = []
        for partition in partitions {
            ids += (0..<10).map { Tracker.id("\(name)-\(partition)-\($0)", in: partition, of: count) }
        }
        let outcomes = try await tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0)) })
        #expect(outcomes == ids.map { .created($0) })
        let all = ids
        try await eventually(within: .seconds(30)) {
            try await tracker.get(all).allSatisfy { $0?.state == .succeeded }
        }
    }

    @Test("is reached by the program too, with a number of partitions that the first call gives")
    func program() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let belay = CommandLineTool(variables: ["REDIS_URL": cluster.url, "BELAY_NAMESPACE": "program"])
        #expect(try await belay("kinds", "define", "k", "--partitions", "6").exitCode == 0)
        for number in 0..<12 {
            let id = Tracker.id("t\(number)", in: number % 6, of: 6).description
            #expect(try await belay("enqueue", "--kind", "k", "--id", id, "--partitions", "6").out == "\(id)\n")
        }
        #expect(try await belay("enqueue", "--kind", "k", "--partitions", "5").exitCode != 0)
        #expect(try await belay("ls", "--json").lines.count == 12)
        let claim = try await belay("claim", "k", "--json").object()
        let lock = try ["id", "token", "fence"].map { try #require(claim[$0]) }
        let complete = ["complete", lock[0], "--token", lock[1], "--fence", lock[2]]
        #expect(try await belay.run(complete) { _ in }.output.exitCode == 0)
        #expect(try await belay("work", "--kind", "k", "--drain", "--", "true").exitCode == 0)
        #expect(try await belay("stats", "--json").out.contains(#""succeeded":12"#))
    }

    @Test("is refused when one node of many may delete tasks, before anything is written there")
    func unsuitableNode() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let node = cluster.primaries[2]
        #expect(try await cluster.owners(of: "unfit", partitions: count).first != 2)
        try await node.send("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try await cluster.withTracker("unfit", partitions: count) { tracker in
            await #expect {
                try await tracker.open()
            } throws: { error in
                (error as? TrackerError)?.code == .unsuitableServer
            }
        }
        try await node.send("CONFIG", "SET", "maxmemory-policy", "noeviction")
        var infos: [Int] = []
        for node in cluster.primaries {
            infos.append(try await node.send("INFO", "commandstats").number(of: "cmdstat_info:calls"))
        }
        try await cluster.withTracker("unfit", partitions: count) { tracker in
            let kinds = try await tracker.kinds()
            #expect(kinds.isEmpty)
        }
        for (node, before) in zip(cluster.primaries, infos) {
            // One is this test's own question.
            #expect(try await node.send("INFO", "commandstats").number(of: "cmdstat_info:calls") == before + 2)
        }
    }

    private struct FirstFailure: Error {}
}
