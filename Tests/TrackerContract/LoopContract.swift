import BelayTestKit
import Testing

@testable import Belay

/// Wake-ups and work under a lock, on every backend.
@Suite("wake-ups and scopes")
struct LoopContract {
    @Test("an idle worker is woken by one task, a holder by a cancellation", arguments: TestedBackend.allCases)
    func wakeUps(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let worker = tracker.workerName
            let (events, continuation) = AsyncStream<WakeUp>.makeStream()
            try await withThrowingTaskGroup { group in
                group.addTask { await tracker.backend.listen(for: worker) { continuation.yield($0) } }
                defer { group.cancelAll() }
                var heard = events.makeAsyncIterator()
                #expect(await heard.next() == .listening)
                for turn in 1...3 {
                    let wait = ClaimMany(
                        token: "t\(turn)",
                        worker: worker,
                        count: 1,
                        kinds: [mail],
                        wait: .seconds(60),
                        mayBeWaiting: true
                    )
                    #expect(try await tracker.perform(wait).claims.isEmpty)
                    try await tracker.add(TaskID("a\(turn)"))
                    #expect(await heard.next() == .ready)
                    try await tracker.add(TaskID("b\(turn)"))
                    let claims = try await tracker.claim([mail], limit: 2)
                    _ = try await tracker.cancel([claims[0].id])
                    #expect(await heard.next() == .cancel, "the second task did not wake the one worker again")
                    try await tracker.complete(claims.map { ($0.handle, .empty) }).forEach { #expect($0 == .accepted) }
                }
            }
        }
    }

    @Test(
        "a reaper deletes all that is to be deleted in one go, however long that takes",
        .timeLimit(.minutes(1)),
        arguments: TestedBackend.allCases
    )
    func longPurge(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(keepSucceeded: .seconds(10), keepOther: .seconds(10))) { tracker, clock in
            let ids = (1...250).map { TaskID(trusted: "a\($0)") }
            for id in ids { try await tracker.add(id) }
            _ = try await tracker.cancel(ids)
            clock.advance(by: .seconds(10))
            var configuration = Reaper.Configuration()
            // A step a task, and no second turn within the test: it looks at the leases twice on its way.
            (configuration.batch, configuration.interval) = (1, .seconds(3600))
            let reaper = try Reaper(tracker, configuration: configuration)
            try await withThrowingTaskGroup { group in
                group.addTask { try await reaper.run() }
                while try await tracker.stats().kinds[0].total > 0 { try await Task.sleep(for: .milliseconds(5)) }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test("work under a lock records its success", arguments: TestedBackend.spread)
    func scopeSucceeds(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let result = try await tracker.withClaim(on: "a") { context in
                try await context.progress(0.5, "half")
                #expect(context.claim.payload.text == "payload of a")
                return try await tracker.state(of: "a") == .running
            }
            guard case .finished(true) = result else { return #expect(Bool(false), "the work ran under the lock") }
            let task = try await tracker.get("a")
            #expect(task?.state == .succeeded)
            #expect(try task?.result?.decoded(as: Bool.self) == true)
            guard case .refused(.ended(.succeeded)) = try await tracker.withClaim(on: "a", { _ in 1 }) else {
                return #expect(Bool(false), "it has ended")
            }
        }
    }

    @Test("work under a lock records its error and throws it on", arguments: TestedBackend.spread)
    func scopeFails(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["fails", "ends", "waits"] { try await tracker.add(id) }
            let failure = TaskFailure(type: "io", message: "no such file")
            await #expect(throws: TaskFailure.self) {
                _ = try await tracker.withClaim(on: "fails") { _ in throw failure }
            }
            await #expect(throws: PermanentFailure.self) {
                _ = try await tracker.withClaim(on: "ends") { _ in throw PermanentFailure("never") }
            }
            await #expect(throws: Snooze.self) {
                _ = try await tracker.withClaim(on: "waits") { _ in throw Snooze(for: .seconds(90)) }
            }
            let tasks = try await tracker.get(["fails", "ends", "waits"])
            #expect(tasks.map { $0?.state } == [.ready, .exhausted, .ready])
            #expect(tasks.map { $0?.attempts } == [1, 1, 0])
            #expect(tasks[0]?.lastFailure?.failure?.message == "no such file")
            #expect(tasks[2]?.due == clock.now + .seconds(90))
        }
    }

    @Test("work whose task is cancelled is stopped", arguments: TestedBackend.spread)
    func scopeCancelled(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            await #expect(throws: CancellationError.self) {
                _ = try await tracker.withClaim(on: "a") { context in
                    // It hears at once when it listens by then, else at its next renewal.
                    try await Task.sleep(for: .milliseconds(100))
                    _ = try await tracker.cancel(["a"], reason: "enough")
                    defer { #expect(context.stopReason == .cancelRequested) }
                    try await Task.sleep(for: .seconds(30))
                }
            }
            #expect(try await tracker.state(of: "a") == .cancelled)
        }
    }
}
