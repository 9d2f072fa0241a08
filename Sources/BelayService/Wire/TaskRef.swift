import Belay

/// A task by name: its id as text, or its kind and identifier.
struct TaskRef: Plain {
    var id: TaskID

    private struct Names: Documented {
        var id: TaskID?
        var kind: KindName?
        var identifier: String?

        static let docs = ["id": "The task.", "kind": "Its kind.", "identifier": "Its identifier in that kind."]
    }

    static var schema: JSONValue {
        let object: JSONValue = [
            "type": "object", "required": ["kind", "identifier"], "additionalProperties": false,
            "properties": ["kind": KindName.schema, "identifier": ["type": "string"]],
        ]
        return ["oneOf": [TaskID.schema, object]]
    }
    static var label: String { "a task's id, or {kind, identifier}" }
    static var example: JSONValue { "report-7" }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            id = try TaskID(text)
            return
        }
        let names = try container.decode(Names.self)
        switch (names.id, names.kind, names.identifier) {
        case (let id?, nil, nil): self.id = id
        case (nil, let kind?, let identifier?): id = try TaskID(kind: kind, identifier: identifier)
        default:
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "name the task by its id, or by kind and identifier"
            )
        }
    }
}

extension [TaskRef] {
    var ids: [TaskID] { map(\.id) }
}

extension ClaimHandle: Documented {
    static let docs = [
        "id": "The task.", "token": "The lock's token, as the claim said it.",
        "fence": "The lock's fence, as the claim said it.",
    ]
}
