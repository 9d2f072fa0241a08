import BelayTestKit
import RedisWire
import Synchronization
import Testing

@testable import Belay

/// The server does what it is asked, and its answer never comes: the client asks again by itself.
@Suite("Lost replies", .timeLimit(.minutes(1)))
struct LostReplyTests {
    private let kind: KindName = "work"

    /// Runs `body` with a tracker behind a proxy, and a client that goes past it.
    private func withProxy(
        partitions: Int = 1,
        _ body: (Tracker, LossyProxy, RedisClient) async throws -> Void
    ) async throws {
        try await withPrivateRedisServer(.init(transport: .loopback)) { server in
            try await LossyProxy.with(server) { proxy in
                var configuration = try Tracker.Configuration(url: proxy.url, namespace: "system")
                configuration.partitions = partitions
                let tracker = try Tracker(configuration: configuration, logger: .silent)
                let client = RedisClient(configuration: try RedisConfiguration(url: server.url), logger: .silent)
                try await tracker.define(kind)
                try await body(tracker, proxy, client)
                await tracker.close()
                await client.close()
            }
        }
    }

    /// The first steps end 50, 50 and 30 tasks, the third asks 20 holders, the fourth 50, and the fifth finds no more.
    @Test(
        "in the midst of the steps of a cancelled tag: each task ends once, each holder is asked once",
        arguments: 0..<5
    )
    func cancelTag(step: Int) async throws {
        try await withProxy { tracker, proxy, _ in
            let ids = (0..<200).map { TaskID(trusted: "t\($0)") }
            try await tracker.enqueue(ids.map { NewTask(kind, options: EnqueueOptions(id: $0, tags: ["g"])) })
            let held = try await tracker.claim([kind], limit: 70).map(\.id)
            #expect(try await tracker.cancel(tag: "none") == TagChange())

            proxy.loseReply(to: Cancel.script, before: step)
            let change = try await tracker.cancel(tag: "g", reason: "no")
            #expect(proxy.lost == 1)
            // What a lost answer told of is missing in the sum: its repeat finds others to end.
            #expect(change == TagChange(changed: [80, 80, 100, 130, 130][step], requested: 70))

            let waiting = Set(ids).subtracting(held)
            #expect(try await tracker.counts(ofTags: ["g"]).map { [$0.cancelled, $0.running] } == [[130, 70]])
            let ended = try await tracker.ids(ofEvents: .cancelled)
            #expect(ended.count == 130 && Set(ended) == waiting)
            let asked = try await tracker.ids(ofEvents: .cancelRequested)
            #expect(asked.count == 70 && asked.sorted() == held.sorted())
            for id in ids {
                let lines = try await tracker.log(of: id) ?? []
                #expect(lines.count { $0.message == "no" } == 1, "\(id)")
            }
        }
    }

    @Test(
        "of a worker that leaves the lines of other partitions: it stands in none while it is full, then in all again"
    )
    func leave() async throws {
        try await withProxy(partitions: 3) { tracker, proxy, client in
            let (started, starts) = AsyncStream<TaskID>.makeStream()
            let (ends, end) = AsyncStream<Void>.makeStream()
            let handler = Handler(kind) { context in
                starts.yield(context.claim.id)
                for await _ in ends { break }
                return .empty
            }
            /// In how many partitions the worker stands in line.
            @Sendable func lines() async throws -> Int {
                var count = 0
                for partition in 0..<3 {
                    let key = Keyspace(namespace: "system", partition: partition).prefix + "i:\(kind)"
                    count += try await client.send(RedisCommand("ZCARD", key)).int ?? 0
                }
                return count
            }
            var configuration = Worker.Configuration()
            configuration.slots = 1
            configuration.pollInterval = .seconds(30)
            try await withWorker(tracker, configuration: configuration, handlers: [handler]) {
                var runs = started.makeAsyncIterator()
                // The first two take the scripts to the server.
                for number in 0..<6 {
                    try await eventually { try await lines() == 3 }
                    if number >= 2 { proxy.loseReply(to: Leave.script) }
                    let id = Tracker.id("t\(number)", in: number % 3, of: 3)
                    try await tracker.enqueue([NewTask(kind, options: EnqueueOptions(id: id))])
                    #expect(await runs.next() == id)
                    #expect(try await lines() == 0)
                    end.yield()
                }
                try await eventually { try await tracker.stats().kinds[0].succeeded == 6 }
            }
            #expect(proxy.lost == 4)
            #expect(try await tracker.ids(ofEvents: .claimed).count == 6)
        }
    }
}
