import Belay
import BelayTestKit
import Synchronization
import Testing

/// What running work says to the tracker through its context.
@Suite("Running work", .timeLimit(.minutes(1)))
struct ClaimContextTests {
    private struct Cursor: Codable, Sendable, Equatable {
        var page = 0
    }
    private struct Broken: Error, Equatable {}

    private let kind: KindName = "work"

    private func withTask(
        policy: KindPolicy = KindPolicy(lease: .seconds(5), attempts: 3, retry: .fixed(.zero)),
        _ body: @Sendable (Tracker, TaskID) async throws -> Void
    ) async throws {
        try await withTracker { tracker, _ in
            try await tracker.define(kind, policy: policy)
            try await body(tracker, try await tracker.enqueue([NewTask(kind)])[0].id)
        }
    }

    @Test("Logs, and responds with what shows at once and stays as the result")
    func logAndResponse() async throws {
        try await withTask { (tracker, id) async throws in
            _ = try await tracker.withClaim(on: id) { context in
                try await context.log("first\u{7}\nsecond\t\(String(repeating: "x", count: 2000))")
                try await context.respond(Body(text: "so far"))
                let record = try await tracker.get(id)
                #expect(record?.state == .running)
                #expect(record?.result == Body(text: "so far"))
                return NoOutput()
            }
            #expect(try await tracker.get(id)?.result == Body(text: "so far"))
            let log = try #require(try await tracker.log(of: id))
            #expect(log.map(\.event) == ["enqueued", "claimed", "message", "succeeded"])
            #expect(log[2].message.hasPrefix("first\nsecond\tx"))
            #expect(log[2].message.utf8.count <= Limits.messageBytes)
            #expect(log[2].actor == tracker.workerName.description)
        }
    }

    @Test("Saves data for the next attempt; a change that throws changes nothing")
    func data() async throws {
        try await withTask { (tracker, id) async throws in
            let caught = Mutex(false)
            await #expect(throws: Broken.self) {
                try await tracker.withClaim(on: id) { context in
                    #expect(context.data == .empty)
                    let before = try await context.updateData(Cursor()) { cursor in
                        defer { cursor.page = 7 }
                        return cursor.page
                    }
                    #expect(before == 0)
                    do {
                        try await context.updateData(Cursor()) { cursor in
                            cursor.page = 99
                            throw Broken()
                        }
                    } catch is Broken {
                        caught.withLock { $0 = true }
                    }
                    throw Broken()
                }
            }
            #expect(caught.withLock { $0 })
            _ = try await tracker.withClaim(on: id) { context in
                #expect(context.claim.attempt == 2)
                #expect(try context.data.decoded(as: Cursor.self) == Cursor(page: 7))
                try await context.updateData(Cursor()) { $0.page += 1 }
                #expect(try context.data.decoded(as: Cursor.self) == Cursor(page: 8))
            }
            #expect(try await tracker.get(id)?.data?.decoded(as: Cursor.self) == Cursor(page: 8))
        }
    }

    @Test("Pauses with the lock kept, and its kind's time-out begins anew after it")
    func pause() async throws {
        let policy = KindPolicy(lease: .seconds(5), attempts: 1, timeout: .seconds(4))
        try await withTask(policy: policy) { (tracker, id) async throws in
            _ = try await tracker.withClaim(on: id) { context in
                let deadline = try #require(try await tracker.get(id)?.deadline)
                try await context.pause("waiting for a person")
                let paused = try #require(try await tracker.get(id))
                #expect(paused.state == .paused)
                #expect(paused.deadline == nil)
                #expect(paused.leaseExpires != nil)
                guard case .refused(.locked) = try await tracker.claim(id) else {
                    return #expect(Bool(false), "a paused task was free")
                }
                try await context.resume()
                let running = try #require(try await tracker.get(id))
                #expect(running.state == .running)
                #expect(try #require(running.deadline) > deadline)
            }
            #expect(try await tracker.get(id)?.state == .succeeded)
            #expect(
                try await tracker.log(of: id)?.filter { $0.event == "paused" }.map(\.message) == [
                    "waiting for a person"
                ]
            )
        }
    }

    @Test("Is told that its lock is lost by whatever it says next")
    func lost() async throws {
        try await withTask { (tracker, id) async throws in
            do {
                _ = try await tracker.withClaim(on: id) { context in
                    _ = try await tracker.claim(id, options: .ignoreLock)
                    try await context.save(Body(text: "too late"))
                }
                Issue.record("the late write was accepted")
            } catch let error as TrackerError {
                #expect(error.code == .lockLost)
            }
            #expect(try await tracker.get(id)?.data == nil)
        }
    }
}
