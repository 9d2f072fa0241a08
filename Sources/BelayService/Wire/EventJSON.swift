package import Belay

/// Something that happened.
package struct EventJSON: Documented, Encodable {
    var position: TrackerEvent.Position
    var name: String
    var time: Timestamp
    var kind: KindName?
    var task: TaskID?
    var detail: String
    var worker: String?
    var celeryType: String?
    var active: Bool?

    static let docs = [
        "position": "Where it stands; whoever begins there sees what came after.",
        "name":
            "What happened, such as `enqueued`, `claimed`, `retrying`, `worker-offline`; `history-lost` stands where "
            + "events are missing. More names may come.",
        "time": "When, by the server's clock.", "kind": "The kind that it concerns.",
        "task": "The task that it concerns.",
        "detail": "What the name says of it: a reason, a due time, a state before; may be empty.",
        "worker": "The worker that acted or held the task.",
        "celeryType": "The same in the words of Celery; absent for what Celery does not know.",
        "active": "Whether the run that it tells of goes on; absent for events of no run.",
    ]

    package init(_ event: TrackerEvent) {
        position = event.position
        name = event.name.rawValue
        time = event.time
        kind = event.kind
        task = event.task
        detail = event.detail
        worker = event.worker
        celeryType = event.celeryType
        active = event.isActive
    }
}

extension TrackerEvent.Position: Plain {
    static var schema: JSONValue { ["type": "string", "pattern": "^[0-9]+-[0-9]+/[0-9]+$"] }
    static var label: String { "a position in the stream of events" }
    static var example: JSONValue { "1767225600000-0/0" }
}

/// Where to begin to read events: a position, or a word.
struct EventFrom: Plain {
    var start: EventStart

    static var schema: JSONValue {
        ["oneOf": [TrackerEvent.Position.schema, ["type": "string", "enum": ["oldest", "newest"]]]]
    }
    static var label: String { "a position, `oldest` or `newest`" }
    static var example: JSONValue { "oldest" }

    static let allowed = "oldest, newest, or a position such as 1767225600000-0/2"

    /// Nil for what is none.
    init?(_ text: String) {
        switch text {
        case "oldest": start = .oldest
        case "newest": start = .newest
        default:
            guard let position = TrackerEvent.Position(text) else { return nil }
            start = .after(position)
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let from = EventFrom(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not where events can begin; allowed: \(Self.allowed)"
            )
        }
        self = from
    }
}

extension BeatEvent: Words {}
