import FoundationEssentials

/// What is to be done whenever a task ends: a finished hook. It is stored in the tracker, and ``HookRunner`` acts on it.
public struct HookRule: Sendable, Hashable {
    /// Its name, 1 to 64 of `A-Z a-z 0-9 . _ : / -`, beginning with a letter or digit.
    public var name: String
    /// Which ends it is about.
    public var condition: HookCondition
    /// What is done.
    public var action: HookAction

    /// A rule from its parts; without a condition it is about every end.
    public init(_ name: String, when condition: HookCondition = HookCondition(), action: HookAction) {
        self.name = name
        self.condition = condition
        self.action = action
    }

    /// Refuses what is out of range, naming it; also a rule whose own tasks would set it off again.
    /// - Throws: ``TrackerError`` (`invalidArgument`).
    public func validate() throws(TrackerError) {
        try Self.check(name: name)
        try condition.validate()
        switch action {
        case .enqueue(let task):
            try task.validate()
            guard !condition.matches(kind: task.kind) else {
                throw .invalid(
                    "kind of the task that a hook enqueues",
                    task.kind,
                    allowed:
                        "a kind that the hook itself is not about; leave it out with the kind pattern !\(task.kind)"
                )
            }
        case .webhook(let webhook): try webhook.validate()
        }
        let bytes = try text().utf8.count
        guard bytes <= Limits.hookBytes else {
            throw .invalid("hook of bytes", bytes, allowed: "at most \(Limits.hookBytes) as JSON")
        }
    }

    static func check(name: String) throws(TrackerError) {
        guard Names.isName(name, extra: ".:_/-", limit: Limits.kindBytes) else {
            throw .invalid(
                "name of a hook",
                name,
                allowed: "1 to \(Limits.kindBytes) of A-Z a-z 0-9 . _ : / -, beginning with a letter or digit"
            )
        }
    }
}

/// What a hook does when a task has ended.
public enum HookAction: Sendable, Hashable {
    /// Creates a task.
    case enqueue(HookTask)
    /// Tells a server over HTTP.
    case webhook(Webhook)
}

/// The task that a hook creates.
public struct HookTask: Sendable, Hashable, Codable {
    /// Its kind, which must be defined.
    public var kind: KindName
    /// Its payload, in which `{{id}}`, `{{kind}}` and `{{state}}` stand for those of the task that ended. Nil for a document
    /// that tells of the end, with the record of the task that ended: what a webhook gets, too.
    public var payload: String?
    /// What the payload is; `application/json` unless said otherwise, at most 64 bytes.
    public var contentType: String

    /// A task to create.
    public init(_ kind: KindName, payload: String? = nil, contentType: String = Body.json) {
        self.kind = kind
        self.payload = payload
        self.contentType = contentType
    }

    private var isJSON: Bool { contentType == Body.json || contentType.hasSuffix("+json") }

    func validate() throws(TrackerError) {
        guard kind != Webhook.kind else {
            throw .invalid("kind of the task that a hook enqueues", kind, allowed: "another; for a webhook say webhook")
        }
        try Names.checkNote("content type", contentType)
        guard let payload, isJSON else { return }
        let sample = expanded(payload, id: "a", kind: kind, state: .succeeded)
        guard payload.isEmpty || HookValue(json: sample) != nil else {
            throw .invalid("payload of a hook", payload, allowed: "JSON, or another content type")
        }
    }

    /// The payload for a task that ended; nil when it is the document.
    func body(id: TaskID, kind: KindName, state: TaskState) -> Body? {
        payload.map { text in
            Body(bytes: expanded(text, id: id.description, kind: kind, state: state), contentType: contentType)
        }
    }

    /// In JSON the words stand in texts, so an id is escaped like text. What is put in is not looked at again.
    private func expanded(_ text: String, id: String, kind: KindName, state: TaskState) -> [UInt8] {
        let words = [
            ("{{id}}", isJSON ? HookValue.escaped(id) : id), ("{{kind}}", kind.description),
            ("{{state}}", state.rawValue),
        ].map { (word: Array($0.0.utf8), value: Array($0.1.utf8)) }
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            if let found = words.first(where: { rest.starts(with: $0.word) }) {
                result += found.value
                rest = rest.dropFirst(found.word.count)
            } else {
                result.append(byte)
                rest.removeFirst()
            }
        }
        return result
    }
}

