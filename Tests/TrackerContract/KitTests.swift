import BelayTestKit
import Synchronization
import Testing

@testable import Belay

/// What the test kit offers to users, used as they would.
@Suite("test kit")
struct KitTests {
    struct Thumbnail: Codable, Sendable, Equatable {
        var image: String
        var width: Int
    }

    static let thumbnails = TaskKind<Thumbnail, String>(
        "thumbnail",
        policy: KindPolicy(attempts: 2, retry: .fixed(.seconds(60)))
    )

    @Test("drain runs what is due, and keeps results and errors")
    func drain() async throws {
        try await withInMemoryTracker { tracker, clock in
            for width in [1, 2, 3, 4] {
                let options = EnqueueOptions(id: try TaskID("w\(width)"))
                try await tracker.enqueue(Self.thumbnails, Thumbnail(image: "a", width: width), options: options)
            }
            #expect(try await tracker.payloads(of: Self.thumbnails).map(\.width) == [1, 2, 3, 4])
            let ran = try await tracker.drain(Self.thumbnails) { thumbnail in
                switch thumbnail.width {
                case 2: throw TaskFailure(type: "io", message: "disk full")
                case 3: throw PermanentFailure("no such image")
                case 4: throw Snooze(for: .seconds(60))
                default: return "\(thumbnail.image)-\(thumbnail.width)"
                }
            }
            #expect(ran.map(\.id) == ["w1", "w2", "w3", "w4"])
            let tasks = try await tracker.get(["w1", "w2", "w3", "w4"])
            #expect(tasks.map { $0?.state } == [.succeeded, .ready, .exhausted, .ready])
            #expect(try tasks[0]?.result?.decoded() == "a-1")
            #expect(tasks[1]?.lastFailure?.failure?.message == "disk full")
            clock.advance(by: .seconds(60))
            #expect(try await tracker.drain(Self.thumbnails) { "\($0.width)" }.map(\.id) == ["w2", "w4"])
            #expect(try await tracker.payloads(of: Self.thumbnails, in: .succeeded).count == 3)
        }
    }

    @Test("drain ends at its limit")
    func drainLimit() async throws {
        try await withInMemoryTracker { tracker, _ in
            try await tracker.enqueue(Self.thumbnails, Thumbnail(image: "a", width: 1))
            #expect(try await tracker.drain(Self.thumbnails, limit: 5) { _ in throw Snooze(for: .zero) }.count == 5)
        }
    }

    @Test("drain exhausts a task whose payload is of another type")
    func drainBadPayload() async throws {
        try await withInMemoryTracker { tracker, _ in
            try await tracker.define("thumbnail")
            let id = try await tracker.enqueue([NewTask("thumbnail", payload: Body(text: "[]"))])[0].id
            try await tracker.drain(Self.thumbnails) { _ in "never" }
            #expect(try await tracker.state(of: id) == .exhausted)
        }
    }

    @Test("in-memory trackers share nothing, whatever their name")
    func apart() async throws {
        let (a, b) = (Tracker.inMemory(), Tracker.inMemory())
        try await a.define("mail")
        #expect(try await b.kinds().isEmpty)
        #expect(a.namespace == "test")
    }

    @Test("a payload limit of the test's own holds")
    func payloadLimit() async throws {
        let tracker = Tracker.inMemory(payloadLimit: 10)
        try await tracker.define("mail")
        let large = Body(bytes: Array(repeating: 0, count: 11))
        #expect(await code { try await tracker.enqueue([NewTask("mail", payload: large)]) } == .tooLarge)
    }

    @Test("a worker runs tasks of an in-memory tracker, at once when they come", .timeLimit(.minutes(1)))
    func worker() async throws {
        let tracker = Tracker.inMemory(clock: .running)
        let (ran, continuation) = AsyncStream<Int>.makeStream()
        var configuration = Worker.Configuration()
        configuration.pollInterval = .seconds(60)
        let handler = Handler(Self.thumbnails) { thumbnail, _ in
            continuation.yield(thumbnail.width)
            return "done"
        }
        let worker = try Worker(tracker, configuration: configuration, handlers: [handler])
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            var widths = ran.makeAsyncIterator()
            for width in 1...20 {
                // The first ones wait for the worker, the later ones the worker waits for.
                if width > 10 { try await Task.sleep(for: .milliseconds(5)) }
                try await tracker.enqueue(Self.thumbnails, Thumbnail(image: "a", width: width))
                #expect(await widths.next() == width)
            }
            // The last result is on its way when its handler has spoken.
            while try await tracker.stats().kinds[0].succeeded < 20 { try await Task.sleep(for: .milliseconds(1)) }
            group.cancelAll()
        }
    }

    @Test("leases run out on a running clock")
    func runningClock() async throws {
        let tracker = Tracker.inMemory(clock: .running)
        try await tracker.enqueue(Self.thumbnails, Thumbnail(image: "a", width: 1))
        let first = try await tracker.claim(["thumbnail"], lease: .milliseconds(50))
        #expect(try await tracker.claim(["thumbnail"]).isEmpty)
        try await Task.sleep(for: .milliseconds(60))
        #expect(try await tracker.reap().items.map(\.id) == first.map(\.id))
    }

    @Test("a tracker on a private Redis takes the server's time or the test's")
    func redisTracker() async throws {
        try await withRedisTracker { tracker in
            try await tracker.enqueue(Self.thumbnails, Thumbnail(image: "a", width: 1))
            #expect(try await tracker.drain(Self.thumbnails) { _ in "x" }.count == 1)
            #expect(try await tracker.stats().now > ManualClock().now)
        }
        let clock = ManualClock()
        let now = try await withRedisTracker(clock: clock) { tracker in try await tracker.stats().now }
        #expect(now == clock.now)
    }
}
