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
                #expect(try await owner.ask("EXISTS", header).int == 1)
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

    @Test("runs no script in a slot that is being moved, and all of them when it has been")
    func guardKey() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let slot = try await cluster.slot(of: 0, in: "guard")
        let source = cluster.owner(ofSlot: slot)
        let target = (source + 1) % 3
        try await cluster.withTracker("guard", partitions: 1) { tracker in
            try await tracker.define(kind)
            let ids: [TaskID] = ["a", "b", "c"]
            let large = Body(text: String(repeating: "x", count: 1000))
            try await tracker.enqueue(ids.map { NewTask(kind, payload: large, options: EnqueueOptions(id: $0)) })
            let held = try #require(try await tracker.claim([kind]).first)
            _ = try await tracker.reap()
            try await cluster.withTracker("guard", partitions: 1, { $0.evaluateTimeout = .milliseconds(300) }) {
                other in
                try await other.open()
                let calls = self.calls(held.handle)
                let prefix = Keyspace(namespace: "guard").prefix
                try await cluster.beginMigration(ofSlot: slot, to: target)
                // Nothing has gone yet; the header has; records too; everything has.
                for isGone: (String) -> Bool in [
                    { _ in false }, { $0 == prefix + "meta" }, { $0.hasPrefix(prefix + "t:") }, { _ in true },
                ] {
                    try await cluster.moveKeys(ofSlot: slot, to: target, where: isGone)
                    let before = try await cluster.scriptsRun()
                    try await expectAllRefused(calls, by: other)
                    #expect(try await cluster.scriptsRun() == before)
                }
                // Who has time to wait does not notice.
                async let waiting = tracker.complete(held.handle)
                try await Task.sleep(for: .milliseconds(200))
                try await cluster.endMigration(ofSlot: slot, to: target)
                #expect(try await waiting == .accepted)
                #expect(try await other.get(ids).map { $0?.state } == [.succeeded, .ready, .ready])
                for (name, call) in calls {
                    await #expect(throws: Never.self, "\(name)") { try await call(other) }
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
                        .ask("CLUSTER", "COUNTKEYSINSLOT", "\(slot)").int ?? 0
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
                        let told = try await replica.ask("INFO", "replication").number(of: "slave_repl_offset")
                        return try await cluster.primaries[0].ask("INFO", "replication")
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
        try await node.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try await cluster.withTracker("unfit", partitions: count) { tracker in
            await #expect {
                try await tracker.open()
            } throws: { error in
                (error as? TrackerError)?.code == .unsuitableServer
            }
        }
        try await node.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        var infos: [Int] = []
        for node in cluster.primaries {
            infos.append(try await node.ask("INFO", "commandstats").number(of: "cmdstat_info:calls"))
        }
        try await cluster.withTracker("unfit", partitions: count) { tracker in
            let kinds = try await tracker.kinds()
            #expect(kinds.isEmpty)
        }
        for (node, before) in zip(cluster.primaries, infos) {
            // One is this test's own question.
            #expect(try await node.ask("INFO", "commandstats").number(of: "cmdstat_info:calls") == before + 2)
        }
    }

    private struct FirstFailure: Error {}

    private typealias Call = @Sendable (Tracker) async throws -> Void

    /// Each script that takes tasks, and those that take none.
    private func calls(_ held: ClaimHandle) -> [(name: String, call: Call)] {
        [
            ("define", { [kind] in try await $0.define(kind, policy: KindPolicy(attempts: 9), replacing: true) }),
            ("enqueue", { [kind] in try await $0.enqueue([NewTask(kind)]) }),
            ("claim", { [kind] in _ = try await $0.claim([kind], limit: 2) }),
            ("acquire", { _ = try await $0.claim("b") }),
            ("renew", { _ = try await $0.renew(held, for: .seconds(9)) }),
            ("progress", { _ = try await $0.progress(held, 0.5) }),
            ("save", { _ = try await $0.save(held, data: Body(text: "d")) }),
            ("log", { _ = try await $0.log(held, "line") }),
            ("complete", { try await $0.complete(held) }),
            ("fail", { try await $0.fail(held, TaskFailure(type: "t", message: "m")) }),
            ("release", { _ = try await $0.release([held]) }),
            ("snooze", { try await $0.snooze(held, for: .seconds(1)) }),
            ("pause", { _ = try await $0.pause(["c"]) }),
            ("resume", { _ = try await $0.resume(["c"]) }),
            ("prioritise", { _ = try await $0.prioritise(["b", "c"], 7) }),
            ("cancel", { _ = try await $0.cancel(["b"]) }),
            ("retry", { _ = try await $0.retry(["b"]) }),
            ("ignore", { _ = try await $0.ignore(["c"]) }),
            ("gate", { [kind] in try await $0.pauseKind(kind) }),
            ("beat", { [kind] in try await $0.beat(kinds: [kind]) }),
            ("reap", { _ = try await $0.reap() }),
            ("purge", { _ = try await $0.purge() }),
            ("get", { _ = try await $0.get("a") }),
            ("attempts", { _ = try await $0.attempts(of: "a") }),
            ("logs", { _ = try await $0.log(of: "a") }),
            ("parents", { _ = try await $0.parents(of: "a") }),
            ("find", { _ = try await $0.find() }),
            ("peek", { [kind] in _ = try await $0.peek([kind]) }),
            ("explain", { _ = try await $0.explain("b") }),
            ("workers", { _ = try await $0.workers() }),
            ("stats", { _ = try await $0.stats() }),
            ("kinds", { _ = try await $0.kinds() }),
            ("stream", { _ = try await $0.events(from: .oldest) }),
            ("delete", { _ = try await $0.delete(["b", "c"], force: true) }),
            ("undefine", { [kind] in _ = try await $0.undefine(kind, force: true) }),
        ]
    }

    /// Makes all calls at the same time: each must say that it may be made again.
    private func expectAllRefused(_ calls: [(name: String, call: Call)], by tracker: Tracker) async throws {
        await withTaskGroup { group in
            for (name, call) in calls {
                group.addTask {
                    await #expect("\(name)") {
                        try await call(tracker)
                    } throws: { error in
                        guard let error = error as? TrackerError else { return false }
                        // The last try may find that its time is over before the answer comes. That nothing ran is told by
                        // the counts of the nodes.
                        let isRefused = error.outcome == .nothing && error.message.contains("TRYAGAIN")
                        let isLate = error.code == .timedOut || error.code == .unavailable
                        return error.isRetriable && (isRefused || isLate)
                    }
                }
            }
        }
    }
}
