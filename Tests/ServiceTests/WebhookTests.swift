import Belay
import BelayTestKit
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import BelayService

@Suite("Webhooks", .timeLimit(.minutes(2)))
struct WebhookTests {
    private static let kind: KindName = "k"
    /// Tries again at once, so that no test waits.
    private static let policy = KindPolicy(attempts: 5, retry: .fixed(.zero))

    /// A request as it came in.
    private struct Seen: Sendable {
        var method: String
        var path: String
        var headers: [String: String]
        var body: [UInt8]

        var json: JSONValue { (try? JSONParser.parse(body)) ?? .null }
    }

    /// A server on a port of this host that answers with the next of some statuses, the last for ever.
    private final class Receiver: Sendable {
        private let statuses: Mutex<[HTTPResponse.Status]>
        private let requests = Mutex<[Seen]>([])
        private let headers: HTTPFields
        private let answer: String

        init(_ statuses: [HTTPResponse.Status], answer: String = "", headers: HTTPFields = [:]) {
            self.statuses = Mutex(statuses)
            self.answer = answer
            self.headers = headers
        }

        var seen: [Seen] { requests.withLock { $0 } }

        /// Runs `body` with the address of the server.
        func run(_ body: (String) async throws -> Void) async throws {
            var logger = Logger(label: "belay.test")
            logger.logLevel = .error
            let (ports, bound) = AsyncStream<Int>.makeStream()
            let application = Application(
                responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                    try await self.respond(request)
                },
                configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { channel in
                    bound.yield(channel.localAddress?.port ?? 0)
                    bound.finish()
                },
                logger: logger
            )
            let group = ServiceGroup(configuration: .init(services: [application], logger: logger))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    defer { bound.finish() }
                    try await group.run()
                }
                if let port = await ports.first(where: { _ in true }) {
                    do { try await body("http://127.0.0.1:\(port)/hook?x=1") } catch {
                        await group.triggerGracefulShutdown()
                        throw error
                    }
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }

