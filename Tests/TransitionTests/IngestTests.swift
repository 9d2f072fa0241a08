import RedisWire
import Testing

@testable import Belay

/// Events of foreign tasks and workers; moments are milliseconds after the clock's start.
enum ForeignEvents {
    static let start = ManualClock().now

    static func task(
        _ word: String,
        _ uuid: String = "a",
        _ time: Int = 0,
        clock: Int = 0,
        host: String? = "w1",
        heard: Int? = nil,
        _ fields: [String: String] = [:]
    ) throws -> CeleryEvent {
        try CeleryEvent(
            type: "task-\(word)",
            uuid: uuid,
            hostname: host,
            timestamp: start + .milliseconds(time),
            clock: clock,
            localReceived: heard.map { start + .milliseconds($0) },
            fields: fields
        )
    }

    static func worker(
        _ word: String,
        _ host: String = "w1",
        _ time: Int = 0,
        heard: Int? = nil,
        _ fields: [String: String] = [:]
    ) throws -> CeleryEvent {
        try CeleryEvent(
            type: "worker-\(word)",
            hostname: host,
            timestamp: start + .milliseconds(time),
            localReceived: heard.map { start + .milliseconds($0) },
            fields: fields
        )
    }
}

extension TrackerFixture {
    /// Sends events twice: the second call must change nothing, and say so.
    @discardableResult
    fileprivate func again(_ verb: Ingest, sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> IngestOutcome
    {
        let outcome = try await send(verb)
        let second = try await unchanged(verb, sourceLocation: sourceLocation)
        #expect(
            second == IngestOutcome(applied: 0, unchanged: verb.events.count, evicted: 0),
            sourceLocation: sourceLocation
        )
        return outcome
    }
}

@Suite("ingest")
struct IngestTests {
    private typealias E = ForeignEvents

    private static let at = ForeignEvents.start.microseconds

