import BelayTestKit
import Testing

@testable import Belay

/// Tasks and workers of Celery, on every backend.
@Suite("foreign tasks")
struct ForeignContract {
    private static let start = ManualClock().now
    /// Events by their words, the lowest state first.
    private static let words = [
        "sent", "retried", "rejected", "received", "started", "revoked", "progress", "failed", "succeeded",
    ]

    /// An event so many milliseconds after the start.
    private static func task(
        _ word: String,
        _ uuid: TaskID = "a",
        at time: Int = 0,
        clock: Int = 0,
        host: String? = "w",
        _ fields: [String: String] = [:]
    ) throws(TrackerError) -> CeleryEvent {
        try CeleryEvent(
            type: "task-\(word)",
            uuid: uuid.description,
            hostname: host,
            timestamp: start + .milliseconds(time),
            clock: clock,
            fields: fields
        )
    }

    private static func worker(_ word: String, _ host: String = "w", at time: Int, heard: Int? = nil) throws
        -> CeleryEvent
    {
        try CeleryEvent(
            type: "worker-\(word)",
            hostname: host,
            timestamp: start + .milliseconds(time),
            localReceived: heard.map { start + .milliseconds($0) }
        )
    }

    @Test(
        "the higher of two states wins in both orders, and the newer where one is RETRY",
        arguments: TestedBackend.allCases
    )
    func pairs(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for (low, first) in Self.words.enumerated() {
                for (high, second) in Self.words.enumerated() where low < high {
                    for (clocks, order) in [((1, 2), 0), ((2, 1), 0), ((1, 2), 1), ((2, 1), 1)] {
                        let id = TaskID(trusted: "\(first)-\(second)-\(clocks)-\(order)")
                        let pair = [
                            try Self.task(first, id, at: clocks.0, clock: clocks.0),
                            try Self.task(second, id, at: clocks.1, clock: clocks.1),
                        ]
                        for event in order == 0 ? pair : pair.reversed() { try await tracker.ingest([event]) }
                        let isNewest = first == "retried" || second == "retried"
                        let wins = isNewest && clocks.0 > clocks.1 ? first : second
                        #expect(try await tracker.foreignTask(id)?.state == ForeignState(word: wins), "\(id)")
                    }
                }
            }
        }
    }

    @Test("any order of a task's events, but for retries, gives the same state", arguments: TestedBackend.allCases)
    func anyOrder(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            var random = SplitMix(state: 11)
            let words = Self.words.filter { $0 != "retried" } + ["upload"]
            for round in 0..<60 {
                let events = (1...6).map { (random.pick(words), random.below(4), $0) }
                var states: Set<ForeignState?> = []
                for order in 0..<6 {
                    let id = TaskID(trusted: "t\(round)-\(order)")
                    for (word, time, clock) in events.shuffled(using: &random) {
                        try await tracker.ingest([Self.task(word, id, at: time, clock: clock)])
                    }
                    states.insert(try await tracker.foreignTask(id)?.state)
                }
                let highest = events.map { ForeignState(word: $0.0) }.max { $0.precedence < $1.precedence }
                #expect(states.count == 1, "\(events): \(states)")
                #expect(states.first??.precedence == highest?.precedence)
            }
        }
    }

    @Test(
        "a late received overwrites what it alone knows, other late events all but who and when",
        arguments: TestedBackend.allCases
    )
    func late(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let told = [
                "name": "n", "args": "a", "kwargs": "k", "parent_id": "p", "root_id": "r", "retries": "1", "eta": "e",
                "expires": "x",
            ]
            let spare = ["queue": "no", "pid": "9", "result": "no"]
            try await tracker.ingest([Self.task("succeeded", at: 5, clock: 5, ["result": "3", "args": "old"])])
            let late = told.merging(spare) { $1 }
            try await tracker.ingest([Self.task("received", at: 9, clock: 1, host: "other", late)])
            var task = try #require(try await tracker.foreignTask("a"))
            #expect(task.fields == told.merging(["result": "3"]) { $1 })
            try await tracker.ingest([
                Self.task("started", at: 8, clock: 2, host: "other", ["pid": "7", "args": "new"])
            ])
            task = try #require(try await tracker.foreignTask("a"))
            #expect([task.fields["pid"], task.fields["args"]] == ["7", "new"])
            #expect((task.state, task.timestamp, task.clock) == (.success, Self.start + .milliseconds(5), 5))
            #expect((task.hostname, task.lastEvent) == ("w", Self.start + .milliseconds(9)))
            #expect(
                task.moments == [
                    "succeeded": Self.start + .milliseconds(5), "received": Self.start + .milliseconds(9),
                    "started": Self.start + .milliseconds(8),
                ]
            )
        }
    }

    @Test("a task that is retried starts over", arguments: TestedBackend.allCases)
    func retried(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let words = ["sent", "received", "started", "retried", "received", "started", "succeeded"]
            let states: [ForeignState] = [.pending, .received, .started, .retry, .received, .started, .success]
            for (place, (word, state)) in zip(words, states).enumerated() {
                try await tracker.ingest([Self.task(word, at: place, clock: place + 1)])
                #expect(try await tracker.foreignTask("a")?.state == state)
            }
            // An old event once more, and one of the first run that was not seen.
            for (word, clock) in [("started", 3), ("retried", 4), ("rejected", 2)] {
                try await tracker.ingest([Self.task(word, at: clock - 1, clock: clock)])
                #expect(try await tracker.foreignTask("a")?.state == .success)
            }
        }
    }

    @Test("the same events again change nothing and tell nothing", arguments: TestedBackend.allCases)
    func again(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            var random = SplitMix(state: 5)
            clock.advance(by: .seconds(600))
            for round in 0..<20 {
                var events: [CeleryEvent] = []
                for number in 0..<10 {
                    let uuid = TaskID(trusted: "\(round)-\(random.below(3))")
                    events.append(
                        try Self.task(
                            random.pick(Self.words),
                            uuid,
                            at: random.below(9),
                            clock: number + 1,
                            ["pid": "\(number)"]
                        )
                    )
                }
                events.append(try Self.worker(random.pick(["online", "heartbeat", "offline"]), at: random.below(500)))
                let first = try await tracker.ingest(events)
                #expect(first.applied + first.unchanged == events.count)
                let before = try await Snapshot(tracker)
                for sent in [events, events.shuffled(using: &random), [events[0]], [events[9], events[3]]] {
                    #expect(try await tracker.ingest(sent).applied == 0)
                }
                #expect(try await Snapshot(tracker) == before)
            }
        }
    }

    @Test(
        "a child finds its parent, also when it comes first, and a new one when it names another",
        arguments: TestedBackend.allCases
    )
    func children(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.ingest([Self.task("received", "child", ["parent_id": "a", "root_id": "root"])])
            #expect(try await tracker.foreignTask("a") == nil)
            try await tracker.ingest([
                Self.task("sent", "a"), Self.task("sent", "b"), Self.task("sent", "other", ["parent_id": "a"]),
            ])
            #expect(try await tracker.foreignTask("a")?.children == ["child", "other"])
            let child = try #require(try await tracker.foreignTask("child"))
            #expect([child.parent, child.root] == ["a", "root"])
            try await tracker.ingest([Self.task("started", "child", at: 1, ["parent_id": "b"])])
            #expect(try await tracker.foreignTask("a")?.children == ["other"])
            #expect(try await tracker.foreignTask("b")?.children == ["child"])
            #expect(try await tracker.foreignTasks().tasks.allSatisfy { $0.children.isEmpty })
        }
    }

    @Test("at most 10,000 tasks are kept, those heard of last", arguments: TestedBackend.allCases)
    func cap(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for batch in 0..<20 {
                let events = try (0..<500).map {
                    try Self.task("sent", TaskID(trusted: "\(batch)-\($0)"), at: 500 * batch + $0)
                }
                #expect(try await tracker.ingest(events).evicted == 0)
            }
            try await tracker.ingest([Self.task("started", "0-0", at: 20_000, ["parent_id": "0-1"])])
            let position = try #require(try await tracker.events(from: .newest).position)
            let more = try (0..<3).map {
                try Self.task("succeeded", TaskID(trusted: "new-\($0)"), at: 30_000 + $0, host: nil)
            }
            #expect(try await tracker.ingest(more) == IngestOutcome(applied: 3, unchanged: 0, evicted: 3))
            let counts = try await tracker.foreignCounts()
            #expect(counts.tasks == Limits.foreignTasks)
            #expect(counts.states == [.pending: 9996, .started: 1, .success: 3])
            for gone: TaskID in ["0-1", "0-2", "0-3"] { #expect(try await tracker.foreignTask(gone) == nil) }
            for kept: TaskID in ["0-0", "0-4", "new-2"] { #expect(try await tracker.foreignTask(kept) != nil) }
            let told = try await tracker.events(from: .after(position)).events
            #expect(told.map(\.name) == [.ingested, .ingested, .ingested, .ingested])
            #expect(told.map(\.task) == ["new-0", "new-1", "new-2", nil])
            #expect(told.map(\.detail) == ["SUCCESS", "SUCCESS", "SUCCESS", "evicted 3"])
            // The longest not heard of makes room, even where it is the event's own.
            #expect(try await tracker.ingest([Self.task("sent", "old", at: 1, host: nil)]).evicted == 1)
            #expect(try await tracker.foreignTask("old") == nil)
        }
    }

    @Test("at most 5,000 workers are kept, those heard of last", arguments: TestedBackend.allCases)
    func workerCap(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            clock.advance(by: .seconds(600))
            for batch in 0..<10 {
                try await tracker.ingest(
                    (0..<500).map { try Self.worker("online", "w\(batch)-\($0)", at: 500 * batch + $0) }
                )
            }
            try await tracker.ingest([
                Self.worker("heartbeat", "w0-0", at: 9000), Self.worker("online", "new", at: 9001),
            ])
            #expect(try await tracker.foreignWorkers(limit: 2).map(\.hostname) == ["new", "w0-0"])
            // The one that made room joins anew.
            let position = try #require(try await tracker.events(from: .newest).position)
            try await tracker.ingest([
                Self.worker("heartbeat", "w0-1", at: 9002), Self.worker("heartbeat", "w9-9", at: 9003),
            ])
            #expect(try await tracker.events(from: .after(position)).events.map(\.worker) == ["w0-1"])
        }
    }

    @Test(
        "a worker is alive for two intervals after its latest heartbeat, and no longer when it left",
        arguments: TestedBackend.allCases
    )
    func liveness(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            func alive() async throws -> Bool? { try await tracker.foreignWorkers().first?.isAlive }
            clock.advance(by: .seconds(10))
            try await tracker.ingest([Self.worker("online", at: 10_000)])
            #expect(try await alive() == true)
            clock.advance(by: .microseconds(119_999_999))
            #expect(try await alive() == true)
            clock.advance(by: .microseconds(1))
            #expect(try await alive() == false)
            try await tracker.ingest([Self.task("started", at: 130_000)])
            #expect(try await alive() == true, "an event of a task is a heartbeat")
            try await tracker.ingest([Self.worker("offline", at: 130_000)])
            #expect(try await alive() == false)
            #expect(try await tracker.foreignWorkers()[0].beats == [])
            try await tracker.ingest([Self.worker("heartbeat", at: 129_999)])
            #expect(try await alive() == false, "older than its leave")
            clock.advance(by: .milliseconds(1))
            try await tracker.ingest([Self.worker("online", at: 130_001), Self.worker("heartbeat", at: 999_999)])
            #expect(try await tracker.foreignWorkers()[0].beats == [clock.now], "the future is now")
            try await tracker.ingest([Self.worker("heartbeat", at: 100_000, heard: 129_000)])
            #expect(try await alive() == true)
            #expect(try await tracker.foreignWorkers()[0].isDrifting == false, "not of the latest heartbeat")
            let told = try await tracker.events(from: .oldest).events.filter { $0.name == .ingested && $0.task == nil }
            #expect(told.map(\.detail) == ["worker-online", "worker-offline", "worker-online"])
            #expect(told.allSatisfy { $0.worker == "w" })
        }
    }

    @Test("finished tasks are forgotten, or all with the workers", arguments: TestedBackend.allCases)
    func clears(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("own")
            for word in Self.words { try await tracker.ingest([Self.task(word, TaskID(trusted: word))]) }
            #expect(try await tracker.clearForeign() == 3)
            let left = try await tracker.foreignTasks().tasks.map(\.state)
            #expect(Set(left) == [.pending, .retry, .rejected, .received, .started, .custom("PROGRESS")])
            #expect(try await tracker.foreignWorkers().count == 1)
            #expect(try await tracker.clearForeign(finishedOnly: false) == 6)
            #expect(try await tracker.foreignWorkers().isEmpty)
            #expect(
                try await tracker.foreignCounts()
                    == ForeignCounts(tasks: 0, states: [:], names: [:], events: 0, received: 0)
            )
            #expect(try await tracker.state(of: "own") == .ready)
        }
    }

    @Test("a page goes on where the one before ended", arguments: TestedBackend.allCases)
    func pages(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for number in 0..<9 {
                let fields = ["name": number < 4 ? "n" : "m"]
                try await tracker.ingest([
                    Self.task("started", TaskID(trusted: "t\(number)"), at: number / 4, host: "w\(number % 2)", fields)
                ])
            }
            let first = try await tracker.foreignTasks(limit: 3)
            #expect(first.tasks.map(\.uuid) == ["t8", "t7", "t6"])
            try await tracker.ingest([Self.task("succeeded", "t6", at: 9), Self.task("sent", "new", at: 9)])
            let second = try await tracker.foreignTasks(limit: 6, cursor: first.cursor)
            #expect(second.tasks.map(\.uuid) == ["t5", "t4", "t3", "t2", "t1", "t0"])
            #expect(second.cursor == nil)
            #expect(try await tracker.foreignTasks(.name("n")).tasks.map(\.uuid) == ["t3", "t2", "t1", "t0"])
            #expect(try await tracker.foreignTasks(.worker("w1")).tasks.map(\.uuid) == ["t7", "t5", "t3", "t1"])
            #expect(try await tracker.foreignTasks(.state(.success)).tasks.map(\.uuid) == ["t6"])
            #expect(await code { _ = try await tracker.foreignTasks(cursor: "t6") } == .invalidArgument)
        }
    }

    @Test("the 101st state of programs' own is refused, and nothing is taken", arguments: TestedBackend.allCases)
    func states(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.ingest((1...100).map { try Self.task("s\($0)", TaskID(trusted: "t\($0)")) })
            let before = try await Snapshot(tracker)
            let more = [try Self.task("failed", "t1", at: 1), try Self.task("x1", "a"), try Self.task("x2", "b")]
            #expect(await code { try await tracker.ingest(more) } == .full)
            #expect(try await Snapshot(tracker) == before)
            #expect(await code { try await tracker.ingest([]) } == .invalidArgument)
        }
    }

    @Test("random events: Redis and the in-memory tracker tell the same", arguments: 0..<8)
    func differential(seed: Int) async throws {
        var random = SplitMix(state: UInt64(seed) + 100)
        let (words, hosts) = (Self.words + ["upload", "succeeded", "pending"], ["w1", "w2", nil])
        var calls: [[CeleryEvent]] = []
        for _ in 0..<60 {
            var events: [CeleryEvent] = []
            for _ in 0...random.below(6) {
                let time = random.below(40)
                if random.below(5) == 0 {
                    let heard = random.below(2) == 0 ? nil : time + random.below(20_000)
                    events.append(
                        try Self.worker(
                            random.pick(["online", "heartbeat", "offline"]),
                            random.pick(["w1", "w2"]),
                            at: time,
                            heard: heard
                        )
                    )
                    continue
                }
                let fields = ["name", "args", "parent_id", "queue"].filter { _ in random.below(3) == 0 }
                events.append(
                    try Self.task(
                        random.pick(words),
                        TaskID(trusted: "t\(random.below(5))"),
                        at: time,
                        clock: random.below(3) == 0 ? 0 : random.below(40),
                        host: random.pick(hosts),
                        Dictionary(uniqueKeysWithValues: fields.map { ($0, "t\(random.below(5))") })
                    )
                )
            }
            calls.append(events)
        }
        var told: [[Snapshot]] = []
        for backend in TestedBackend.allCases {
            try await backend.run { tracker, clock in
                var snapshots: [Snapshot] = []
                for (place, events) in calls.enumerated() {
                    let outcome = try await tracker.ingest(events)
                    clock.advance(by: .milliseconds(place % 3))
                    if place % 25 == 24 { try await tracker.clearForeign() }
                    var snapshot = try await Snapshot(tracker)
                    snapshot.outcome = outcome
                    snapshots.append(snapshot)
                }
                told.append(snapshots)
            }
        }
        for (place, (redis, memory)) in zip(told[0], told[1]).enumerated() {
            #expect(redis == memory, "call \(place): \(calls[place])")
            if redis != memory { return }
        }
    }
}

/// All that a tracker tells of Celery.
private struct Snapshot: Equatable {
    var tasks: [ForeignTask?]
    var counts: ForeignCounts
    var workers: [ForeignWorker]
    var events: [String]
    var outcome: IngestOutcome?

    init(_ tracker: Tracker) async throws {
        tasks = []
        for task in try await tracker.foreignTasks(limit: 500).tasks {
            tasks.append(try await tracker.foreignTask(task.uuid))
        }
        counts = try await tracker.foreignCounts()
        workers = try await tracker.foreignWorkers()
        events = try await tracker.events(from: .oldest).events.map {
            "\($0.name) \($0.task?.description ?? "-") \($0.detail) \($0.worker ?? "-") \($0.time)"
        }
    }
}
