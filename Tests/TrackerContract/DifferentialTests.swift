import Synchronization
import Testing

/// The scripts on a real Redis and the in-memory tracker must answer every request alike.
struct DifferentialTests {
    @Test("random traces: Redis and the in-memory tracker give the same answers", arguments: 0..<30)
    func randomTraces(group: Int) async throws {
        for seed in (group * 10)..<(group * 10 + 10) {
            let steps = TraceGenerator.trace(seed: UInt64(seed), steps: 200)
            let result = try await Trace.run(steps)
            guard let difference = result.difference else { continue }
            let smallest = try await Trace.shrink(difference)
            Issue.record("seed \(seed): the backends differ \(smallest)")
            return
        }
    }
}
