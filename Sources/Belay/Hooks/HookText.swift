import FoundationEssentials

// A rule as it is stored: JSON with sorted names, where what is not set is left out. No script reads it.

extension HookRule {
    private struct Stored: Codable {
        var condition: HookCondition
        var enqueue: HookTask?
        var webhook: Webhook?
    }

    /// The rule as it is stored.
    package func text() throws(TrackerError) -> String {
        var stored = Stored(condition: condition)
        switch action {
        case .enqueue(let task): stored.enqueue = task
        case .webhook(let webhook): stored.webhook = webhook
        }
        return String(decoding: try Body(encoding: stored).bytes, as: UTF8.self)
    }

    /// Reads what ``text()`` writes.
    package init(name: String, text: [UInt8]) throws(TrackerError) {
        let stored: Stored = try Body(bytes: text).decoded()
        switch (stored.enqueue, stored.webhook) {
        case (let task?, nil): self.init(name, when: stored.condition, action: .enqueue(task))
        case (nil, let webhook?): self.init(name, when: stored.condition, action: .webhook(webhook))
        default: throw .bug("hook “\(name)” has an action that this Belay does not know")
        }
    }
}

extension HookCondition: Codable {
    private enum CodingKeys: String, CodingKey { case states, kinds, tags, field }

    /// Reads what ``encode(to:)`` writes; what is absent is not asked for.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            states: try container.decodeIfPresent([TaskState].self, forKey: .states) ?? [],
            kinds: try container.decodeIfPresent([KindPattern].self, forKey: .kinds) ?? [],
            tags: try container.decodeIfPresent([TaskTag].self, forKey: .tags) ?? [],
            field: try container.decodeIfPresent(HookField.self, forKey: .field)
        )
    }

    /// Writes what is asked for.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if !states.isEmpty { try container.encode(states, forKey: .states) }
        if !kinds.isEmpty { try container.encode(kinds, forKey: .kinds) }
        if !tags.isEmpty { try container.encode(tags, forKey: .tags) }
        try container.encodeIfPresent(field, forKey: .field)
    }
}
