import Belay

/// What the reference says, for pages of any form.
enum ReferenceText {
    static let introduction = [
        "Every verb takes one JSON object and answers with one. A refusal of daily work (nothing due, locked, stale, full, "
            + "not from this state) is an answer with an `outcome`; a problem means misuse, the network, the server or a bug.",
        "Over HTTP a verb is `POST /v1/<namespace>/<verb>` with `Content-Type: application/json`, and with "
            + "`Authorization: Bearer TOKEN` where the service has tokens. `belay api` takes the same as JSON lines: "
            + "`{\"id\": 1, \"verb\": \"get\", \"request\": {…}}` gives `{\"id\": 1, \"result\": {…}}` or "
            + "`{\"id\": 1, \"problem\": {…}}`, in any order.",
        "Times are RFC 3339 in UTC with microseconds. Durations are seconds as numbers; requests may also write ISO 8601 "
            + "(`PT1H30M`, `P1D`, `PT0.5S`). Bytes are base64. Whole numbers have 64 bits: fences do not fit a double. "
            + "What is absent is absent, never null. A field that a verb does not know is refused by name.",
        "Every verb may be sent again after a lost reply, and nothing happens twice, where the request names what it makes: "
            + "an enqueue its `id` or `identifier`, a claim its `token`. A line of a log may then stand there twice.",
        "`GET /v1/<namespace>/events` streams events as they happen (Server-Sent Events; a token that may ask is enough). "
            + "Each has its position as id, its name as event and the object `Event` as data. It begins with what comes from "
            + "now on, with `?from=oldest`, or after a position: `?from=` or the header `Last-Event-ID`, which browsers send "
            + "by themselves when they come back.",
    ]

    /// One row of a table.
    struct Row {
        var name: String
        var type: String
        var isRequired: Bool
        var doc: String
    }

    /// The fields of a request or answer.
    static func rows(_ shape: Shape, link: (String) -> String) -> [Row] {
        guard case .object(let object) = shape else { return [] }
        return object.fields.map {
            Row(name: $0.name, type: type($0.shape, link: link), isRequired: !$0.isOptional, doc: $0.doc)
        }
    }

    private static func type(_ shape: Shape, link: (String) -> String) -> String {
        switch shape {
        case .plain(_, let name): name
        case .list(let item): "list of \(type(item, link: link))"
        case .map(let value): "object of \(type(value, link: link))"
        case .object(let object): link(object.name)
        }
    }

    /// The objects that stand inside requests and answers, by name.
    static var parts: [Shape.ObjectShape] {
        var all: [String: Shape.ObjectShape] = [:]
        for shape in VerbTable.entries.flatMap({ [$0.request, $0.response] }) {
            for object in shape.objects.dropFirst() { all[object.name] = object }
        }
        return all.values.sorted { $0.name < $1.name }
    }

    /// The problems that stand for themselves.
    static func problems(_ entry: VerbEntry) -> String {
        entry.errors.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    }
}
