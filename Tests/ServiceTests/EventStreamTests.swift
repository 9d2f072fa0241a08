import Belay
import BelayTestKit
import Testing

@testable import BelayService

@Suite("The stream of events", .serialized, .timeLimit(.minutes(1)))
struct EventStreamTests {
    private static let reader = "reader-0123456789"

    /// A service on Redis with a kind `k`, and the address of its events.
    private func withEvents(
        configure: (inout HTTPService.Configuration) -> Void = { _ in },
        _ body: (HTTPClient, Tracker, String) async throws -> Void
    ) async throws {
        try await withRedisTracker(clock: ManualClock()) { tracker in
            try await tracker.define("k")
            try await withHTTP(try Dispatcher(tracker), configure: configure) { client in
                try await body(client, tracker, "/v1/\(tracker.namespace)/events")
            }
        }
    }

    private func enqueue(_ ids: String..., in tracker: Tracker) async throws {
        let kind: KindName = "k"
        try await tracker.enqueue(try ids.map { NewTask(kind, options: .init(id: try TaskID($0))) })
    }

    @Test("tells what happens from now on, and goes on where it was")
    func live() async throws {
        try await withEvents { client, tracker, path in
            try await enqueue("before", in: tracker)
            let first = EventClient()
            try first.open(client.port, path)
            let head = try #require(await first.head.first { _ in true })
            #expect(head.0 == 200)
            #expect(head.1 == "text/event-stream")
            var blocks = first.blocks.makeAsyncIterator()
            let opening = try #require(await blocks.next())
            #expect(opening.fields["retry"] == "1000")
            let begin = try #require(opening.fields["id"])
            #expect(opening.json == nil)
            try await enqueue("a", "b", in: tracker)
            let a = try #require(await blocks.next())
            let b = try #require(await blocks.next())
            #expect(a.fields["event"] == "enqueued")
            #expect(a.json?["task"] == "a")
            #expect(a.json?["celeryType"] == "task-sent")
            #expect(a.json?["active"] == true)
            #expect(a.json?["position"]?.string == a.fields["id"])
            #expect(b.json?["task"] == "b")
            first.close()

            // The header outdoes the parameter.
            for (query, position, wanted) in [
                ("", a.fields["id"], "b"), ("?from=newest", begin, "a"), ("?from=\(a.fields["id"] ?? "")", nil, "b"),
            ] {
                let again = EventClient()
                try again.open(client.port, path + query, after: position)
                let next = await again.blocks.first { $0.json != nil }
                #expect(next?.json?["task"]?.string == wanted, "\(query)")
                again.close()
            }
            let all = EventClient()
            try all.open(client.port, path + "?from=oldest")
            #expect(await all.blocks.first { $0.json != nil }?.fields["event"] == "defined")
            all.close()
        }
    }

    @Test("tells when events are missing")
    func lost() async throws {
        try await withEvents { client, tracker, path in
            try await enqueue("a", in: tracker)
            let stream = EventClient()
            try stream.open(client.port, path + "?from=5-5/0")
            let told = await stream.blocks.first { $0.json != nil }
            #expect(told?.fields["event"] == "history-lost")
            #expect(told?.fields["id"] == "5-5/0")
            stream.close()
        }
    }

    @Test("shows that it lives, and ends with the service")
    func heartbeats() async throws {
        let stream = EventClient()
        try await withEvents(configure: { $0.heartbeat = .milliseconds(50) }) { client, _, path in
            try stream.open(client.port, path)
            #expect(await stream.blocks.first { $0.comment != nil }?.comment == " alive")
        }
        // The service has ended, so the stream has.
        for await _ in stream.blocks {}
        stream.close()
    }

    @Test("is for so many at once, and given back when its client leaves")
    func slots() async throws {
        try await withEvents(configure: { $0.streamLimit = 2 }) { client, _, path in
            let streams = [EventClient(), EventClient()]
            for stream in streams {
                try stream.open(client.port, path)
                #expect(await stream.head.first { _ in true }?.0 == 200)
            }
            let refused = try await client.get(path)
            #expect(refused.status == 503)
            #expect(refused.code == "tooManyStreams")
            #expect(refused.headers["retry-after"] == "1")
            streams[0].close()
            var status = 503
            for _ in 0..<100 where status == 503 {
                try await Task.sleep(for: .milliseconds(50))
                let another = EventClient()
                try another.open(client.port, path)
                status = await another.head.first { _ in true }?.0 ?? 0
                another.close()
            }
            #expect(status == 200)
            streams[1].close()
        }
    }

    @Test("refuses what it does not know, and who has no token")
    func refusals() async throws {
        try await withEvents(configure: { $0.readOnlyTokens = [Self.reader] }) { client, _, path in
            func code(_ path: String, token: String? = Self.reader) async throws -> String? {
                try await client.get(path, token: token).code
            }
            #expect(try await code(path, token: nil) == "unauthenticated")
            #expect(try await code("/v1/none/events") == "unknownNamespace")
            #expect(try await code(path + "?form=oldest") == "unknownField")
            let bad = try await client.get(path + "?from=yesterday", token: Self.reader)
            #expect(bad.code == "invalidArgument")
            #expect(bad.json["detail"]?.string?.contains("yesterday") == true)
            #expect(try await client.send("PUT", path, "{}", token: Self.reader).headers["allow"] == "GET, POST")
            let stream = EventClient()
            try stream.open(client.port, path, token: Self.reader)
            #expect(await stream.head.first { _ in true }?.0 == 200)
            stream.close()
        }
    }
}
