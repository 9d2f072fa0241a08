import Belay
import BelayTestKit
import RedisWire
import Synchronization
import Testing

/// What holds of a cluster whose slots move and whose nodes fail while workers work: nothing is lost, nothing done twice.
extension ClusterTests {
    /// Three workers, each with a client of its own, run what four callers enqueue while `hurt` does its worst. Every task
    /// must succeed, and only one completion of each may have been accepted.
    /// - Parameter runs: How often a handler may have run one task.
    func load(
        _ cluster: PrivateRedisCluster,
        _ namespace: String,
        runs allowed: ClosedRange<Int>,
        atLeast least: Int,
        hurt: @Sendable (Tracker) async throws -> Void
    ) async throws {
        let runs = Mutex<[TaskID: Int]>([:])
        let handler = Handler(kind) { context in
            runs.withLock { $0[context.claim.id, default: 0] += 1 }
            return Body(text: context.claim.id.description)
        }
        try await cluster.withTracker(namespace, partitions: count) { tracker in
            try await tracker.define(kind, policy: KindPolicy(lease: .seconds(30), attempts: 5))
            let progress = Progress()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try await cluster.withTracker(namespace, partitions: count) { own in
                            var configuration = Worker.Configuration()
                            configuration.slots = 16
                            let worker = try Worker(own, configuration: configuration, handlers: [handler])
                            try await worker.run()
                        }
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { callers in
                    for caller in 0..<4 {
                        callers.addTask { try await self.call(tracker, progress, as: caller, atLeast: least) }
                    }
                    try await hurt(tracker)
                    progress.isOver.store(true, ordering: .relaxed)
                    try await callers.waitForAll()
                }
                let total = progress.ids.withLock { $0.count }
                try await eventually(within: .seconds(60)) { try await tracker.stats().kinds[0].succeeded == total }
                group.cancelAll()
                do { try await group.waitForAll() } catch is CancellationError {}
            }
            let ids = progress.ids.withLock(\.self)
            let counts = try await tracker.stats().kinds[0]
            #expect(counts.total == ids.count, "lost or doubled records")
            #expect(counts.succeeded == ids.count)
            let ended = try await tracker.ids(ofEvents: .succeeded)
            #expect(ended.count == ids.count, "doubled completions")
            #expect(Set(ended) == Set(ids))
            let ran = runs.withLock(\.self)
            #expect(Set(ran.keys) == Set(ids))
            #expect(ran.values.allSatisfy(allowed.contains))
            for start in stride(from: 0, to: ids.count, by: 500) {
                let part = ids[start..<min(start + 500, ids.count)]
                for (id, record) in zip(part, try await tracker.get(Array(part))) {
                    #expect(record?.state == .succeeded)
                    #expect(record.map { allowed.contains($0.attempts) } == true, "\(id)")
                    #expect(record?.result?.bytes == Array(id.description.utf8))
                }
            }
            try await expectIntact(cluster, namespace, tasks: ids)
        }
    }

    private final class Progress: Sendable {
        let ids = Mutex<[TaskID]>([])
        let isOver = Atomic(false)
    }

    /// Enqueues tasks by tens, at least until the worst is over.
    private func call(_ tracker: Tracker, _ progress: Progress, as caller: Int, atLeast least: Int) async throws {
        for number in 0... {
            let isEnough = progress.ids.withLock { $0.count } >= least
            if isEnough, progress.isOver.load(ordering: .relaxed) { return }
            let ids = (0..<10).map { TaskID(trusted: "\(caller)-\(number)-\($0)") }
            let outcomes = try await tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0)) })
            #expect(outcomes == ids.map { .created($0) })
            progress.ids.withLock { $0 += ids }
            try await Task.sleep(for: .milliseconds(30))
        }
    }

    /// Every record is in one state's index, which is that of its state, and every entry has a record.
    private func expectIntact(_ cluster: PrivateRedisCluster, _ namespace: String, tasks: [TaskID]) async throws {
        let client = RedisClient(configuration: try RedisConfiguration(url: cluster.url), logger: .silent)
        var found: [String] = []
        for partition in 0..<count {
            let keyspace = Keyspace(namespace: namespace, partition: partition)
            var arguments = RedisArguments()
            for text in [keyspace.header, keyspace.prefix, kind.description] { arguments.append(text) }
            let reply = try await client.evaluate(
                Self.indexes,
                routedBy: keyspace.header,
                keyCount: 1,
                arguments: arguments
            )
            let parts = reply.elements ?? []
            #expect(parts.count == 3)
            let lists = parts.map { ($0.elements ?? []).compactMap(\.string) }
            #expect(lists[0].sorted() == lists[1].sorted(), "records and entries of partition \(partition)")
            #expect(lists[2] == [], "the guard exists in partition \(partition)")
            found += lists[0]
        }
        #expect(Set(found) == Set(tasks.map { "\($0) s" }))
        await client.close()
    }

    /// The records with their states, the entries of all state indexes with theirs, and the guard, should it exist.
    private static let indexes = RedisScript(
        name: "indexes",
        source: """
            local records, entries, others = {}, {}, {}
            for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
              local name = string.sub(key, #ARGV[1] + 1)
              local letter = string.sub(name, 1, 2)
              if letter == 't:' then
                records[#records + 1] = string.sub(name, 3) .. ' ' .. redis.call('HGET', key, 's')
              elseif string.find('q: r: h: p: j: s: x: c: n: ', letter .. ' ', 1, true) then
                for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do
                  entries[#entries + 1] = id .. ' ' .. string.sub(letter, 1, 1)
                end
              elseif name == '!' then others[#others + 1] = name end
            end
            return {records, entries, others}
            """
    )
}
