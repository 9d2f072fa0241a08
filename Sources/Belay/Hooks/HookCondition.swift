/// Which ends of tasks a hook is about: all that hold at once. What is empty is not asked for.
public struct HookCondition: Sendable, Hashable {
    /// The states that the task ended in: succeeded, exhausted, cancelled or ignored. Empty for any of these.
    public var states: [TaskState]
    /// Patterns of which the task's kind fits one, and none that begins with `!`; at most 100. Empty for any kind.
    public var kinds: [KindPattern]
    /// Tags of which the task has at least one; at most 100. Empty for any task.
    public var tags: [TaskTag]
    /// What a place in the task's payload or result must hold.
    public var field: HookField?

    /// A condition; about every end unless said otherwise.
    public init(
        states: [TaskState] = [],
        kinds: [KindPattern] = [],
        tags: [TaskTag] = [],
        field: HookField? = nil
    ) {
        self.states = states
        self.kinds = kinds
        self.tags = tags
        self.field = field
    }

    func validate() throws(TrackerError) {
        for state in states where !state.isTerminal {
            throw .invalid("state of a hook", state, allowed: "succeeded, exhausted, cancelled, ignored")
        }
        for (what, count) in [
            ("number of states", states.count), ("number of kinds", kinds.count), ("number of tags", tags.count),
        ]
        where count > 100 {
            throw .invalid(what, count, allowed: "at most 100")
        }
        try field?.validate()
    }
}

/// A pattern of kinds' names: a name, the begin of names with `*` behind it, or `*`; with `!` before it those that do not fit.
public struct KindPattern: Sendable, Hashable, Codable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// The pattern as text.
    public let description: String

    /// A pattern of the caller's choice.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        var name = text.hasPrefix("!") ? text.dropFirst() : text[...]
        let isPrefix = name.hasSuffix("*")
        if isPrefix { name.removeLast() }
        guard isPrefix && name.isEmpty || Names.isName(String(name), extra: ".:_/-", limit: Limits.kindBytes) else {
            throw .invalid(
                "pattern of kinds",
                text,
                allowed: "a kind's name, the begin of names as in thumb*, or *; with ! before it to leave those out"
            )
        }
        description = text
    }

    /// A pattern from a literal; a literal that is not valid ends the program.
    public init(stringLiteral text: String) {
        do { try self.init(text) } catch { preconditionFailure(error.description) }
    }

    /// Reads a pattern from text, refusing one that is not valid.
    public init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Whether it names kinds to leave out.
    var isExclusion: Bool { description.hasPrefix("!") }

    /// Whether the kind's name fits, whatever that means for it.
    func fits(_ kind: KindName) -> Bool {
        let name = isExclusion ? description.dropFirst() : description[...]
        return name.hasSuffix("*") ? kind.description.hasPrefix(name.dropLast()) : kind.description == name
    }
}

/// A place in a task's payload or result, and what must stand there.
///
/// As text: `payload:/priority = "high"`, `result:/files/0/size=0`. The place is a JSON pointer (RFC 6901), in which `~1`
/// stands for `/` and `~0` for `~`; the value is JSON. Bytes that are no JSON hold nothing.
public struct HookField: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Where to look.
    public enum Source: String, Sendable, Hashable, Codable, CaseIterable {
        /// What the task was to work on.
        case payload
        /// What it made.
        case result
    }

    /// Where to look.
    public var source: Source
    /// The place, a JSON pointer of at most 256 bytes; empty for the whole.
    public var pointer: String
    /// The value that must stand there.
    public var equals: HookValue

    private enum CodingKeys: String, CodingKey {
        case source = "in"
        case pointer, equals
    }

    /// A field from its parts.
    public init(_ source: Source, _ pointer: String, equals value: HookValue) {
        self.source = source
        self.pointer = pointer
        equals = value
    }

    /// Reads the text form.
    /// - Throws: `TrackerError` (`invalidArgument`) naming the value and what is allowed.
    public init(_ text: String) throws(TrackerError) {
        let allowed =
            #"payload:/place=VALUE or result:/place=VALUE with VALUE in JSON, such as payload:/priority="high""#
        guard let colon = text.firstIndex(of: ":"), let source = Source(rawValue: String(text[..<colon])) else {
            throw .invalid("field of a hook", text, allowed: allowed)
        }
        // A name may hold an equals sign: the value begins behind the first one that JSON follows.
        var found: HookField?
        for sign in text.indices where sign > colon && text[sign] == "=" {
            guard let value = HookValue(json: Array(text[text.index(after: sign)...].utf8)) else { continue }
            let pointer = text[text.index(after: colon)..<sign]
            let bare = pointer.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            found = HookField(source, String(bare), equals: value)
            break
        }
        guard let found else { throw .invalid("field of a hook", text, allowed: allowed) }
        self = found
        try validate()
    }

    /// The text form.
    public var description: String { "\(source.rawValue):\(pointer)=\(equals.json)" }

    func validate() throws(TrackerError) {
        guard pointer.utf8.count <= 256, steps != nil else {
            throw .invalid(
                "JSON pointer",
                pointer,
                allowed:
                    "nothing, or names that each have / before them, ~1 for / and ~0 for ~ in them; at most 256 bytes"
            )
        }
    }

    /// The names of the pointer; nil when it is none.
    var steps: [String]? {
        if pointer.isEmpty { return [] }
        guard pointer.unicodeScalars.first == "/" else { return nil }
        var steps: [String] = []
        for part in pointer.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            var step = String.UnicodeScalarView()
            var rest = part
            while let next = rest.popFirst() {
                switch (next, next == "~" ? rest.popFirst() : nil) {
                case ("~", "0"): step.append("~")
                case ("~", "1"): step.append("/")
                case ("~", _): return nil
                default: step.append(next)
                }
            }
            steps.append(String(step))
        }
        return steps
    }
}