    @Test("keeps a task by its events, each of which stamps its own moment")
    func oneTask() async throws {
        try await TrackerFixture.run { f async throws in
            let sent = try E.task("sent", clock: 1, host: "client", ["name": "app.add", "args": "(1,)", "queue": "q"])
            let received = try E.task("received", "a", 1, clock: 2, ["name": "app.add", "args": "(1, 2)"])
            let started = try E.task("started", "a", 2, clock: 3, host: "w2", ["pid": "7"])
            let events = try await f.events {
                let outcome = try await f.again(Ingest(events: [sent, received, started]))
                #expect(outcome == IngestOutcome(applied: 3, unchanged: 0, evicted: 0))
            }
            #expect(events.first == "ingested  a | STARTED")
            #expect(
                try await f.dump().hash("y:a") == [
                    "s": "STARTED", "m": "\(Self.at + 2000) 3", "l": "\(Self.at + 2000)", "h": "w2", "client": "client",
                    "@sent": "\(Self.at) 1", "@received": "\(Self.at + 1000) 2", "@started": "\(Self.at + 2000) 3",
                    ".name": "app.add", ".args": "(1, 2)", ".queue": "q", ".pid": "7",
                ]
            )
            #expect(try await f.dump().hash("yc") == ["events": "3", "received": "1"])
        }
    }

    @Test("tells once for each call what became of the tasks that changed")
    func emits() async throws {
        try await TrackerFixture.run { f async throws in
            let first = try [E.task("started", "a"), E.task("sent", "b", host: nil), E.task("failed", "a", 1)]
            #expect(
                try await f.events { try await f.send(Ingest(events: first)) } == [
                    "ingested  a,b | FAILURE,PENDING", "ingested   | worker-online by w1",
                ]
            )
            let second = try [E.task("started", "a"), E.task("received", "b", 1, host: nil)]
            #expect(try await f.events { try await f.send(Ingest(events: second)) } == ["ingested  b | RECEIVED"])
            #expect(try await f.events { try await f.unchanged(Ingest(events: first)) } == [])
        }
    }

    @Test("of a received that comes late takes only what it alone knows")
    func lateReceived() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(
                Ingest(events: [E.task("started", "a", 5, clock: 5, ["pid": "1", "name": "old", "queue": "q"])])
            )
            let fields = [
                "name": "n", "args": "a", "kwargs": "k", "parent_id": "p", "root_id": "r", "retries": "2", "eta": "e",
                "expires": "x", "queue": "other", "pid": "9", "result": "no", "more": "{}",
            ]
            try await f.again(Ingest(events: [E.task("received", "a", 9, clock: 4, host: "w9", fields)]))
            #expect(
                try await f.dump().hash("y:a") == [
                    "s": "STARTED", "m": "\(Self.at + 5000) 5", "l": "\(Self.at + 9000)", "h": "w1",
                    "@started": "\(Self.at + 5000) 5", "@received": "\(Self.at + 9000) 4", ".name": "n", ".args": "a",
                    ".kwargs": "k", ".parent_id": "p", ".root_id": "r", ".retries": "2", ".eta": "e", ".expires": "x",
                    ".queue": "q", ".pid": "1",
                ]
            )
        }
    }

    @Test("of any other late event takes all fields, but not its timestamp, clock and host")
    func lateOther() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(Ingest(events: [E.task("succeeded", "a", 5, clock: 5, ["result": "3", "pid": "1"])]))
            try await f.again(
                Ingest(events: [E.task("started", "a", 9, clock: 9, host: "w9", ["pid": "2", "queue": "q"])])
            )
            let record = try #require(try await f.dump().hash("y:a"))
            #expect([record["s"], record["m"], record["h"]] == ["SUCCESS", "\(Self.at + 5000) 5", "w1"])
            #expect([record[".pid"], record[".queue"], record[".result"]] == ["2", "q", "3"])
            #expect(record["@started"] == "\(Self.at + 9000) 9")
        }
    }

    @Test("changes nothing by an event that is no newer than the newest of its sort")
    func older() async throws {
        try await TrackerFixture.run { f async throws in
            let second = try E.task("retried", "a", 4, clock: 6, ["exception": "B"])
            try await f.send(Ingest(events: [E.task("retried", "a", 5, clock: 2, ["exception": "A"]), second]))
            for event in [second, try E.task("retried", "a", 9, clock: 5), try E.task("retried", "a", 3, clock: 6)] {
                let outcome = try await f.unchanged(Ingest(events: [event]))
                #expect(outcome == IngestOutcome(applied: 0, unchanged: 1, evicted: 0))
            }
            #expect(try await f.dump().hash("y:a")?[".exception"] == "B")
            #expect(try await f.dump().hash("yc")?["events"] == "2")
        }
    }

    @Test("lets no event of a run before the newest retry move the state")
    func earlierRun() async throws {
        try await TrackerFixture.run { f async throws in
            for event in [
                try E.task("retried", "a", 2, clock: 2), try E.task("received", "a", 3, clock: 3),
                try E.task("started", "a", 1, clock: 1, ["pid": "1"]),
            ] { try await f.again(Ingest(events: [event])) }
            let record = try #require(try await f.dump().hash("y:a"))
            #expect([record["s"], record[".pid"]] == ["RECEIVED", "1"])
            try await f.again(Ingest(events: [E.task("started", "a", 4, clock: 4)]))
            #expect(try await f.tracker.foreignTask("a")?.state == .started)
        }
    }

    @Test("of a retry and any other takes the newest, by clock, or by timestamp where one has no clock")
    func retryOrder() async throws {
        try await TrackerFixture.run { f async throws in
            let cases: [(retry: (Int, Int), other: (Int, Int), isRetry: Bool)] = [
                ((1, 9), (2, 8), true), ((2, 8), (1, 9), false), ((1, 0), (2, 8), false), ((2, 8), (1, 0), true),
                ((2, 0), (1, 0), true), ((5, 5), (5, 5), false),
            ]
            for (number, item) in cases.enumerated() {
                for order in [0, 1] {
                    let id = "t\(number)-\(order)"
                    let pair = [
                        try E.task("retried", id, item.retry.0, clock: item.retry.1),
                        try E.task("received", id, item.other.0, clock: item.other.1),
                    ]
                    for event in order == 0 ? pair : pair.reversed() { try await f.again(Ingest(events: [event])) }
                    let state = try await f.tracker.foreignTask(TaskID(id))?.state
                    #expect(state == (item.isRetry ? .retry : .received), "\(item) \(order)")
                }
            }
        }
    }

    @Test("moves a task between the indexes of state, name, worker and parent, each of which it is in once")
    func indexes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(
                Ingest(events: [
                    E.task("sent", "a", 0, host: "client", ["name": "old", "parent_id": "p"]),
                    E.task("progress", "b", 1, ["name": "old"]),
                ])
            )
            var dump = try await f.dump()
            #expect(dump.index("ys") == ["PENDING": 0, "PROGRESS": 0])
            #expect(dump.index("yn:old") == ["a": Self.at, "b": Self.at + 1000])
            #expect(dump.index("yp:p") == ["a": 0])
            Invariants.check(dump, sourceLocation: #_sourceLocation)
            let started = try E.task("started", "a", 2, host: "w2", ["name": "new", "parent_id": "q"])
            try await f.again(Ingest(events: [started, E.task("succeeded", "b", 2, host: "w2")]))
            dump = try await f.dump()
            #expect(dump.index("ys") == ["STARTED": 0, "SUCCESS": 0])
            #expect(dump.index("yn") == ["new": 0, "old": 0])
            #expect(dump.index("yh:w2") == ["a": Self.at + 2000, "b": Self.at + 2000])
            #expect([dump.keys["yp:p"], dump.keys["yh:w1"], dump.keys["ys:PROGRESS"]] == [nil, nil, nil])
            #expect(dump.index("yp:q") == ["a": 0])
        }
    }

    @Test("counts each event of a task that a worker sent as its heartbeat, but of a client none")
    func beats() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(60))
            try await f.send(
                Ingest(events: [E.task("sent", "a", host: "client"), E.task("started", "b", 5, host: nil)])
            )
            #expect(try await f.dump().index("yw") == [:])
            for time in [3, 1, 9, 5, 3, 7] { try await f.again(Ingest(events: [E.task("started", "t\(time)", time)])) }
            let beats = [3, 5, 7, 9].map { "\(Self.at + $0 * 1000)" }.joined(separator: " ")
            #expect(try await f.dump().hash("yw:w1") == ["b": beats])
            try await f.again(Ingest(events: [E.task("started", "t2", 2)]))
            #expect(try await f.dump().hash("yw:w1") == ["b": beats], "older than the four")
            #expect(try await f.dump().index("yw") == ["w1": Self.at + 9000])
        }
    }

    @Test("takes what a worker tells of itself from its newest event, and its drift from its latest heartbeat")
    func workers() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(60))
            let second = try E.worker("heartbeat", "w1", 2000, heard: 2250, ["active": "2", "freq": "2.5"])
            try await f.again(Ingest(events: [second]))
            try await f.again(
                Ingest(events: [E.worker("online", "w1", 1000, heard: 1900, ["active": "1", "sw_ver": "5"])])
            )
            #expect(
                try await f.dump().hash("yw:w1") == [
                    "b": "\(Self.at + 1_900_000) \(Self.at + 2_250_000)", "v": "\(Self.at + 2_000_000)", "active": "2",
                    "freq": "2500000", "drift": "250000",
                ]
            )
            try await f.again(Ingest(events: [E.worker("heartbeat", "w1", 40_000, heard: 20_000)]))
            #expect(try await f.dump().hash("yw:w1")?["drift"] == "-20000000")
        }
    }

    @Test("does not believe a heartbeat of the future")
    func future() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.again(Ingest(events: [E.worker("heartbeat", "w1", 3_600_000)]))
            #expect(try await f.dump().hash("yw:w1")?["b"] == "\(f.now)")
        }
    }

    @Test("tells of workers that join and leave, and clears the heartbeats of those that left")
    func joining() async throws {
        try await TrackerFixture.run { f async throws in
            f.clock.advance(by: .seconds(60))
            func told(_ event: CeleryEvent) async throws -> [String] {
                try await f.events { try await f.again(Ingest(events: [event])) }
            }
            let (joined, left) = (["ingested   | worker-online by w1"], ["ingested   | worker-offline by w1"])
            #expect(try await told(E.worker("offline", "w1", 0)) == [])
            #expect(try await told(E.worker("heartbeat", "w1", 1000)) == joined)
            #expect(try await told(E.worker("heartbeat", "w1", 2000)) == [])
            #expect(try await told(E.worker("online", "w1", 3000)) == joined, "killed and started again")
            #expect(try await told(E.worker("offline", "w1", 4000)) == left)
            #expect(try await f.dump().hash("yw:w1")?["b"] == "")
            #expect(try await told(E.worker("heartbeat", "w1", 3500)) == [], "late")
            #expect(try await f.dump().hash("yw:w1")?["b"] == "")
            #expect(try await told(E.worker("online", "w1", 5000)) == joined)
            #expect(try await told(E.worker("offline", "w1", 4500)) == [], "late, of the run before")
            #expect(try await f.dump().hash("yw:w1")?["b"] == "\(Self.at + 5_000_000)")
        }
    }

    @Test("refuses the 101st state of programs' own, and then changes nothing")
    func states() async throws {
        try await TrackerFixture.run { f async throws in
            let events = try (1...100).map { try E.task("state\($0)", "t\($0)") }
            try await f.send(Ingest(events: events + [E.task("failed", "f")]))
            let more = try Ingest(events: [E.task("succeeded", "f", 1), E.task("odd", "o"), E.task("state1", "n")])
            let before = try await f.dump()
            do {
                try await f.send(more)
                Issue.record("was taken")
            } catch let error as TrackerError {
                #expect(error.code == .full)
                #expect(error.message.contains("“ODD”"))
            }
            #expect(try await f.dump().changes(since: before) == [])
            try await f.again(Ingest(events: [E.task("succeeded", "t7", 1)]))
            try await f.again(more)
            #expect(try await f.dump().index("ys").count == 101)
        }
    }

    @Test("takes 1 to 500 events")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let events = try (0...500).map { try E.task("started", "t\($0)", $0) }
            for bad in [[], events] {
                await #expect(throws: TrackerError.self) { try await f.tracker.ingest(bad) }
            }
            #expect(try await f.tracker.ingest(Array(events.dropLast())).applied == 500)
        }
    }
}