        private func respond(_ request: Request) async throws -> Response {
            let body = try await request.body.collect(upTo: 1 << 22)
            var fields: [String: String] = [:]
            for field in request.headers { fields[field.name.canonicalName] = field.value }
            let seen = Seen(
                method: request.method.rawValue,
                path: "\(request.uri)",
                headers: fields,
                body: Array(body.readableBytesView)
            )
            requests.withLock { $0.append(seen) }
            let status = statuses.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return Response(
                status: status,
                headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(string: answer))
            )
        }
    }

    /// Ends a task, runs the hooks, and sends webhooks until the one that came of it has ended.
    private func deliver(
        _ tracker: Tracker,
        _ webhook: Webhook,
        payload: Body = Body(text: #"{"a":1}"#)
    ) async throws -> TaskRecord {
        try await tracker.define(Self.kind)
        try await tracker.define(Webhook.kind, policy: Self.policy)
        try await tracker.defineHook(HookRule("w", action: .webhook(webhook)))
        let id = TaskID("é/1")
        try await tracker.enqueue([NewTask(Self.kind, payload: payload, options: EnqueueOptions(id: id))])
        let claim = try #require(try await tracker.claim([Self.kind]).first)
        try await tracker.complete(claim.handle, result: Body(text: "done"))
        try #require(try await HookRunner(tracker).catchUp() == 1)
        return try await send(tracker)
    }

    /// Sends until the only webhook has ended.
    private func send(_ tracker: Tracker) async throws -> TaskRecord {
        let id = try #require(try await tracker.find(kinds: [Webhook.kind]).tasks.first).id
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await WebhookWorker(tracker).run() }
            for try await event in tracker.events(following: .oldest, pollInterval: .milliseconds(5))
            where event.task == id && event.endState != nil { break }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        return try #require(try await tracker.get(id))
    }

    @Test("are sent again until they are taken, the same each time, and signed")
    func retried() async throws {
        try await withRedisTracker { tracker in
            let receiver = Receiver([.serviceUnavailable, .tooManyRequests, .accepted], answer: "thanks")
            try await receiver.run { url in
                let webhook = Webhook(
                    url: url,
                    secret: "sëcret",
                    headers: ["X-Team": "media", "Authorization": "Bearer t"]
                )
                let record = try await deliver(tracker, webhook)
                #expect(record.state == .succeeded)
                #expect(record.attempts == 3)
                #expect(record.result?.text == #"{"body":"thanks","status":202}"#)
                let failures = try await tracker.attempts(of: record.id)?.compactMap(\.failure?.message)
                #expect(failures == ["answered 503: thanks", "answered 429: thanks"])
                let seen = receiver.seen
                #expect(seen.count == 3)
                #expect(Set(seen.map(\.body)).count == 1)
                for request in seen {
                    #expect(request.method == "POST")
                    #expect(request.path == "/hook?x=1")
                    #expect(request.headers["content-type"] == "application/json")
                    #expect(request.headers["x-team"] == "media")
                    #expect(request.headers["authorization"] == "Bearer t")
                    #expect(request.headers["x-belay-event"] == "succeeded")
                    #expect(request.headers["x-belay-hook"] == "w")
                    #expect(request.headers["x-belay-delivery"] == record.id.description.replacing("é", with: "%C3%A9"))
                    #expect(
                        request.headers["x-belay-signature"]
                            == WebhookSender.signature(of: request.body, secret: "sëcret")
                    )
                }
                let json = seen[0].json
                #expect(json["hook"] == "w")
                #expect(json["state"] == "succeeded")
                #expect(json.at("event.name") == "succeeded")
                #expect(json.at("task.id") == "é/1")
                #expect(json.at("task.payload.base64") == "eyJhIjoxfQ==")
                #expect(json.at("task.result.base64") == "ZG9uZQ==")
                #expect(json["shortened"] == nil)
                #expect(!record.payload!.text.contains("sëcret"), "the secret is in no task")
            }
        }
    }

    /// The second test case of RFC 4231.
    @Test("have the signature that others compute")
    func signature() {
        #expect(
            WebhookSender.signature(of: Array("what do ya want for nothing?".utf8), secret: "Jefe")
                == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        #expect(WebhookSender.visible("a/é %\n") == "a/%C3%A9%20%25%0A")
    }

    @Test("fail for good where a request is refused for good", arguments: [400, 401, 404, 410, 422])
    func permanent(status: Int) async throws {
        try await withRedisTracker { tracker in
            let receiver = Receiver([HTTPResponse.Status(code: status)], answer: String(repeating: "é", count: 5000))
            try await receiver.run { url in
                let record = try await deliver(tracker, Webhook(url: url))
                #expect(record.state == .exhausted)
                #expect(record.attempts == 1)
                let message = try #require(record.lastFailure?.failure?.message)
                #expect(message == "answered \(status): " + String(repeating: "é", count: 512))
                #expect(receiver.seen.count == 1)
                #expect(receiver.seen[0].headers["x-belay-signature"] == nil)
            }
        }
    }

    @Test(
        "are tried again after anything else, and redirects are not followed",
        arguments: [302, 408, 425, 429, 500, 502]
    )
    func transient(status: Int) async throws {
        try await withRedisTracker { tracker in
            let receiver = Receiver([HTTPResponse.Status(code: status)], headers: [.location: "/elsewhere"])
            try await receiver.run { url in
                let record = try await deliver(tracker, Webhook(url: url))
                #expect(record.state == .exhausted)
                #expect(record.attempts == Self.policy.attempts)
                #expect(record.lastFailure?.failure?.message == "answered \(status)")
                #expect(receiver.seen.map(\.path) == Array(repeating: "/hook?x=1", count: Self.policy.attempts))
            }
        }
    }

    @Test("are tried again when nobody listens")
    func nobody() async throws {
        try await withRedisTracker { tracker in
            var url = ""
            // A port that was free a moment ago.
            try await Receiver([.ok]).run { url = $0 }
            let record = try await deliver(tracker, Webhook(url: url))
            #expect(record.state == .exhausted)
            #expect(record.attempts == Self.policy.attempts)
            #expect(record.lastFailure?.failure?.type == "http")
        }
    }

    @Test("go where the hook says when they are sent, and are given up when it was removed")
    func changed() async throws {
        try await withRedisTracker { tracker in
            let receiver = Receiver([.notFound, .ok])
            try await receiver.run { url in
                let first = try await deliver(tracker, Webhook(url: url))
                #expect(first.state == .exhausted)
                let mended = Webhook(url: url.replacing("/hook", with: "/mended"), secret: "s")
                try await tracker.defineHook(HookRule("w", action: .webhook(mended)))
                let start = try #require(try await tracker.events(from: .newest).position)
                #expect(try await tracker.retry([first.id]) == [.ready])
                #expect(try await sent(tracker, first.id, after: start) == .succeeded)
                #expect(receiver.seen.map(\.path) == ["/hook?x=1", "/mended?x=1"])
                #expect(receiver.seen[1].headers["x-belay-signature"] != nil)
                _ = try await tracker.removeHook("w")
                let later = try #require(try await tracker.events(from: .newest).position)
                #expect(try await tracker.retry([first.id]) == [.ready])
                #expect(try await sent(tracker, first.id, after: later) == .exhausted)
                let record = try #require(try await tracker.get(first.id))
                #expect(record.lastFailure?.failure?.message.contains("“w” was removed") == true)
                #expect(receiver.seen.count == 2)
            }
        }
    }

    /// Sends until the webhook has ended after a position.
    private func sent(_ tracker: Tracker, _ id: TaskID, after position: TrackerEvent.Position) async throws
        -> TaskState?
    {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await WebhookWorker(tracker).run() }
            for try await event in tracker.events(following: .after(position), pollInterval: .milliseconds(5))
            where event.task == id && event.endState != nil { break }
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        return try await tracker.get(id)?.state
    }

    @Test("leave out what would be too large")
    func large() async throws {
        try await withRedisTracker { tracker in
            let receiver = Receiver([.ok])
            try await receiver.run { url in
                let payload = Body(bytes: Array(repeating: UInt8(ascii: "x"), count: Limits.defaultPayloadBytes))
                let record = try await deliver(tracker, Webhook(url: url), payload: payload)
                #expect(record.state == .succeeded)
                let json = try #require(receiver.seen.first).json
                #expect(json["shortened"] == true)
                #expect(json.at("task.payload") == nil)
                #expect(json.at("task.kind") == "k")
            }
        }
    }
}
