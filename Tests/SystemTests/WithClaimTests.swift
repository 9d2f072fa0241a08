import Belay
import BelayTestKit
import Synchronization
import Testing

/// A scope under the lock of one task.
@Suite("withClaim", .timeLimit(.minutes(1)))
struct WithClaimTests {
    private let kind: KindName = "scoped"

    private func withTask(
        lease: Duration = .seconds(5),
        attempts: Int = 2,
        _ body: @Sendable (Tracker, TaskID) async throws -> Void
    ) async throws {
        try await withTracker { tracker, _ in
            try await tracker.define(kind, policy: KindPolicy(lease: lease, attempts: attempts, retry: .fixed(.zero)))
            try await body(tracker, try await tracker.enqueue([NewTask(kind)])[0].id)
        }
    }

    @Test("Records success with the value, and refuses a second start")
    func success() async throws {
        try await withTask { tracker, id in
            let result = try await tracker.withClaim(on: id) { context in
                try await context.progress(0.5, "half")
                return ["answer": context.claim.attempt]
            }
            guard case .finished(let value) = result else { return #expect(Bool(false), "refused: \(result)") }
            #expect(value == ["answer": 1])
            let record = try #require(try await tracker.get(id))
            #expect(record.state == .succeeded && record.result?.text == #"{"answer":1}"#)
            guard case .refused(.ended(.succeeded)) = try await tracker.withClaim(on: id, { _ in 1 }) else {
                return #expect(Bool(false), "a succeeded task began again")
            }
        }
    }

    @Test("Records the error and throws it on; used-up attempts refuse another start unless forced")
    func failure() async throws {
        struct Broken: Error, Equatable {}
        try await withTask { tracker, id in
            for _ in 0..<2 {
                await #expect(throws: Broken.self) {
                    try await tracker.withClaim(on: id) { _ -> Int in throw Broken() }
                }
            }
            #expect(try await tracker.get(id)?.state == .exhausted)
            #expect(try await tracker.attempts(of: id)?.map(\.outcome) == [.failed, .failed])
            guard case .refused(.ended(.exhausted)) = try await tracker.withClaim(on: id, { _ in 1 }) else {
                return #expect(Bool(false), "an exhausted task began again")
            }
            guard case .finished(7) = try await tracker.withClaim(on: id, options: .force, { _ in 7 }) else {
                return #expect(Bool(false), "force did not pass over exhaustion")
            }
        }
    }

    @Test("Is locked for others while it runs, and renews for longer than its lease")
    func exclusive() async throws {
        try await withTask(lease: .milliseconds(400)) { tracker, id in
            let inside = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let result = try await tracker.withClaim(on: id) { _ in
                        inside.raise()
                        try await Task.sleep(for: .milliseconds(1500))
                        return true
                    }
                    guard case .finished(true) = result else {
                        return #expect(Bool(false), "did not finish: \(result)")
                    }
                }
                try await eventually { inside.isRaised }
                for _ in 0..<5 {
                    guard case .refused(.locked) = try await tracker.withClaim(on: id, { _ in 1 }) else {
                        return #expect(Bool(false), "two holders")
                    }
                    try await Task.sleep(for: .milliseconds(200))
                }
                try await group.waitForAll()
            }
            #expect(try await tracker.get(id)?.crashes == 0)
        }
    }

    @Test("The closure is cancelled when the lock is taken over, and the scope throws lockLost")
    func takenOver() async throws {
        try await withTask(lease: .milliseconds(600)) { tracker, id in
            let inside = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let error = await #expect(throws: TrackerError.self) {
                        try await tracker.withClaim(on: id) { _ in
                            inside.raise()
                            try await Task.sleep(for: .seconds(3600))
                        }
                    }
                    #expect(error?.code == .lockLost)
                }
                try await eventually { inside.isRaised }
                guard case .claimed(let claim) = try await tracker.claim(id, lease: .seconds(30), options: .ignoreLock)
                else {
                    return #expect(Bool(false), "not taken over")
                }
                #expect(claim.fence > 0)
                try await group.waitForAll()
            }
        }
    }

    @Test(
        "When the attempt's time is over the lock is given up before, also by work that was asked to stop",
        arguments: [false, true]
    )
    func ending(isCancelled: Bool) async throws {
        try await withTracker { tracker, _ in
            try await tracker.define(
                kind,
                policy: KindPolicy(lease: .seconds(3), attempts: 2, timeout: .milliseconds(3300))
            )
            let id = try await tracker.enqueue([NewTask(kind)])[0].id
            let began = ContinuousClock.now
            await #expect(throws: TrackerError.self) {
                try await tracker.withClaim(on: id, stopsItself: true) { context in
                    if isCancelled { _ = try await tracker.cancel([id]) }
                    while context.stopReason != .lockLost { await context.waitForStop(atMost: .milliseconds(100)) }
                }
            }
            // 300 ms before the end; after the last renewal it would be 2.7 s.
            #expect(began.duration(to: .now) > .milliseconds(2900))
            #expect(began.duration(to: .now) < .milliseconds(3600))
        }
    }

    @Test("Cancelling the caller hands the task back without spending the attempt")
    func callerCancelled() async throws {
        try await withTask { tracker, id in
            let inside = Flag()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try? await tracker.withClaim(on: id) { _ in
                        inside.raise()
                        try await Task.sleep(for: .seconds(3600))
                    }
                }
                try? await eventually { inside.isRaised }
                group.cancelAll()
            }
            let record = try #require(try await tracker.get(id))
            #expect(record.state == .ready && record.attempts == 0)
        }
    }
}

/// A flag that is raised once.
private final class Flag: Sendable {
    private let raised = Mutex(false)
    var isRaised: Bool { raised.withLock { $0 } }
    func raise() { raised.withLock { $0 = true } }
}
