import Belay

/// The interface as OpenAPI 3.1, made of the table of verbs.
public enum OpenAPI {
    /// The whole document.
    public static let document: JSONValue = [
        "openapi": "3.1.0",
        "info": [
            "title": "Belay", "version": .string(ServiceVersion.number),
            "description": .string(ReferenceText.introduction.joined(separator: "\n\n")),
            "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
        ],
        "servers": [["url": "/"]],
        "security": [["token": []], [:]],
        "paths": .object(pages + VerbTable.entries.map(path)),
        "components": [
            "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
            "parameters": [
                "namespace": [
                    "name": "namespace", "in": "path", "required": true, "description": "The tracker.",
                    "schema": ["type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"],
                ]
            ],
            "schemas": .object(schemas),
        ],
    ]

    // MARK: Paths

    private static func path(_ entry: VerbEntry) -> JSONValue.Member {
        var responses: [JSONValue.Member] = [
            .init("200", ["description": "The outcome.", "content": json("application/json", schema(entry.response))])
        ]
        responses += problems(VerbTable.commonErrors + authErrors + entry.errors)
        let operation: JSONValue = [
            "operationId": .string(entry.name.replacing("/", with: "_")),
            "summary": .string(entry.summary),
            "tags": [.string(entry.isWrite ? "write" : "read")],
            "requestBody": ["required": true, "content": json("application/json", schema(entry.request))],
            "responses": .object(responses),
        ]
        return .init(
            "/v1/{namespace}/\(entry.name)",
            .object(
                [
                    .init("parameters", [["$ref": "#/components/parameters/namespace"]]), .init("post", operation),
                ] + (entry.name == "events" ? [.init("get", stream)] : [])
            )
        )
    }

    private static var stream: JSONValue {
        let from: JSONValue = [
            "name": "from", "in": "query", "schema": EventFrom.schema,
            "description": "Where to begin. Default `newest`: with what comes from now on.",
        ]
        let last: JSONValue = [
            "name": "Last-Event-ID", "in": "header", "schema": TrackerEvent.Position.schema,
            "description": "The position after which to begin; outdoes `from`.",
        ]
        let summary = "Events as they happen, as Server-Sent Events: the position as id, `Event` as data."
        let found = JSONValue.Member(
            "200",
            ["description": .string(summary), "content": json("text/event-stream", ["type": "string"])]
        )
        let errors =
            [.unauthenticated, .forbidden, .unknownField, .unknownNamespace, .invalidArgument, .tooManyStreams]
            + VerbTable.commonErrors.filter { $0.status > 500 }
        return [
            "operationId": "events_stream", "summary": .string(summary), "tags": ["read"], "parameters": [from, last],
            "responses": .object([found] + problems(errors)),
        ]
    }

    private static let authErrors: [ProblemCode] = [
        .unauthenticated, .forbidden, .methodNotAllowed, .unsupportedMediaType,
    ]

    private static let pages: [JSONValue.Member] = [
        page("/v1", "The namespaces and verbs of this service.", "application/json"),
        page("/openapi.json", "This document.", "application/json"),
        page("/reference", "The reference page.", "text/html"),
        page("/metrics", "Metrics as Prometheus reads them.", "text/plain"),
        page("/livez", "Whether the process answers.", "application/json", isOpen: true),
        page("/readyz", "Whether claim, renew and reap really work.", "application/json", isOpen: true, [.notReady]),
        page("/version", "What is running.", "application/json", isOpen: true),
    ]

    private static func page(
        _ path: String,
        _ summary: String,
        _ type: String,
        isOpen: Bool = false,
        _ errors: [ProblemCode] = []
    ) -> JSONValue.Member {
        var operation: [JSONValue.Member] = [
            .init("operationId", .string("get_" + path.dropFirst().map { $0 == "." ? "_" : String($0) }.joined())),
            .init("summary", .string(summary)), .init("tags", ["service"]),
        ]
        if isOpen { operation.append(.init("security", [])) }
        let content = json(type, ["type": type == "application/json" ? "object" : "string"])
        let found = JSONValue.Member("200", ["description": .string(summary), "content": content])
        let responses = [found] + problems((isOpen ? [] : [.unauthenticated]) + errors)
        operation.append(.init("responses", .object(responses)))
        return .init(path, ["get": .object(operation)])
    }

    private static func json(_ type: String, _ schema: JSONValue) -> JSONValue {
        .object([.init(type, ["schema": schema])])
    }

    /// One response for each status, naming its codes.
    private static func problems(_ codes: [ProblemCode]) -> [JSONValue.Member] {
        let byStatus = Dictionary(grouping: ProblemCode.allCases.filter(codes.contains), by: \.status)
        return byStatus.sorted { $0.key < $1.key }.map { status, codes in
            let text = codes.map { "`\($0.rawValue)`: \($0.title)" }.joined(separator: " ")
            return .init(
                "\(status)",
                [
                    "description": .string(text),
                    "content": json("application/problem+json", ["$ref": "#/components/schemas/Problem"]),
                ]
            )
        }
    }

    // MARK: Schemas

    private static func schema(_ shape: Shape) -> JSONValue {
        switch shape {
        case .plain(let schema, _): schema
        case .list(let item): ["type": "array", "items": schema(item)]
        case .map(let value): ["type": "object", "additionalProperties": schema(value)]
        case .object(let object): ["$ref": .string("#/components/schemas/\(object.name)")]
        }
    }

    private static var schemas: [JSONValue.Member] {
        let requests = Set(VerbTable.entries.flatMap { $0.request.objects.map(\.name) })
        var all = ["Problem": problem]
        for object in VerbTable.entries.flatMap({ $0.request.objects + $0.response.objects }) {
            all[object.name] = self.object(object, isRequest: requests.contains(object.name))
        }
        return all.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }
    }

    private static func object(_ object: Shape.ObjectShape, isRequest: Bool) -> JSONValue {
        var members: [JSONValue.Member] = [.init("type", "object")]
        let fields = object.fields.map { field -> JSONValue.Member in
            guard case .object(let members) = schema(field.shape) else {
                return .init(field.name, ["description": .string(field.doc)])
            }
            return .init(field.name, .object(members + [.init("description", .string(field.doc))]))
        }
        members.append(.init("properties", .object(fields)))
        let required = object.fields.filter { !$0.isOptional }.map(\.name)
        if !required.isEmpty { members.append(.init("required", JSONValue(required))) }
        // An answer may grow; a request is read strictly.
        if isRequest { members.append(.init("additionalProperties", false)) }
        return .object(members)
    }

    private static var problem: JSONValue {
        [
            "type": "object", "description": "Problem details (RFC 9457).",
            "required": ["type", "title", "status", "detail", "code", "retriable", "outcome"],
            "properties": [
                "type": ["type": "string", "format": "uri"], "title": ["type": "string"], "status": ["type": "integer"],
                "detail": ["type": "string", "description": "What happened, for people."],
                "code": ["type": "string", "enum": JSONValue(ProblemCode.allCases.map(\.rawValue))],
                "retriable": ["type": "boolean", "description": "Whether the same call may succeed later."],
                "outcome": [
                    "type": "string", "enum": ["nothing", "unknown"],
                    "description": "Whether something may have happened. Every verb may be sent again.",
                ],
                "field": ["type": "string", "description": "The place in the request."],
                "found": ["type": "string", "description": "What was found there."],
                "allowed": ["type": "array", "items": ["type": "string"], "description": "What is allowed there."],
            ],
        ]
    }
}
