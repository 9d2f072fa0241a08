import RedisWire
import Testing

@testable import Belay

@Suite("get")
struct GetTests {
    @Test("tells a waiting task whole, absent fields as they are meant")
    func waiting() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", payload: Body(text: "p"))
            let record = try #require(try await f.twice(Get(ids: ["a"]))[0])
            var expected = TaskRecord(id: "a", kind: "k", state: .ready, created: f.clock.now)
            expected.payload = Body(text: "p")
            #expect(record == expected)
        }
    }

    @Test("tells a running task with its lock")
    func running() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(3), priority: 2, attempts: 9)
            let created = f.clock.now
            f.clock.advance(by: .seconds(4))
            let claim = try await f.claim("a")
            let record = try await f.record("a")
            #expect(record.state == .running)
            #expect(record.priority == 2)
            #expect(record.attemptLimit == 9)
            #expect(record.due == created + .seconds(3))
            #expect(record.began == f.clock.now)
            #expect(record.updated == f.clock.now)
            #expect(record.worker == "host:1:a")
            #expect(record.fence == claim.fence)
            #expect(record.leaseExpires == claim.expires)
            #expect(record.payload == .empty)
        }
    }

    @Test("answers in the order of the ids, nothing where there is no task, twins twice")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.enqueue("b")
            let records = try await f.twice(Get(ids: ["b", "nobody", "a", "b"]))
            #expect(records.map(\.?.id) == ["b", nil, "a", "b"])
        }
    }

    @Test("reads 500 tasks in one call and refuses 501")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            #expect(try await f.twice(Get(ids: ids)).map(\.?.id) == ids)
            await #expect(throws: TrackerError.self) { try await f.tracker.get(ids + ids.prefix(1)) }
            await #expect(throws: TrackerError.self) { try await f.tracker.get([TaskID]()) }
        }
    }

    @Test("keeps payload and result apart, each with its type")
    func bodies() async throws {
        try await TrackerFixture.run { f async throws in
            let payload = Body(bytes: Array(repeating: 1, count: 300), contentType: "image/png")
            try await f.enqueue("a", payload: payload)
            let claim = try await f.claim("a")
            let result = Body(bytes: Array(repeating: 2, count: 100))
            try await f.tracker.complete(claim.handle, result: result)
            let record = try await f.record("a")
            #expect(record.payload == payload)
            #expect(record.result == result)
        }
    }
}
