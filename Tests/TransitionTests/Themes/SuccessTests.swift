import Testing

@testable import Belay

/// What a success leaves behind: failures in a row, the response, and the history once the task begins anew.
@Suite("A success")
struct SuccessTests {
    static let large = Body(bytes: Array(repeating: 1, count: 300))

    @Test("ends a row of failures; crashes and attempts stay")
    func resetsFailures() async throws {
        try await TrackerFixture.run(policy: KindPolicy(attempts: 9, retry: .fixed(.zero))) { f async throws in
            try await f.enqueue("a")
            for token in ["1", "2"] { try await f.tracker.fail(try await f.claim("a", token: token).handle, failure) }
            _ = try await f.claim("a", token: "3")
            f.clock.advance(by: .seconds(30))
            let claim = try await f.claim("a", token: "4")
            #expect([claim.failures, claim.crashes] == [2, 1])
            #expect(try await f.twice(CompleteTests.verb([(claim.handle, .empty)])) == [.accepted])
            let record = try await f.record("a")
            #expect([record.attempts, record.failures, record.crashes] == [4, 0, 1])
            #expect(record.lastFailure?.outcome == .crashed)
        }
    }

    @Test("without a result leaves the response; a result takes its place, bytes and type", arguments: [false, true])
    func response(isLarge: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            let (a, b, c) = (try await f.running("a"), try await f.running("b"), try await f.running("c"))
            let response = isLarge ? Body(bytes: Self.large.bytes, contentType: "t/r") : Body(text: "r")
            for claim in [a, b, c] { #expect(try await f.tracker.respond(claim.handle, response) == .accepted) }
            let json = Body(bytes: Array("{}".utf8))
            let results = [(a.handle, Body.empty), (b.handle, json), (c.handle, Body(text: ""))]
            #expect(try await f.twice(CompleteTests.verb(results)) == [.accepted, .accepted, .accepted])
            #expect(try await f.record("a").result == response)
            #expect(try await f.record("b").result == json)
            #expect(try await f.record("c").result == response, "no bytes are no result, whatever their type")
            #expect(try await f.dump().string("o:b") == nil)
        }
    }

    @Test("takes a large result in place of a small response, and keeps its own type")
    func largeResult() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(try await f.tracker.respond(claim.handle, Body(text: "")) == .accepted)
            #expect(try await f.tracker.respond(claim.handle, Body(text: "r")) == .accepted)
            #expect(try await f.twice(CompleteTests.verb([(claim.handle, Self.large)])) == [.accepted])
            #expect(try await f.record("a").result == Self.large)
        }
    }

    @Test("is not built on the response of an earlier attempt", arguments: [false, true])
    func earlierResponse(isNamed: Bool) async throws {
        try await TrackerFixture.run(policy: KindPolicy(retry: .fixed(.zero))) { f async throws in
            let first = try await f.running()
            #expect(try await f.tracker.respond(first.handle, Self.large) == .accepted)
            try await f.tracker.fail(first.handle, failure)
            #expect(try await f.record("a").result == Self.large, "to be seen until the next attempt")
            let second: ClaimHandle
            if isNamed {
                second = try await f.claim("a", token: "2").handle
            } else {
                second = try #require(try await f.tracker.claim(["k"]).first).handle
            }
            #expect(try await f.record("a").result == nil)
            #expect(try await f.dump().string("o:a") == nil)
            #expect(try await f.tracker.complete(second) == .accepted)
            #expect(try await f.record("a").result == nil)
        }
    }

    @Test(
        "goes into the history when the task begins anew or is retried, with its own times",
        arguments: [false, true]
    )
    func history(isRetry: Bool) async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(2))
            try await f.tracker.complete(claim.handle)
            let succeeded = try #require(try await f.tracker.attempts(of: "a")?.first)
            #expect(try await f.dump().list("a:a") == [])
            f.clock.advance(by: .seconds(5))
            if isRetry {
                #expect(try await f.twice(Retry(ids: ["a"], budget: .fresh)) == [.ready])
                #expect(try await f.tracker.attempts(of: "a") == [succeeded])
            }
            let next = try await f.claim("a", token: "2", options: .restart)
            let attempts = try #require(try await f.tracker.attempts(of: "a"))
            #expect(attempts.map(\.outcome) == [.succeeded, .running])
            #expect(attempts.first == succeeded)
            #expect(attempts[0].ended == f.moment(.seconds(-5)))
            #expect(try await f.record("a").lastFailure == nil, "a success is no failure")
            try await f.tracker.fail(next.handle, failure)
            #expect(try await f.record("a").lastFailure?.outcome == .failed)
            #expect(try await f.tracker.attempts(of: "a")?.map(\.number) == [1, 1])
        }
    }

    @Test("does not hide the failure before it")
    func failureBefore() async throws {
        try await TrackerFixture.run { f async throws in
            let first = try await f.running()
            try await f.send(FailTests.verb([first.handle], .retry(after: .zero), backtrace: ["here"]))
            let second = try await f.claim("a", token: "2")
            try await f.tracker.complete(second.handle)
            _ = try await f.tracker.retry(["a"])
            let last = try #require(try await f.record("a").lastFailure)
            #expect(last.fence == first.fence)
            #expect(last.failure?.backtrace == ["here"])
        }
    }

    @Test("is refused to its holder once the task began anew; a repeat before is answered as the first")
    func repeats() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let request = f.request(CompleteTests.verb([(claim.handle, .empty)]))
            let answer = try await f.send(request)
            #expect(try await f.send(request) == answer)
            _ = try await f.tracker.retry(["a"])
            #expect(try await f.unchanged(CompleteTests.verb([(claim.handle, .empty)])) == [.stale])
        }
    }
}
