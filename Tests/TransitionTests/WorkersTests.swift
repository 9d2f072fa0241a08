import RedisWire
import Testing

@testable import Belay

@Suite("workers")
struct WorkersTests {
    @Test("tells what a worker's beats told")
    func told() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            #expect(try await f.unchanged(Workers(limit: 1)) == [])
            let since = f.clock.now
            try await f.send(Beat(.online, clock: f.moment(.seconds(3)), kinds: ["l", "k"]))
            f.clock.advance(by: .seconds(5))
            try await f.send(Beat(.heartbeat, clock: f.moment(.milliseconds(-250)), kinds: ["l", "k"]))
            f.clock.advance(by: .seconds(1))
            let worker = try #require(try await f.unchanged(Workers(limit: 500)).first)
            let beat = f.moment(.seconds(-1))
            #expect(
                worker
                    == WorkerInfo(
                        name: "host:1:a",
                        seen: beat,
                        since: since,
                        aliveUntil: beat + .seconds(20),
                        interval: .seconds(10),
                        slots: 4,
                        active: 3,
                        succeeded: 2,
                        failed: 1,
                        software: "test/1",
                        drift: .milliseconds(-250),
                        kinds: ["l", "k"],
                        isAlive: true
                    )
            )
        }
    }

    @Test("knows of one that only claims when it was seen, and nothing else")
    func claimsOnly() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running()
            #expect(
                try await f.tracker.workers() == [WorkerInfo(name: "host:1:a", seen: f.clock.now, kinds: [])]
            )
        }
    }

    @Test("counts a worker as alive until just before two intervals after its beat")
    func boundary() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Beat(.online, interval: .seconds(1)))
            f.clock.advance(by: .microseconds(1_999_999))
            #expect(try await f.tracker.workers().map(\.isAlive) == [true])
            f.clock.advance(by: .microseconds(1))
            #expect(try await f.tracker.workers().map(\.isAlive) == [false])
            try await f.send(Beat(.heartbeat, interval: .seconds(1)))
            #expect(try await f.tracker.workers().map(\.isAlive) == [true])
        }
    }

    @Test("does not count a worker as alive from the moment that it left")
    func left() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Beat(.online))
            try await f.send(Beat(.offline))
            let worker = try #require(try await f.tracker.workers().first)
            #expect(worker.isAlive == false)
            #expect(worker.aliveUntil == f.clock.now)
            #expect(worker.drift == nil)
        }
    }

    @Test("tells the latest seen first, whether by a beat or by a claim, and no more than asked for")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            for name in ["a", "b", "c"] {
                try await f.send(Beat(.online, of: name))
                f.clock.advance(by: .seconds(1))
            }
            #expect(try await f.tracker.workers().map(\.name) == ["c", "b", "a"])
            try await f.enqueue("t")
            try await f.send(f.claimMany(worker: WorkerName(trusted: "a")))
            #expect(try await f.tracker.workers().map(\.name) == ["a", "c", "b"])
            #expect(try await f.tracker.workers(limit: 2).map(\.name) == ["a", "c"])
            #expect(try await f.tracker.workers(limit: 1).first?.since != nil)
        }
    }

    @Test("takes a limit of 1 to 500")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            for number in 1...501 { try await f.send(Beat(.heartbeat, of: "w\(number)")) }
            #expect(try await f.tracker.workers(limit: 500).count == 500)
            for limit in [0, 501, -1] {
                await #expect(throws: TrackerError.self) { try await f.tracker.workers(limit: limit) }
            }
        }
    }
}
