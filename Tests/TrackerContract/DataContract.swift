import BelayTestKit
import Testing

@testable import Belay

/// What holders keep with their tasks, on every backend.
@Suite("data and responses")
struct DataContract {
    private static let failure = TaskFailure(type: "e", message: "m")

    @Test("data goes on to the next attempt, whatever becomes of this one", arguments: TestedBackend.spread)
    func data(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            var claim = try await tracker.take("a")
            #expect(claim.data == .empty)
            #expect(try await tracker.get("a")?.data == nil)
            for (number, size) in [1, 64, 65, 256, 257, 5000, 3].enumerated() {
                let data = Body(bytes: (0..<size).map { UInt8($0 % 251) }, contentType: number == 2 ? "x/y" : Body.json)
                for _ in 1...2 { #expect(try await tracker.save(claim.handle, data: data) == .accepted) }
                #expect(try await tracker.get("a")?.data == data)
                try await tracker.release([claim.handle])
                let old = claim
                claim = try await tracker.take("a")
                #expect(claim.data == data)
                #expect(try await tracker.save(old.handle, data: .empty) == .stale)
            }
            clock.advance(by: .seconds(10))
            claim = try await tracker.take("a")
            #expect(claim.data.bytes.count == 3, "a crash keeps it")
            #expect(try await tracker.save(claim.handle, data: .empty) == .accepted)
            #expect(try await tracker.get("a")?.data == nil)
        }
    }

    @Test("data stays with a task that begins anew, and goes when it is deleted", arguments: TestedBackend.spread)
    func dataAnew(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let data = Body(text: String(repeating: "x", count: 300))
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            #expect(try await tracker.save(claim.handle, data: data) == .accepted)
            try await tracker.complete(claim.handle)
            #expect(try await tracker.retry(["a"]) == [.ready])
            #expect(try await tracker.claim([mail])[0].data == data)
            #expect(try await tracker.take("a", options: [.ignoreLock, .restart]).data == data)
            #expect(try await tracker.delete(["a"], force: true) == [.deleted])
            try await tracker.add("a")
            #expect(try await tracker.take("a").data == .empty)
        }
    }

    @Test("a response shows at once, and is the result unless there is another", arguments: TestedBackend.spread)
    func response(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (half, whole) = (Body(text: "half"), Body(bytes: Array("whole".utf8)))
            for (id, end, result) in [("a", Body.empty, half), ("b", whole, whole)] as [(TaskID, Body, Body)] {
                try await tracker.add(id)
                let claim = try await tracker.take(id)
                #expect(try await tracker.respond(claim.handle, Body(text: "a bit")) == .accepted)
                #expect(try await tracker.respond(claim.handle, half) == .accepted)
                #expect(try await tracker.get(id)?.result == half)
                try await tracker.complete(claim.handle, result: end)
                #expect(try await tracker.get(id)?.result == result)
                #expect(try await tracker.respond(claim.handle, half) == .stale)
            }
        }
    }

    @Test("a response belongs to its attempt", arguments: TestedBackend.spread)
    func responseOfAttempt(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(retry: .fixed(.zero))) { tracker, _ in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            #expect(try await tracker.respond(claim.handle, Body(text: "half")) == .accepted)
            try await tracker.fail(claim.handle, Self.failure)
            #expect(try await tracker.get("a")?.result?.text == "half", "to be looked at")
            let second = try await tracker.claim([mail])[0]
            #expect(try await tracker.get("a")?.result == nil)
            try await tracker.complete(second.handle)
            #expect(try await tracker.get("a")?.result == nil)
        }
    }

    @Test("what is too large is refused, and nobody else may write", arguments: TestedBackend.spread)
    func refused(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            let large = Body(bytes: Array(repeating: 0, count: Limits.defaultPayloadBytes + 1))
            #expect(await code { _ = try await tracker.save(claim.handle, data: large) } == .tooLarge)
            #expect(await code { _ = try await tracker.respond(claim.handle, large) } == .tooLarge)
            let type = Body(bytes: [1], contentType: "\n")
            #expect(await code { _ = try await tracker.save(claim.handle, data: type) } == .invalidArgument)
            let wrong = ClaimHandle(id: "a", token: claim.token, fence: claim.fence + 1)
            #expect(try await tracker.save(wrong, data: Body(text: "x")) == .stale)
            let gone = ClaimHandle(id: "none", token: claim.token, fence: 1)
            #expect(try await tracker.respond(gone, Body(text: "x")) == .gone)
            #expect(try await tracker.get("a")?.data == nil)
        }
    }
}
