import RedisWire
import Testing

@testable import Belay

@Suite("fleet")
struct FleetTests {
    private typealias E = ForeignEvents

    @Test("tells what a worker's events told")
    func told() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.unchanged(Fleet(limit: 1)) == [])
            f.clock.advance(by: .seconds(2))
            let fields = [
                "freq": "2", "sw_ident": "py-celery", "sw_ver": "5.4.0", "sw_sys": "Linux", "active": "3",
                "processed": "9",
            ]
            try await f.send(Ingest(events: [E.worker("heartbeat", "w1", 1000, heard: 1100, fields)]))
            let worker = try #require(try await f.unchanged(Fleet(limit: 500)).first)
            #expect(worker.hostname == "w1")
            #expect(worker.beats == [E.start + .milliseconds(1100)])
            #expect([worker.interval, worker.drift] == [.seconds(2), .milliseconds(100)])
            #expect(worker.software == "py-celery 5.4.0 Linux")
            #expect([worker.active, worker.processed] == [3, 9])
            #expect(worker.aliveUntil == E.start + .milliseconds(5100))
            #expect(worker.isAlive && !worker.isDrifting && worker.left == nil)
        }
    }

    @Test(
        "counts a worker as alive until just before two intervals after its latest heartbeat, 60 s where it told none"
    )
    func boundary() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(
                Ingest(events: [E.worker("heartbeat", "w1"), E.worker("heartbeat", "w2", 0, ["freq": "1"])])
            )
            func alive() async throws -> [String] {
                try await f.tracker.foreignWorkers().filter(\.isAlive).map(\.hostname).sorted()
            }
            f.clock.advance(by: .microseconds(1_999_999))
            #expect(try await alive() == ["w1", "w2"])
            f.clock.advance(by: .microseconds(1))
            #expect(try await alive() == ["w1"])
            f.clock.advance(by: .microseconds(117_999_999))
            #expect(try await alive() == ["w1"])
            f.clock.advance(by: .microseconds(1))
            #expect(try await alive() == [])
            try await f.send(Ingest(events: [E.task("started", "a", 120_000, host: "w2")]))
            #expect(try await alive() == ["w2"], "an event of a task is a heartbeat")
            try await f.send(Ingest(events: [E.worker("offline", "w2", 120_000)]))
            #expect(try await alive() == [])
            #expect(try await f.tracker.foreignWorkers().first?.left == f.clock.now)
        }
    }

    @Test("flags a clock that is off by more than 16 s, either way")
    func drift() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(100))
            for (host, drift) in [("a", 16_000), ("b", 16_001), ("c", -16_000), ("d", -16_001)] {
                try await f.send(Ingest(events: [E.worker("heartbeat", host, 50_000, heard: 50_000 + drift)]))
            }
            let flagged = try await f.tracker.foreignWorkers().filter(\.isDrifting).map(\.hostname)
            #expect(Set(flagged) == ["b", "d"])
        }
    }

    @Test("tells the latest heard of first, and no more than asked for, 1 to 500")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(100))
            for (number, host) in ["a", "b", "c"].enumerated() {
                try await f.send(Ingest(events: [E.worker("online", host, number * 1000)]))
            }
            #expect(try await f.tracker.foreignWorkers(limit: 2).map(\.hostname) == ["c", "b"])
            for limit in [0, 501] {
                await #expect(throws: TrackerError.self) { try await f.tracker.foreignWorkers(limit: limit) }
            }
        }
    }
}
