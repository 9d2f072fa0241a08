import Belay
import Foundation
import Logging
import ServiceLifecycle
import Testing

@testable import BelayService

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What came back.
struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    var text: String

    var json: JSONValue { (try? BelayServiceTests.parse(text)) ?? .null }
    var code: String? { json["code"]?.string }
}

private enum BelayServiceTests {
    static func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }
}

/// Talks to a service that listens on a port of this host.
struct HTTPClient: Sendable {
    let port: Int
    private let session: URLSession

    init(port: Int) {
        self.port = port
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpMaximumConnectionsPerHost = 8
        session = URLSession(configuration: configuration)
    }

    func send(
        _ method: String,
        _ path: String,
        _ body: String? = nil,
        token: String? = nil,
        type: String? = "application/json"
    ) async throws -> Answer {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body.map { Data($0.utf8) }
        if body != nil { request.setValue(type, forHTTPHeaderField: "Content-Type") }
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        let (data, response) = try await session.data(for: request)
        let http = try #require(response as? HTTPURLResponse)
        var headers: [String: String] = [:]
        for (name, value) in http.allHeaderFields { headers["\(name)".lowercased()] = "\(value)" }
        return Answer(status: http.statusCode, headers: headers, text: String(decoding: data, as: UTF8.self))
    }

    func get(_ path: String, token: String? = nil) async throws -> Answer { try await send("GET", path, token: token) }

    func close() { session.invalidateAndCancel() }
}

/// Runs `body` with a real service on a free port, and ends it gracefully.
func withHTTP(
    _ dispatcher: Dispatcher,
    metrics: PrometheusMetrics = PrometheusMetrics(),
    configure: (inout HTTPService.Configuration) -> Void = { _ in },
    _ body: (HTTPClient) async throws -> Void
) async throws {
    var configuration = HTTPService.Configuration()
    configuration.port = 0
    configure(&configuration)
    var logger = Logger(label: "belay.test")
    logger.logLevel = .error
    let (ports, bound) = AsyncStream<Int>.makeStream()
    let service = try HTTPService(dispatcher, metrics: metrics, configuration: configuration, logger: logger) {
        _,
        port in
        bound.yield(port)
        bound.finish()
    }
    let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { bound.finish() }
            try await group.run()
        }
        if let port = await ports.first(where: { _ in true }) {
            let client = HTTPClient(port: port)
            do { try await body(client) } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            client.close()
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}
