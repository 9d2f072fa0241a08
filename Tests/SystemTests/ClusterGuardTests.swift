import BelayTestKit
import Foundation
import RedisWire
import Testing

@testable import Belay

/// What a Redis Cluster refuses while it moves a slot: a script that would find only some of its keys. The guard key, which no
/// call finds, makes that all scripts, before they begin.
extension ClusterTests {
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
                let calls = self.calls(held.handle, cluster)
                #expect(try Self.scripts() == calls.map(\.name).sorted())
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

    private typealias Call = @Sendable (Tracker) async throws -> Void

    /// The names of all scripts.
    private static func scripts() throws -> [String] {
        try ["transitions", "queries"].flatMap { folder in
            let path = BelayBinary.packageFolder.appending(path: "lua/\(folder)").path
            return try FileManager.default.contentsOfDirectory(atPath: path).map { $0.replacing(".lua", with: "") }
        }
        .sorted()
    }

    /// One call of each script, in an order in which each finds what it needs; the last leaves nothing.
    private func calls(_ held: ClaimHandle, _ cluster: PrivateRedisCluster) -> [(name: String, call: Call)] {
        [
            (
                "open",
                { _ in
                    try await cluster.withTracker("guard", partitions: 1, { $0.evaluateTimeout = .milliseconds(300) }) {
                        try await $0.open()
                    }
                }
            ),
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
            ("leave", { [kind] in try await $0.perform(Leave(worker: $0.workerName, kinds: [kind])) }),
            (
                "advance",
                { _ = try await $0.perform(Advance(consumer: "c", from: nil, to: .init(entry: "5-0", place: 1))) }
            ),
            ("hook", { _ = try await $0.removeHook("none") }),
            ("segment", { _ = try await $0.forgetSegment("none@0") }),
            ("ingest", { [heartbeat] in try await $0.ingest([heartbeat()]) }),
            ("clear", { _ = try await $0.clearForeign() }),
            ("reap", { _ = try await $0.reap() }),
            ("purge", { _ = try await $0.purge() }),
            ("get", { _ = try await $0.get("a") }),
            ("attempts", { _ = try await $0.attempts(of: "a") }),
            ("logs", { _ = try await $0.log(of: "a") }),
            ("parents", { _ = try await $0.parents(of: "a") }),
            ("find", { _ = try await $0.find() }),
            ("peek", { [kind] in _ = try await $0.peek([kind]) }),
            ("explain", { _ = try await $0.explain("b") }),
            ("tags", { _ = try await $0.counts(ofTags: ["none"]) }),
            ("hooks", { _ = try await $0.hooks() }),
            ("segments", { _ = try await $0.segments() }),
            ("foreign", { _ = try await $0.foreignCounts() }),
            ("fleet", { _ = try await $0.foreignWorkers() }),
            ("workers", { _ = try await $0.workers() }),
            ("stats", { _ = try await $0.stats() }),
            ("kinds", { _ = try await $0.kinds() }),
            ("stream", { _ = try await $0.events(from: .oldest) }),
            ("delete", { _ = try await $0.delete(["b", "c"], force: true) }),
            ("undefine", { [kind] in _ = try await $0.undefine(kind, force: true) }),
            ("destroy", { try await $0.destroy() }),
        ]
    }

    private func heartbeat() throws -> CeleryEvent {
        try CeleryEvent(type: "worker-heartbeat", hostname: "w", timestamp: Timestamp(microseconds: 1))
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
