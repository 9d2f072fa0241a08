import BelayTestKit
import FoundationEssentials
import Testing

@testable import Belay

/// The scripts on a real Redis and the in-memory tracker must answer every request alike.
struct DifferentialTests {
    /// Four traces each; 60 traces, unless the environment's `BELAY_TRACES` says otherwise.
    private static let groups = 0..<(ProcessInfo.processInfo.environment["BELAY_TRACES"].flatMap { Int($0) } ?? 60) / 4

    @Test("random traces: Redis and the in-memory tracker give the same answers", arguments: groups)
    func randomTraces(group: Int) async throws {
        for seed in (group * 4)..<(group * 4 + 4) {
            let steps = TraceGenerator.trace(seed: UInt64(seed), steps: 300)
            let result = try await Trace.run(steps)
            guard let difference = result.difference else { continue }
            let smallest = try await Trace.shrink(difference)
            Issue.record("seed \(seed): the backends differ \(smallest)")
            return
        }
    }

    @Test("random traces on three partitions: both spread them alike", arguments: 0..<12 as Range<UInt64>)
    func partitionedTraces(seed: UInt64) async throws {
        let steps = TraceGenerator.trace(seed: seed, steps: 300)
        guard let difference = try await Trace.run(steps, partitions: 3).difference else { return }
        let smallest = try await Trace.shrink(difference, partitions: 3)
        Issue.record("seed \(seed): the backends differ \(smallest)")
    }

    @Test("wide flows: both tell the same of more children than one call has room for", arguments: 0..<4)
    func wideFlows(seed: UInt64) async throws {
        guard let difference = try await Trace.run(TraceGenerator.flows(seed: seed)).difference else { return }
        let smallest = try await Trace.shrink(difference)
        Issue.record("seed \(seed): the backends differ \(smallest)")
    }

    @Test("long listings: both go through many indexes by the same pages", arguments: FindOrder.allCases)
    func longListings(order: FindOrder) async throws {
        var listings: [[Page]] = []
        for backend in TestedBackend.spread {
            try await backend.run { tracker, clock in
                try await Self.fill(tracker)
                var pages: [Page] = []
                for limit in [500, 37] {
                    let all = try await Self.pages(of: tracker, order, limit: limit)
                    #expect(all.flatMap(\.ids).count == 3000)
                    #expect(Set(all.flatMap(\.ids)).count == 3000)
                    pages += all
                }
                listings.append(pages)
            }
        }
        #expect(listings[0] == listings[1])
        #expect(listings[2] == listings[3])
        #expect(
            listings[0].contains { $0.ids.count < 500 && $0.cursor != nil },
            "pages end where unseen tasks may follow"
        )
    }

    private struct Page: Equatable {
        let ids: [TaskID]
        let cursor: String?
    }

    /// 3,000 tasks of 40 kinds and 3 priorities, most of them ready at few moments, some running or paused.
    private static func fill(_ tracker: Tracker) async throws {
        var random = SplitMix(state: 7)
        let kinds = try (0..<40).map { try KindName("kind-\($0)") }
        for batch in 0..<6 {
            let tasks = try (0..<500).map { number in
                let options = EnqueueOptions(
                    id: try TaskID("\(random.below(1000))-\(batch)-\(number)"),
                    delay: .seconds(random.below(50)),
                    priority: random.pick([2, 5, 8])
                )
                return NewTask(random.pick(kinds), options: options)
            }
            try await tracker.enqueue(tasks, policy: .default)
            _ = try await tracker.pause(tasks.prefix(70).compactMap(\.options.id))
        }
        _ = try await tracker.claim(kinds, limit: 40, lease: .seconds(60), token: "fill")
    }

    private static func pages(of tracker: Tracker, _ order: FindOrder, limit: Int) async throws -> [Page] {
        var pages: [Page] = []
        repeat {
            let page = try await tracker.find(order: order, limit: limit, cursor: pages.last?.cursor)
            pages.append(Page(ids: page.tasks.map(\.id), cursor: page.cursor))
        } while pages.last?.cursor != nil
        return pages
    }
}
