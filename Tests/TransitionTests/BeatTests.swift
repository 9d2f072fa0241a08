import RedisWire
import Testing

@testable import Belay

@Suite("beat")
struct BeatTests {
    @Test("tells who begins to work, what it takes, and until when it counts as alive")
    func online() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            let verb = Beat(.online, clock: f.moment(.seconds(3)), kinds: ["k", "l"])
            let events = try await f.events { try await f.twice(verb) }
            #expect(events == ["worker-online   by host:1:a"])
            let dump = try await f.dump()
            let alive = f.now + 20_000_000
            #expect(dump.index("workers") == ["host:1:a": f.now])
            #expect([dump.index("k:k"), dump.index("k:l")] == [["host:1:a": alive], ["host:1:a": alive]])
            #expect(
                dump.hash("w:host:1:a") == [
                    "since": "\(f.now)", "beat": "\(f.now)", "alive": "\(alive)", "every": "10000000", "slots": "4",
                    "active": "3", "ok": "2", "bad": "1", "sw": "test/1", "clock": "\(f.now + 3_000_000)",
                    "kinds": "k l",
                ]
            )
        }
    }

    @Test("keeps a worker alive without an event, since it began")
    func heartbeat() async throws {
        try await TrackerFixture.run { f async throws in
            let began = f.now
            try await f.send(Beat(.online))
            f.clock.advance(by: .milliseconds(900))
            #expect(try await f.events { try await f.twice(Beat(.heartbeat, interval: .seconds(3600))) } == [])
            let worker = try #require(try await f.dump().hash("w:host:1:a"))
            #expect([worker["since"], worker["beat"]] == ["\(began)", "\(f.now)"])
            #expect(worker["alive"] == "\(f.now + 7_200_000_000)")
            #expect(worker["clock"] == "")
            #expect(try await f.dump().index("k:k") == ["host:1:a": f.now + 7_200_000_000])
        }
    }

    @Test("of a worker that never said when it began counts from there")
    func heartbeatFirst() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.events { try await f.twice(Beat(.heartbeat)) } == [])
            #expect(try await f.dump().hash("w:host:1:a")?["since"] == "\(f.now)")
        }
    }

    @Test("tells who leaves, and when")
    func offline() async throws {
        try await TrackerFixture.run { f async throws in
            let began = f.now
            try await f.send(Beat(.online))
            f.clock.advance(by: .milliseconds(900))
            #expect(try await f.events { try await f.twice(Beat(.offline)) } == ["worker-offline   by host:1:a"])
            let dump = try await f.dump()
            #expect(dump.index("k:k") == ["host:1:a": f.now])
            #expect(dump.hash("w:host:1:a")?["since"] == "\(began)")
            #expect(dump.hash("w:host:1:a")?["alive"] == "\(f.now)")
        }
    }

    @Test("tells anew of a worker that comes back, after it left, fell silent, or was at work for a while")
    func comesBack() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Beat(.online))
            f.clock.advance(by: .seconds(1))
            try await f.send(Beat(.offline))
            f.clock.advance(by: .seconds(1))
            let online = ["worker-online   by host:1:a"]
            #expect(try await f.events { try await f.twice(Beat(.online)) } == online, "left")
            f.clock.advance(by: .seconds(20))
            #expect(try await f.events { try await f.twice(Beat(.online)) } == online, "silent")
            f.clock.advance(by: .seconds(1))
            try await f.send(Beat(.heartbeat))
            #expect(try await f.events { try await f.twice(Beat(.online)) } == online, "killed and started again")
            #expect(try await f.dump().hash("w:host:1:a")?["since"] == "\(f.now)")
            let other = Beat(.online, kinds: ["k", "l"])
            #expect(try await f.events { try await f.twice(other) } == online, "with other kinds")
        }
    }

    @Test("leaves a worker's claims alone, and is left alone by them")
    func claims() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            let request = f.request(f.claimMany())
            let first = try await f.send(request)
            try await f.send(Beat(.online))
            #expect(try await f.send(request) == first)
            f.clock.advance(by: .seconds(1))
            try await f.send(f.claimMany(token: "2"))
            let worker = try #require(try await f.dump().hash("w:host:1:a"))
            #expect(worker["c0"] == "\(f.now)\n2\nt2")
            #expect(worker["beat"] == "\(f.now - 1_000_000)")
            #expect(try await f.dump().index("workers") == ["host:1:a": f.now])
        }
    }

    @Test("of a worker that takes less than before lets it count for the rest no longer than it said")
    func otherKinds() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.send(Beat(.online, kinds: ["k", "l"]))
            f.clock.advance(by: .seconds(1))
            try await f.send(Beat(.heartbeat, kinds: ["l"]))
            let dump = try await f.dump()
            #expect(dump.index("k:k") == ["host:1:a": f.now + 19_000_000])
            #expect(dump.index("k:l") == ["host:1:a": f.now + 20_000_000])
            #expect(dump.hash("w:host:1:a")?["kinds"] == "l")
        }
    }

    @Test("takes an interval of 1 s to 1 h, 1 to 100 kinds, and a word as its software")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            for interval in [Duration.milliseconds(999), .seconds(3601), .zero, .seconds(-1)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], interval: interval) }
            }
            let many = (1...101).map { KindName(trusted: "k\($0)") }
            for kinds in [[], many] {
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: kinds) }
            }
            for software in ["", "a b", "é", "a\n", String(repeating: "x", count: 65)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], software: software) }
            }
            for count in [-1, 1_000_000_001] {
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], slots: count) }
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], active: count) }
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], succeeded: count) }
                await #expect(throws: TrackerError.self) { try await f.tracker.beat(kinds: ["k"], failed: count) }
            }
            #expect(try await f.dump().index("workers") == [:])
            for interval in [Duration.seconds(1), .seconds(3600)] {
                try await f.tracker.beat(
                    kinds: Array(many.prefix(100)),
                    slots: 1_000_000_000,
                    interval: interval,
                    software: String(repeating: "x", count: 64)
                )
            }
            #expect(try await f.tracker.workers().first?.kinds == Array(many.prefix(100)))
            #expect(try await f.tracker.workers().first?.name == f.tracker.workerName.description)
        }
    }

    @Test("tells of a worker that left because too much failed by a name of its own, once")
    func drained() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Beat(.online))
            f.clock.advance(by: .seconds(1))
            let events = try await f.events { try await f.twice(Beat(.drained)) }
            #expect(events == ["worker-drained   by host:1:a"])
            #expect(try await f.dump().index("k:k") == ["host:1:a": f.now])
            #expect(try await f.events { try await f.send(Beat(.offline)) } == [], "it has left")
            #expect(try await f.dump().hash("w:host:1:a")?["alive"] == "\(f.now)")
        }
    }
}
