import RedisWire
import Testing

@testable import Belay

@Suite("complete")
struct CompleteTests {
    static func verb(_ items: [(ClaimHandle, Body)], limit: Int = 4096) -> Complete {
        Complete(items: items.map { (handle: $0.0, result: $0.1) }, payloadLimit: limit)
    }

    @Test("moves a running task to succeeded and keeps its result")
    func completes() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .milliseconds(1500))
            let events = try await f.events { _ = try await f.twice(Self.verb([(claim.handle, Body(text: "42"))])) }
            let dump = try await f.dump()
            #expect(dump.index("r:k") == [:])
            #expect(dump.index("s:k") == ["a": f.now])
            let record = try #require(dump.record("a"))
            #expect(record["s"] == "s")
            #expect(record["u"] == "\(f.now)")
            #expect(record["r"] == "42")
            #expect(record["rt"] == "text/plain")
            #expect(events == ["succeeded k a by host:1:a"])
            #expect(dump.list("a:a") == [])
            let attempts = try #require(try await f.tracker.attempts(of: "a"))
            #expect(attempts.map(\.outcome) == [.succeeded])
            #expect(attempts[0].ended == f.clock.now)
        }
    }

    @Test("refuses a wrong token, an old fence and a task that is gone, and changes nothing")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let handles = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            let outcomes = try await f.unchanged(Self.verb(handles.map { ($0, Body(text: "x")) }))
            #expect(outcomes == [.stale, .stale, .gone])
        }
    }

    @Test("accepts one of several tasks and refuses the others in the same call")
    func mixed() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            let items = [(a.handle.withOldFence, Body.empty), (b.handle, .empty), (a.handle.ofNobody, .empty)]
            #expect(try await f.twice(Self.verb(items)) == [.stale, .accepted, .gone])
            #expect(try await f.state("a") == .running)
            #expect(try await f.state("b") == .succeeded)
        }
    }

    @Test("takes the first of two results for one task in a batch")
    func twins() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let verb = Self.verb([(claim.handle, Body(text: "1")), (claim.handle, Body(text: "2"))])
            #expect(try await f.twice(verb) == [.accepted, .accepted])
            #expect(try await f.record("a").result == Body(text: "1"))
            #expect(try await f.dump().events.filter { $0.hasPrefix("succeeded") }.count == 1)
        }
    }

    @Test("is accepted after the lease ran out as long as nobody took the task")
    func afterExpiry() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(3600))
            #expect(try await f.twice(Self.verb([(claim.handle, .empty)])) == [.accepted])
            #expect(try await f.record("a").crashes == 0)
        }
    }

    @Test("is refused once the task was taken back, claimed by another, or finished by another")
    func afterReclaim() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            f.clock.advance(by: .seconds(10))
            #expect(try await f.tracker.reap().items.map(\.id) == ["a"])
            #expect(try await f.unchanged(Self.verb([(old.handle, .empty)])) == [.stale])
            f.clock.advance(by: .seconds(1))
            let new = try await f.claim("a", token: "second")
            #expect(try await f.unchanged(Self.verb([(old.handle, .empty)])) == [.stale])
            #expect(try await f.twice(Self.verb([(new.handle, .empty)])) == [.accepted])
            #expect(try await f.unchanged(Self.verb([(old.handle, .empty)])) == [.stale])
        }
    }

    @Test("is refused after the holder failed, released or cancelled the attempt itself")
    func afterOtherEnds() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b"), try await f.running("c")]
            try await f.tracker.fail(claims[0].handle, failure)
            try await f.tracker.release([claims[1].handle])
            try await f.tracker.fail(claims[2].handle, failure, .cancelled)
            let outcomes = try await f.unchanged(Self.verb(claims.map { ($0.handle, .empty) }))
            #expect(outcomes == [.stale, .stale, .stale])
        }
    }

    @Test("keeps results of every size exactly", arguments: [0, 1, 64, 65, 128, 192, 256, 257, 4096])
    func resultSizes(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let body = Body(bytes: (0..<size).map { UInt8(truncatingIfNeeded: 255 - $0) }, contentType: "application/x")
            #expect(try await f.twice(Self.verb([(claim.handle, body)])) == [.accepted])
            #expect(try await f.record("a").result == (size == 0 ? nil : body))
            #expect(try await f.dump().string("o:a")?.count == (size > 256 ? size : nil))
        }
    }

    @Test("refuses a result one byte over the limit for the whole batch")
    func resultLimit() async throws {
        try await TrackerFixture.run(payloadLimit: 100) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            let fits = Body(bytes: Array(repeating: 1, count: 100))
            let over = Body(bytes: Array(repeating: 1, count: 101))
            await #expect { try await f.tracker.complete(b.handle, result: over) } throws: {
                let error = $0 as? TrackerError
                return error?.code == .tooLarge && error?.message.contains("“b” has 101 bytes; allowed: 100") == true
            }
            let verb = Self.verb([(a.handle, fits), (b.handle, over)])
            await #expect { try await f.unchanged(verb) } throws: {
                let error = $0 as? TrackerError
                return error?.code == .tooLarge && error?.message.contains("“b”") == true
            }
            #expect(try await f.reply(verb)[1].int == f.now, "the second element of an answer is the time")
            #expect(try await f.twice(Self.verb([(a.handle, fits), (b.handle, fits)])) == [.accepted, .accepted])
        }
    }

    @Test("ends 500 tasks of several kinds in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue(count: 300, "k", prefix: "k")
            try await f.enqueue(count: 200, "l", prefix: "l")
            let claims = try await f.tracker.claim(["k", "l"], limit: 500)
            #expect(claims.count == 500)
            let outcomes = try await f.twice(Self.verb(claims.map { ($0.handle, .empty) }))
            #expect(outcomes == Array(repeating: .accepted, count: 500))
            let dump = try await f.dump()
            #expect([dump.index("s:k").count, dump.index("s:l").count] == [300, 200])
            let many = Array(repeating: (handle: claims[0].handle, result: Body.empty), count: 501)
            await #expect(throws: TrackerError.self) { try await f.tracker.complete(many) }
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            let (a, b) = (try await f.running("a"), try await f.running("b"))
            try await f.command("DEL", "t:b")
            try await f.command("SET", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb([(a.handle, .empty), (b.handle, .empty)])) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("replaces what the holder answered before, whatever its size", arguments: [0, 1, 65, 257], [1, 65, 257])
    func replacesResponse(before: Int, after: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            let first = Body(bytes: Array(repeating: 1, count: before), contentType: "a/b")
            #expect(try await f.tracker.respond(handle, first) == .accepted)
            let result = Body(bytes: Array(repeating: 2, count: after), contentType: "c/d")
            #expect(try await f.twice(Self.verb([(handle, result)])) == [.accepted])
            #expect(try await f.record("a").result == result)
        }
    }
}
