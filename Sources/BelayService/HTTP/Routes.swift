import Belay
import HTTPTypes
import Hummingbird
import Metrics
import NIOCore

/// What is at which address.
struct Routes: Sendable {
    let dispatcher: Dispatcher
    let metrics: PrometheusMetrics
    let tokens: Tokens
    let readiness: Readiness
    var streams = StreamSlots(limit: 64)
    var heartbeat = Duration.seconds(15)

    /// A page that is read, whether it needs a token, and what it holds.
    private struct Page: Sendable {
        var isOpen = false
        var content: @Sendable (Routes) async throws(Problem) -> Response
    }

    private static let pages: [String: Page] = [
        "livez": Page(isOpen: true) { _ in .json(["live": true]) },
        "version": Page(isOpen: true) { _ in .json(ServiceVersion.json) },
        "readyz": Page(isOpen: true) { (routes) throws(Problem) in
            let report = await routes.readiness.check()
            if let problem = report.problem { throw problem }
            return .json(report.json)
        },
        "metrics": Page { await $0.exposition() },
        "openapi.json": Page { _ in .json(OpenAPI.document) },
        "reference": Page { _ in .html(ReferencePage.html) },
        "v1": Page { .json($0.index) },
    ]

    /// What a request is for, as metrics name it.
    private enum Target {
        case page(String, Page)
        case verb(String, namespace: String)
        case stream(namespace: String)
        case nothing

        var name: String {
            switch self {
            case .page(let name, _): name
            // Names that clients make up must not become series.
            case .verb(let name, _): (try? VerbTable.entry(name)) == nil ? "unknown" : name
            case .stream: "events/stream"
            case .nothing: "unknown"
            }
        }
    }

    /// The answer to a request; never throws, so that every answer has its content type and is counted.
    func respond(to request: Request) async -> Response {
        let began = ContinuousClock.now
        let target = target(of: request)
        var response: Response
        do { response = try await answer(request, target) } catch { response = .problem(error) }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        let status = "\(response.status.code)"
        Counter(
            label: "belay.http.requests",
            dimensions: [("verb", target.name), ("status", status)],
            factory: metrics
        )
        .increment()
        Metrics.Timer(label: "belay.http.request.duration", dimensions: [("verb", target.name)], factory: metrics)
            .record(duration: began.duration(to: .now))
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func target(of request: Request) -> Target {
        let parts = request.uri.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(
            String.init
        )
        if parts.count == 1, let page = Self.pages[parts[0]] { return .page(parts[0], page) }
        guard parts.count > 2, parts[0] == "v1", !parts[1].isEmpty else { return .nothing }
        if parts.count == 3, parts[2] == "events", request.method == .get { return .stream(namespace: parts[1]) }
        return .verb(parts[2...].joined(separator: "/"), namespace: parts[1])
    }

    private func answer(_ request: Request, _ target: Target) async throws(Problem) -> Response {
        if case .page(_, let page) = target, page.isOpen {
            try allow([.get, .head], request)
            return try await page.content(self)
        }
        try checkHost(request)
        let access = try tokens.access(request.headers[.authorization])
        switch target {
        case .nothing:
            throw Problem(
                .notFound,
                "there is nothing at this address; GET /v1 lists the verbs, GET /reference tells all"
            )
        case .page(_, let page):
            try allow([.get, .head], request)
            return try await page.content(self)
        case .stream(let namespace):
            let (_, call) = try dispatcher.admit("events", namespace, access)
            let start = try EventStream.start(of: request)
            let slot = try streams.take()
            return try await EventStream(call.tracker, from: start, heartbeat: heartbeat, slot: slot)
                .response(to: request)
        case .verb(let verb, let namespace):
            try allow(verb == "events" ? [.get, .post] : [.post], request)
            try checkType(request)
            // Refused before its body is read.
            _ = try dispatcher.admit(verb, namespace, access)
            let bytes = try await body(of: request)
            return .json(try await dispatcher.call(verb, namespace: namespace, request: bytes, access: access))
        }
    }

    private func allow(_ methods: [HTTPRequest.Method], _ request: Request) throws(Problem) {
        guard methods.contains(request.method) else {
            let names = methods.map(\.rawValue)
            throw Problem(
                .methodNotAllowed,
                "\(request.method.rawValue) is not for this address; allowed: \(names.joined(separator: ", "))",
                allowed: names
            )
        }
    }

    /// Without tokens, a page in a browser on this host must not get in by a name of its own that leads here.
    private func checkHost(_ request: Request) throws(Problem) {
        guard tokens.isEmpty, let authority = request.head.authority else { return }
        let host =
            authority.hasPrefix("[")
            ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
        guard ["localhost", "::1"].contains(host) || host.hasPrefix("127.") else {
            throw Problem(.forbidden, "without tokens the service answers to localhost only, not to \(host.prefix(64))")
        }
    }

    /// Also keeps forms of other sites out: a browser asks before it sends this type across sites, and is not answered.
    private func checkType(_ request: Request) throws(Problem) {
        let type = request.headers[.contentType] ?? ""
        let parts = type.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\"" } }
        guard parts.first == "application/json", parts.dropFirst().allSatisfy({ $0 == "charset=utf-8" }),
            request.headers[.contentEncoding].map({ $0 == "identity" }) ?? true
        else {
            let found = type.isEmpty ? "no content type" : type
            throw Problem(
                .unsupportedMediaType,
                "send Content-Type: application/json, not encoded",
                found: String(found.prefix(80)),
                allowed: ["application/json"]
            )
        }
    }

    private func body(of request: Request) async throws(Problem) -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > dispatcher.requestLimit {
            throw dispatcher.tooLarge()
        }
        do {
            return Array(buffer: try await request.body.collect(upTo: dispatcher.requestLimit))
        } catch is NIOTooManyBytesError {
            throw dispatcher.tooLarge()
        } catch {
            throw Problem(.malformedRequest, "the request ended early")
        }
    }

    // MARK: Pages

    private var index: JSONValue {
        let verbs = VerbTable.entries.map { entry -> JSONValue in
            ["name": .string(entry.name), "summary": .string(entry.summary), "write": .bool(entry.isWrite)]
        }
        return ["namespaces": JSONValue(dispatcher.trackers.namespaces), "verbs": .array(verbs)]
    }

    private func exposition() async -> Response {
        var text = Exposition()
        text.family("belay_build_info", .gauge, "What is running.")
        let info = [
            ("version", ServiceVersion.number), ("schema", "\(ServiceVersion.schema)"), ("swift", ServiceVersion.swift),
        ]
        text.sample("belay_build_info", Exposition.labels(info), 1)
        await TrackerGauges.write(dispatcher.trackers, limit: .seconds(5), into: &text)
        metrics.write(into: &text)
        return .text(text.text, type: Exposition.contentType)
    }
}