/// A request over HTTP that tells of a task's end.
///
/// It is a task of its own, of the kind ``kind``, so it is tried again until it is taken. The address and the headers are
/// those of the rule when it is sent: a mended rule mends what waits, and what waits for a removed one is given up.
public struct Webhook: Sendable, Hashable, Codable {
    /// Where it goes, `http` or `https`, at most 2,048 printable ASCII characters.
    public var url: String
    /// What the request is signed with, 1 to 256 characters; nil for no signature. It is kept in the tracker as it is.
    public var secret: String?
    /// Further headers, at most 20.
    public var headers: [String: String]

    /// A request.
    public init(url: String, secret: String? = nil, headers: [String: String] = [:]) {
        self.url = url
        self.secret = secret
        self.headers = headers
    }

    /// The kind of the tasks that send webhooks. Their ends set off no hook.
    public static let kind: KindName = "belay.webhook"
    /// The policy of that kind where the tracker does not know it: 10 attempts, doubling from 1 s to 10 min.
    public static let policy = KindPolicy(
        attempts: 10,
        retry: .exponential(base: .seconds(1), factor: 2, cap: .seconds(600))
    )

    private static let reserved: Set = [
        "host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer",
    ]

    func validate() throws(TrackerError) {
        let isPrintable = url.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        let scheme = ["http://", "https://"].first { url.hasPrefix($0) } ?? ""
        let authority = url.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
        guard isPrintable, !scheme.isEmpty, url.utf8.count <= 2048, !authority.isEmpty, !authority.contains("@"),
            !url.contains("#"), URL(string: url)?.host?.isEmpty == false
        else {
            throw .invalid(
                "address of a webhook",
                url,
                allowed: "http:// or https://, a host, no user and no fragment, at most 2048 printable ASCII characters"
            )
        }
        if let secret {
            guard (1...256).contains(secret.utf8.count), !secret.unicodeScalars.contains(where: \.isControl) else {
                // What it is stays secret.
                throw .invalid(
                    "secret of bytes",
                    secret.utf8.count,
                    allowed: "1 to 256 bytes without control characters"
                )
            }
        }
        guard headers.count <= 20 else { throw .invalid("number of headers", headers.count, allowed: "at most 20") }
        for (name, value) in headers {
            let small = name.lowercased()
            guard Names.isName(name, extra: "-_", limit: 64), !Self.reserved.contains(small),
                !small.hasPrefix("x-belay-")
            else {
                throw .invalid(
                    "header",
                    name,
                    allowed: "1 to 64 of A-Z a-z 0-9 - _, and none that Belay or the connection needs itself"
                )
            }
            guard value.utf8.count <= 1024, value.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
                throw .invalid("value of header \(name)", value, allowed: "at most 1024 printable ASCII characters")
            }
        }
    }
}

/// A hook as it is stored.
public struct DefinedHook: Sendable, Hashable {
    /// The rule.
    public var rule: HookRule
    /// Since when it stands; what ended before does not set it off. A rule that is replaced keeps it.
    public var since: Timestamp

    package init(rule: HookRule, since: Timestamp) {
        self.rule = rule
        self.since = since
    }
}

/// The hooks of a tracker.
public struct HookList: Sendable, Hashable {
    /// The hooks, by name.
    public var hooks: [DefinedHook]
    /// The last event that they acted on; nil when none was looked at yet.
    public var position: TrackerEvent.Position?
    /// The moment of the answer.
    public var now: Timestamp

    package init(hooks: [DefinedHook], position: TrackerEvent.Position?, now: Timestamp) {
        self.hooks = hooks
        self.position = position
        self.now = now
    }
}

/// What the removal of a hook gave.
public enum HookRemoval: String, Sendable, Hashable, Codable, CaseIterable {
    /// It is removed.
    case removed
    /// There is no such hook (any more).
    case notFound
}
