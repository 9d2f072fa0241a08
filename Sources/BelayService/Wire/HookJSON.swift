import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A hook as it is stored, but for its secret.
struct HookJSON: Documented, Encodable {
    var name: String
    var since: Timestamp
    var states: [TaskState]?
    var kinds: [String]?
    var tags: [String]?
    var field: HookFieldJSON?
    var enqueue: HookTaskJSON?
    var webhook: WebhookJSON?

    static let docs = [
        "name": "Its name.", "since": "Since when it stands; what ended before does not set it off.",
        "states": "The ends that it is about; absent for all.", "kinds": "The kinds; absent for all.",
        "tags": "The tags of which a task must have one; absent for any task.",
        "field": "What the task's payload or result must hold.", "enqueue": "The task that it creates.",
        "webhook": "The request that it sends.",
    ]

    init(_ hook: DefinedHook) {
        let condition = hook.rule.condition
        name = hook.rule.name
        since = hook.since
        states = condition.states.isEmpty ? nil : condition.states
        kinds = condition.kinds.isEmpty ? nil : condition.kinds.map(\.description)
        tags = condition.tags.isEmpty ? nil : condition.tags.map(\.description)
        field = condition.field.map(HookFieldJSON.init)
        switch hook.rule.action {
        case .enqueue(let task): enqueue = HookTaskJSON(task)
        case .webhook(let webhook): self.webhook = WebhookJSON(webhook)
        }
    }
}

/// A place in a task's bytes, and what must stand there.
struct HookFieldJSON: Documented, Encodable {
    var source: HookField.Source
    var pointer: String?
    var equals: JSONValue?

    static let docs = [
        "in": "Where to look.",
        "pointer": "The place, a JSON pointer (RFC 6901) of at most 256 bytes. Default: the whole.",
        "equals": "The value that must stand there. Default: null.",
    ]

    private enum CodingKeys: String, CodingKey {
        case source = "in"
        case pointer, equals
    }

    init(_ field: HookField) {
        source = field.source
        pointer = field.pointer
        equals = try? JSONParser.parse(Array(field.equals.json.utf8))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(source, forKey: .source)
        try container.encodeIfPresent(pointer, forKey: .pointer)
        let value = equals.flatMap { HookValue(json: Array($0.text.utf8)) }
        try container.encode(value ?? .null, forKey: .equals)
    }

    func field(_ place: String) throws -> HookField {
        guard let value = HookValue(json: Array((equals ?? .null).text.utf8)) else {
            throw Problem(.invalidArgument, "\(place).equals is too large a number", field: "\(place).equals")
        }
        return HookField(source, pointer ?? "", equals: value)
    }
}

extension HookField.Source: Words {}

/// The task that a hook creates.
struct HookTaskJSON: Documented, Encodable {
    var kind: KindName
    var payload: String?
    var contentType: String?

    static let docs = [
        "kind": "Its kind.",
        "payload": "Its payload, with words in braces for what ended; absent for a document that tells of the end.",
        "contentType": "What the payload is.",
    ]

    init(_ task: HookTask) {
        kind = task.kind
        payload = task.payload
        contentType = task.payload == nil ? nil : task.contentType
    }
}

/// The request that a hook sends.
struct WebhookJSON: Documented, Encodable {
    var url: String
    var signed: Bool
    var headers: [String: String]?

    static let docs = [
        "url": "Where it goes.", "signed": "Whether it has a secret, which is not told.",
        "headers": "Further headers.",
    ]

    init(_ webhook: Webhook) {
        url = webhook.url
        signed = webhook.secret != nil
        headers = webhook.headers.isEmpty ? nil : webhook.headers
    }
}

/// The task that a hook is to create.
struct NewHookTaskJSON: Documented {
    var kind: KindName
    var payload: NewBodyJSON?

    static let docs = [
        "kind": "Its kind, which must be defined.",
        "payload": "Its payload, UTF-8, in which `{{id}}`, `{{kind}}` and `{{state}}` stand for those of the task that "
            + "ended. Default: an object with the hook's name, the state, the event and the whole task.",
    ]

    func task() throws -> HookTask {
        guard let payload else { return HookTask(kind) }
        let body = try payload.body("enqueue.payload")
        guard let text = String(validating: body.bytes, as: UTF8.self) else {
            throw Problem(.invalidArgument, "enqueue.payload is no UTF-8", field: "enqueue.payload")
        }
        return HookTask(kind, payload: text, contentType: body.contentType)
    }
}

/// The request that a hook is to send.
struct NewWebhookJSON: Documented {
    var url: String
    var secret: String?
    var headers: [String: String]?

    static let docs = [
        "url": "Where it goes: an address of at most 2,048 printable ASCII characters.",
        "secret": "What `X-Belay-Signature` is made with, 1 to 256 bytes; without one the request is not signed.",
        "headers": "Further headers, at most 20.",
    ]

    var webhook: Webhook { Webhook(url: url, secret: secret, headers: headers ?? [:]) }
}
