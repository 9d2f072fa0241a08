import Belay
import BelayTestKit
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Testing

@testable import BelayService

@Suite("HTTP")
struct HTTPTests {
    private static let reader = "reader-0123456789"
    private static let writer = "writer-0123456789"

    @Test("performs verbs, and moves a manual clock by address")
    func verbs() async throws {
        let clock = ManualClock()
        try await withRedisTracker(clock: clock) { tracker in
            try await withHTTP(try Dispatcher(tracker, clock: clock)) { client in
                let base = "/v1/\(tracker.namespace)"
                var answer = try await client.send("POST", "\(base)/define", #"{"kind":"k"}"#)
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "application/json")
                #expect(answer.headers["cache-control"] == "no-store")
                answer = try await client.send(
                    "POST",
                    "\(base)/enqueue",
                    #"{"tasks":[{"kind":"k","id":"é","delay":60,"payload":{"text":"é"}}]}"#,
                    type: "application/json; charset=UTF-8"
                )
                #expect(answer.json.at("tasks.0.outcome") == "created")
                answer = try await client.send("POST", "\(base)/clock/advance", #"{"by":"PT1M"}"#)
                #expect(answer.json["now"] == .string(clock.now.description))
                answer = try await client.send("POST", "\(base)/claim", #"{"kinds":["k"]}"#)
                #expect(answer.json.at("claims.0.handle.id") == "é")
                #expect(answer.json.at("claims.0.payload.base64") == "w6k=")
                answer = try await client.send("POST", "\(base)/stats", "")
                #expect(answer.json.at("kinds.0.running") == 1)
            }
        }
    }

    @Test("says what is wrong as problem details")
    func problems() async throws {
        try await withInMemoryTracker(namespace: "test") { tracker, _ in
            try await withHTTP(try Dispatcher(tracker, requestLimit: 1000)) { client in
                func expect(
                    _ status: Int,
                    _ code: String,
                    _ method: String,
                    _ path: String,
                    _ body: String? = nil,
                    type: String? = "application/json",
                    sourceLocation: SourceLocation = #_sourceLocation
                ) async throws {
                    let answer = try await client.send(method, path, body, type: type)
                    #expect(answer.status == status, sourceLocation: sourceLocation)
                    #expect(answer.code == code, sourceLocation: sourceLocation)
                    #expect(
                        answer.headers["content-type"] == "application/problem+json",
                        sourceLocation: sourceLocation
                    )
                    #expect(answer.json["status"]?.int == status, sourceLocation: sourceLocation)
                    #expect(answer.json["type"] == .string("urn:belay:problem:\(code)"), sourceLocation: sourceLocation)
                    #expect(
                        ["title", "detail", "retriable", "outcome"].allSatisfy(answer.json.names.contains),
                        sourceLocation: sourceLocation
                    )
                }
                let big = #"{"tasks":["\#(String(repeating: "a", count: 1000))"]}"#
                try await expect(404, "notFound", "GET", "/")
                try await expect(404, "notFound", "GET", "/v1/")
                try await expect(404, "notFound", "POST", "/v1/test", "{}")
                try await expect(404, "unknownVerb", "POST", "/v1/test/nope", "{}")
                try await expect(404, "unknownNamespace", "POST", "/v1/other/stats", "{}")
                try await expect(405, "methodNotAllowed", "GET", "/v1/test/stats")
                try await expect(405, "methodNotAllowed", "POST", "/livez", "{}")
                try await expect(405, "methodNotAllowed", "DELETE", "/v1")
                try await expect(415, "unsupportedMediaType", "POST", "/v1/test/stats", "{}", type: "text/plain")
                try await expect(
                    415,
                    "unsupportedMediaType",
                    "POST",
                    "/v1/test/stats",
                    "{}",
                    type: "application/json; charset=latin1"
                )
                try await expect(400, "malformedRequest", "POST", "/v1/test/stats", "{")
                try await expect(400, "unknownField", "POST", "/v1/test/stats", #"{"a":1}"#)
                try await expect(400, "invalidArgument", "POST", "/v1/test/get", #"{"tasks":[]}"#)
                try await expect(413, "requestTooLarge", "POST", "/v1/test/get", big)
                try await expect(404, "unknownKind", "POST", "/v1/test/enqueue", #"{"tasks":[{"kind":"k"}]}"#)
                try await expect(403, "clockRefused", "POST", "/v1/test/clock/advance", #"{"by":1}"#)
                #expect(try await client.send("GET", "/v1/test/stats").headers["allow"] == "POST")
                #expect(try await client.send("HEAD", "/livez").text.isEmpty)
            }
        }
    }

    @Test("lets in by token: what is open, what may be read, what may be written")
    func tokens() async throws {
        try await withInMemoryTracker(namespace: "test") { tracker, clock in
            let configure = { (configuration: inout HTTPService.Configuration) in
                configuration.readOnlyTokens = [Self.reader]
                configuration.readWriteTokens = [Self.writer]
            }
            try await withHTTP(try Dispatcher(tracker, clock: clock), configure: configure) { client in
                for path in ["/livez", "/readyz", "/version"] { #expect(try await client.get(path).status == 200) }
                for path in ["/v1", "/metrics", "/openapi.json", "/reference"] {
                    let refused = try await client.get(path)
                    #expect(refused.status == 401)
                    #expect(refused.headers["www-authenticate"] == "Bearer realm=\"belay\"")
                    for token in ["x", "", Self.reader + "0", String(Self.reader.dropLast())] {
                        #expect(try await client.get(path, token: token).status == 401)
                    }
                    #expect(try await client.get(path, token: Self.reader).status == 200)
                    #expect(try await client.get(path, token: Self.writer).status == 200)
                }
                // Who is not let in does not learn what there is.
                #expect(try await client.get("/nowhere").status == 401)
                #expect(try await client.get("/nowhere", token: Self.reader).status == 404)
                for entry in VerbTable.entries {
                    let path = "/v1/test/\(entry.name)"
                    #expect(try await client.send("POST", path, "{}").code == "unauthenticated")
                    let asReader = try await client.send("POST", path, #"{"zz":1}"#, token: Self.reader)
                    #expect(asReader.code == (entry.isWrite ? "forbidden" : "unknownField"))
                    let asWriter = try await client.send("POST", path, #"{"zz":1}"#, token: Self.writer)
                    #expect(asWriter.code == "unknownField")
                }
            }
        }
    }

    @Test("is not set up so that others get in without a token")
    func configuration() async throws {
        try await withInMemoryTracker { tracker, _ in
            let dispatcher = try Dispatcher(tracker)
            func make(_ change: (inout HTTPService.Configuration) -> Void) throws {
                var configuration = HTTPService.Configuration()
                change(&configuration)
                _ = try HTTPService(
                    dispatcher,
                    metrics: PrometheusMetrics(),
                    configuration: configuration,
                    logger: .init(label: "test")
                )
            }
            for host in ["127.0.0.1", "::1", "localhost", "127.0.0.2"] { try make { $0.host = host } }
            for host in ["0.0.0.0", "::", "10.0.0.1", "example.org", ""] {
                #expect(throws: Problem.self) { try make { $0.host = host } }
                try make {
                    $0.host = host
                    $0.readOnlyTokens = [Self.reader]
                }
            }
            for token in [
                "", "short", String(repeating: "a", count: 513), "has a space in it...", "ünicode-token-0123",
            ] {
                let problem = #expect(throws: Problem.self) { try make { $0.readWriteTokens = [token] } }
                #expect(token.isEmpty || problem?.detail.contains(token) == false)
            }
            #expect(throws: Problem.self) {
                try make {
                    $0.readOnlyTokens = [Self.reader]
                    $0.readWriteTokens = [Self.reader]
                }
            }
            #expect(throws: Problem.self) { try make { $0.port = 65_536 } }
        }
    }

    @Test("without tokens answers no browser that came by another name")
    func rebinding() async throws {
        try await withInMemoryTracker { tracker, _ in
            let dispatcher = try Dispatcher(tracker)
            let routes = Routes(
                dispatcher: dispatcher,
                metrics: PrometheusMetrics(),
                tokens: try Tokens(readOnly: [], readWrite: []),
                readiness: Readiness(dispatcher.trackers)
            )
            func status(_ authority: String?) async -> Int {
                let head = HTTPRequest(method: .get, scheme: "http", authority: authority, path: "/v1")
                return await routes.respond(to: Request(head: head, body: .init(buffer: ByteBuffer()))).status.code
            }
            for host in [nil, "localhost", "localhost:8420", "127.0.0.1:1", "[::1]:8420"] {
                #expect(await status(host) == 200)
            }
            for host in ["evil.example", "evil.example:8420", "localhost.evil.example", "[fe80::1]:80", ""] {
                #expect(await status(host) == 403)
            }
        }
    }

    @Test("describes itself: list, version, reference, OpenAPI")
    func description() async throws {
        try await withInMemoryTracker(namespace: "test") { tracker, _ in
            try await withHTTP(try Dispatcher(tracker)) { client in
                let index = try await client.get("/v1").json
                #expect(index["namespaces"] == ["test"])
                #expect(index["verbs"]?.list.compactMap { $0["name"]?.string } == VerbTable.entries.map(\.name))
                let version = try await client.get("/version").json
                #expect(version["name"] == "belay")
                #expect(version["version"] == .string(ServiceVersion.number))
                #expect(version["schema"] == 1)
                let page = try await client.get("/reference")
                #expect(page.headers["content-type"] == "text/html; charset=utf-8")
                #expect(page.headers["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
                #expect(try await client.get("/openapi.json").json["openapi"] == "3.1.0")
                #expect(try await client.get("/livez").json == ["live": true])
            }
        }
    }
}
