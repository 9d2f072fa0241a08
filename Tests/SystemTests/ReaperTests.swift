import Belay
import BelayTestKit
import RedisWire
import Testing

/// Reapers beside each other and beside much to delete.
@Suite("Several reapers", .timeLimit(.minutes(2)))
struct ReaperTests {
    @Test("of one partition delete 20,000 ended tasks once each, and take each of 1,000 leases back once meanwhile")
    func together() async throws {
        try await withPrivateRedisServer { server in
            let tracker = try Tracker(url: server.url, namespace: "system", logger: .silent)
            try await tracker.define("ended", policy: KindPolicy(keepOther: .milliseconds(1)))
            try await tracker.define("held", policy: KindPolicy(attempts: 9, retry: .fixed(.zero)))
            var ended: [TaskID] = []
            for _ in 0..<40 {
                let ids = try await tracker.enqueue((0..<500).map { _ in NewTask("ended") }).map(\.id)
                _ = try await tracker.cancel(ids)
                ended += ids
            }
            for _ in 0..<2 { try await tracker.enqueue((0..<500).map { _ in NewTask("held") }) }
            var held: [TaskID] = []
            for number in 0..<20 {
                // They run out one after the other while the tasks are deleted.
                let lease = Duration.milliseconds(200 + 50 * number)
                held += try await tracker.claim(["held"], limit: 50, lease: lease).map(\.id)
            }
            #expect(held.count == 1000)

            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        let own = try Tracker(url: server.url, namespace: "system", logger: .silent)
                        var configuration = Reaper.Configuration()
                        configuration.interval = .milliseconds(10)
                        configuration.purgeInterval = .milliseconds(10)
                        try await Reaper(own, configuration: configuration).run()
                        await own.close()
                    }
                }
                try await eventually(within: .seconds(60)) {
                    let counts = try await tracker.stats().kinds
                    return counts.first { $0.kind == "ended" }?.total == 0
                        && counts.first { $0.kind == "held" }?.ready == 1000
                }
                group.cancelAll()
                do { try await group.waitForAll() } catch is CancellationError {}
            }

            let purged = try await tracker.ids(ofEvents: .purged)
            #expect(purged.count == 20_000 && Set(purged) == Set(ended))
            let reaped = try await tracker.ids(ofEvents: .reaped)
            #expect(reaped.count == 1000 && Set(reaped) == Set(held))
            for start in stride(from: 0, to: 1000, by: 500) {
                let records = try await tracker.get(Array(held[start..<start + 500]))
                #expect(records.allSatisfy { $0?.crashes == 1 && $0?.attempts == 1 && $0?.state == .ready })
            }
            await tracker.close()
        }
    }
}
