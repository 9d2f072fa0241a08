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

    @Test("tells what its holder saved and answered so far, while it runs")
    func heldBodies() async throws {
        try await TrackerFixture.run(policy: KindPolicy(lease: .seconds(10), timeout: .seconds(60))) { f async throws in
            let claim = try await f.running()
            let (data, response) = (Body(bytes: Array(repeating: 3, count: 300)), Body(text: "half"))
            #expect(try await f.tracker.save(claim.handle, data: data) == .accepted)
            #expect(try await f.tracker.respond(claim.handle, response) == .accepted)
            let record = try #require(try await f.twice(Get(ids: ["a"]))[0])
            #expect(record.data == data)
            #expect(record.result == response)
            #expect(record.deadline == f.moment(.seconds(60)))
            try await f.tracker.fail(claim.handle, failure, .exhaust)
            let after = try await f.record("a")
            #expect(after.data == data)
            #expect(after.deadline == nil)
        }
    }

    @Test("tells each state by its name and its code", arguments: Place.allCases)
    func states(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let record = try await f.record("a")
            #expect(record.state == place.state)
            let codes: [Place: Int] = [
                .ready: 0, .running: 10, .exhausted: 30, .succeeded: 40, .ignored: 50, .held: 60, .parked: 60,
                .cancelled: 70,
            ]
            #expect(record.status.rawValue == codes[place])
            #expect((record.leaseExpires != nil) == place.isHeld)
            #expect(try await f.tracker.find().tasks.map(\.status) == [record.status])
        }
    }

    @Test("tells a task that waits for another attempt as failed, after a failure and after a crash")
    func failed() async throws {
        try await TrackerFixture.run { f async throws in
            let (a, _) = (try await f.running("a"), try await f.running("b"))
            try await f.tracker.fail(a.handle, failure)
            f.clock.advance(by: .seconds(10))
            _ = try await f.tracker.reap()
            for id in ["a", "b"] as [TaskID] { #expect(try await f.record(id).status == .failed) }
            _ = try await f.tracker.cancel(["a"])
            _ = try await f.tracker.retry(["a"])
            #expect(try await f.record("a").status == .pending)
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
