import BelayTestKit
import Testing

@testable import Belay

/// The moments of retries, which both backends must compute alike to the microsecond.
@Suite("retry schedules")
struct ScheduleTests {
    static let policies: [RetryPolicy] = [
        .default, .exponential(base: .milliseconds(1), factor: 1.5, cap: .seconds(3650 * 86_400), jitter: 1),
        .exponential(base: .microseconds(3), factor: 1000, cap: .seconds(86_400), jitter: 0.123), .fixed(.seconds(2)),
        .fixed(.microseconds(999), jitter: 0.999), .list([.seconds(1), .zero, .seconds(86_400)]),
        .list([.milliseconds(7)], jitter: 0.5),
    ]

    @Test("both backends retry at the same moments, failed or crashed", arguments: policies.indices)
    func schedule(place: Int) async throws {
        let policy = KindPolicy(lease: .milliseconds(50), attempts: 100, retry: Self.policies[place])
        for crashes in [false, true] {
            var delays: [[Duration]] = []
            for backend in TestedBackend.allCases {
                try await backend.run(policy) { tracker, clock in
                    delays.append(try await Self.delays(of: tracker, clock, crashes: crashes))
                }
            }
            #expect(delays[0] == delays[1])
            #expect(delays[0].count == 60)
        }
    }

    /// Runs tasks again and again, and tells how long each waited.
    private static func delays(of tracker: Tracker, _ clock: ManualClock, crashes: Bool) async throws -> [Duration] {
        var delays: [Duration] = []
        for id: TaskID in ["a", "an-id-of-another-length", "ü"] {
            try await tracker.add(id)
            for _ in 1...20 {
                let claim = try await tracker.take(id, options: .ignoreDue)
                if crashes {
                    clock.advance(by: claim.lease)
                    _ = try await tracker.reap()
                } else {
                    try await tracker.fail(claim.handle, TaskFailure(type: "e", message: "m"))
                }
                delays.append((try await tracker.get(id)?.due ?? clock.now) - clock.now)
            }
        }
        return delays
    }
}
