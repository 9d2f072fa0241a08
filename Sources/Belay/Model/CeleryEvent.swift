import FoundationEssentials

/// One event of Celery, checked: of a task that Celery runs, or of one of its workers.
///
/// The type is `task-…` or `worker-…`. Celery sends `task-sent`, `-received`, `-started`, `-succeeded`, `-failed`, `-retried`,
/// `-revoked` and `-rejected`; any other, such as `task-progress`, stands for a state of the program's own, PROGRESS. Of
/// workers, `worker-online`, `-heartbeat` and `-offline`; any other is a sign of life.
public struct CeleryEvent: Sendable, Hashable {
    /// `task-started`, `worker-heartbeat` …
    public let type: String
    /// The task; nil for an event of a worker.
    public let uuid: TaskID?
    /// Who sent it: a worker, or of `task-sent` a client.
    public let hostname: String?
    /// When, by the sender's clock.
    public let timestamp: Timestamp
    /// The sender's Lamport clock; 0 where it told none.
    public let clock: Int
    /// When a monitor received it, by the monitor's clock.
    public let localReceived: Timestamp?
    /// What else it tells, as text, long text cut: of a task `name`, `args`, `kwargs`, `retries`, `eta`, `expires`, `queue`,
    /// `exchange`, `routing_key`, `root_id`, `parent_id`, `pid`, `result`, `runtime`, `exception`, `traceback`, `terminated`,
    /// `signum`, `expired`, `requeue`, and all else as one JSON object, `more`; of a worker `freq` (seconds), `sw_ident`,
    /// `sw_ver`, `sw_sys`, `active`, `processed`.
    public let fields: [String: String]

    /// An event from its parts.
    /// - Parameters:
    ///   - type: `task-…` or `worker-…`, the rest 1 to 64 of `A-Z a-z 0-9 . _ -`.
    ///   - uuid: The task, 1 to 256 bytes without control characters; must be there for events of tasks, and only for them.
    ///   - hostname: 1 to 256 bytes without control characters; must be there for events of workers.
    ///   - timestamp: When, by the sender's clock, 1970 to 2255.
    ///   - clock: The Lamport clock, 0 (none) to 2^53.
    ///   - localReceived: When a monitor received it, 1970 to 2255.
    ///   - fields: What else it tells, by Celery's names.
    /// - Throws: ``TrackerError`` (`invalidArgument`) naming the field and its value.
    public init(
        type: String,
        uuid: String? = nil,
        hostname: String? = nil,
        timestamp: Timestamp,
        clock: Int = 0,
        localReceived: Timestamp? = nil,
        fields: [String: String] = [:]
    ) throws(TrackerError) {
        let isTask = type.hasPrefix("task-")
        let word = type.drop { $0 != "-" }.dropFirst()
        guard isTask || type.hasPrefix("worker-"), Names.isName(String(word), extra: "._-", limit: Limits.kindBytes)
        else {
            throw .invalid("type", type, allowed: Self.types)
        }
        self.type = type
        switch (uuid, isTask) {
        case (let text?, true): self.uuid = try Self.id("uuid", text)
        case (nil, false): self.uuid = nil
        case (nil, true): throw .invalid("uuid", "", allowed: "the task's id, which is missing")
        case (let text?, false): throw .invalid("uuid", text, allowed: "none for \(type)")
        }
        if hostname == nil, !isTask { throw .invalid("hostname", "", allowed: Self.hostnames) }
        if let hostname, !Self.isID(hostname) { throw .invalid("hostname", hostname, allowed: Self.hostnames) }
        self.hostname = hostname
        for (name, moment) in [("timestamp", timestamp), ("local_received", localReceived ?? timestamp)] {
            guard Self.moments.contains(moment.microseconds) else {
                throw .invalid(name, moment.microseconds, allowed: "a time from 1970 to 2255")
            }
        }
        self.timestamp = timestamp
        self.localReceived = localReceived
        guard Self.moments.contains(clock) else { throw .invalid("clock", clock, allowed: "a whole number, 0 to 2^53") }
        self.clock = clock
        self.fields = isTask ? try Self.taskFields(fields) : try Self.workerFields(fields)
    }

    private static let types = "task-… or worker-…, the rest 1 to 64 of A-Z a-z 0-9 . _ -"
    private static let moments = 0...(1 << 53)
    private static let hostnames = "1 to 256 bytes of UTF-8 without control characters"
}

// MARK: - Fields

extension CeleryEvent {
    /// The fields of a task that are kept by name, with their most bytes.
    private static let limits: [String: Int] = {
        var limits = [String: Int]()
        for name in [
            "name", "retries", "eta", "expires", "queue", "exchange", "routing_key", "root_id", "parent_id", "pid",
            "runtime",
            "terminated", "signum", "expired", "requeue",
        ] { limits[name] = Limits.foreignFieldBytes }
        for name in ["args", "kwargs", "result", "exception", "more"] { limits[name] = Limits.foreignTextBytes }
        limits["traceback"] = Limits.foreignTracebackBytes
        return limits
    }()

    private static let workerNames: Set = ["freq", "sw_ident", "sw_ver", "sw_sys", "active", "processed"]

    private static func taskFields(_ given: [String: String]) throws(TrackerError) -> [String: String] {
        var fields: [String: String] = [:]
        for (name, value) in given {
            guard let limit = limits[name] else {
                throw .invalid("field", name, allowed: limits.keys.sorted().joined(separator: ", "))
            }
            if name == "root_id" || name == "parent_id" { _ = try id(name, value) }
            fields[name] = FailureText.shorten(value, to: limit)
        }
        return fields
    }

    private static func workerFields(_ given: [String: String]) throws(TrackerError) -> [String: String] {
        if let name = given.keys.first(where: { !workerNames.contains($0) }) {
            throw .invalid("field", name, allowed: workerNames.sorted().joined(separator: ", "))
        }
        var fields: [String: String] = [:]
        for name in ["sw_ident", "sw_ver", "sw_sys"] {
            if let value = given[name] { fields[name] = FailureText.shorten(value, to: Limits.foreignFieldBytes) }
        }
        for name in ["active", "processed"] {
            guard let text = given[name] else { continue }
            guard let count = Int(text), moments.contains(count) else {
                throw .invalid(name, text, allowed: "a whole number, 0 to 2^53")
            }
            fields[name] = "\(count)"
        }
        if let text = given["freq"] {
            guard let seconds = Double(text), Limits.foreignInterval.contains(interval(seconds)) else {
                throw .invalid("freq", text, allowed: "seconds, 0.001 to 86400")
            }
            fields["freq"] = text
        }
        return fields
    }

    private static func interval(_ seconds: Double) -> Duration {
        abs(seconds) < 1e9 ? .microseconds(Int((seconds * 1_000_000).rounded())) : .zero
    }

    /// How often a worker sends a heartbeat, as it tells.
    package var interval: Duration? { fields["freq"].flatMap { Double($0) }.map(Self.interval) }

    private static func isID(_ text: String) -> Bool {
        (1...Limits.idBytes).contains(text.utf8.count) && !text.unicodeScalars.contains(where: \.isControl)
    }

    private static func id(_ name: String, _ text: String) throws(TrackerError) -> TaskID {
        guard isID(text) else { throw .invalid(name, text, allowed: hostnames) }
        return TaskID(trusted: text)
    }
}

// MARK: - JSON

extension CeleryEvent {
    /// An event from a JSON object, as Celery's monitors write it.
    ///
    /// `type` and `timestamp` (seconds since 1970) must be there, `uuid` for tasks, and `hostname` for workers. A member that
    /// is null counts as absent.
    /// - Throws: ``TrackerError`` (`invalidArgument`) naming the field and its value, or what is wrong with the JSON.
    public init(json bytes: [UInt8]) throws(TrackerError) { try self.init(Self.value(of: bytes)) }

    /// The events of a text: a JSON array of objects, or an object in each line; empty lines are passed over.
    /// - Throws: ``TrackerError`` (`invalidArgument`) naming the event by its number or line, the field and its value.
    public static func events(json bytes: [UInt8]) throws(TrackerError) -> [CeleryEvent] {
        let spaces = [UInt8](" \t\r\n".utf8)
        if bytes.first(where: { !spaces.contains($0) }) == UInt8(ascii: "[") {
            guard case .list(let values) = try value(of: bytes) else { return [] }
            return try named("event", values.enumerated().map { ($0 + 1, $1) }) { value throws(TrackerError) in
                try CeleryEvent(value)
            }
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
            .map { ($0 + 1, $1) }.filter { !$0.1.allSatisfy(spaces.contains) }
        return try named("line", lines) { line throws(TrackerError) in try CeleryEvent(json: Array(line)) }
    }

    private static func named<Value>(
        _ what: String,
        _ values: [(Int, Value)],
        _ event: (Value) throws(TrackerError) -> CeleryEvent
    ) throws(TrackerError) -> [CeleryEvent] {
        var events: [CeleryEvent] = []
        for (number, value) in values {
            do throws(TrackerError) {
                events.append(try event(value))
            } catch {
                throw TrackerError(error.code, "\(what) \(number): \(error.message)")
            }
        }
        return events
    }

    private static func value(of bytes: [UInt8]) throws(TrackerError) -> HookValue {
        guard let value = HookValue(json: bytes) else {
            throw .invalid(
                "event",
                String(decoding: bytes.prefix(80), as: UTF8.self),
                allowed: "a JSON object (RFC 8259)"
            )
        }
        return value
    }

    private init(_ value: HookValue) throws(TrackerError) {
        guard case .object(let members) = value else { throw .invalid("event", value.json, allowed: "a JSON object") }
        guard let timestamp = try Self.moment("timestamp", members) else {
            throw .invalid("timestamp", "", allowed: "a number, seconds since 1970; it is missing")
        }
        guard let type = try Self.text("type", members) else {
            throw .invalid("type", "", allowed: Self.types + "; it is missing")
        }
        let isWorker = type.hasPrefix("worker-")
        try self.init(
            type: type,
            uuid: isWorker ? nil : try Self.text("uuid", members),
            hostname: try Self.text("hostname", members),
            timestamp: timestamp,
            clock: try Self.count("clock", members) ?? 0,
            localReceived: try Self.moment("local_received", members),
            fields: Self.fields(
                members,
                named: isWorker ? Self.workerNames : Set(Self.limits.keys),
                restNamed: isWorker ? nil : "more"
            )
        )
    }

    /// Members that have a property, or say nothing of the task.
    private static let common: Set = ["type", "uuid", "hostname", "timestamp", "clock", "local_received", "utcoffset"]

    /// The members with one of these names as text, and the rest as one object.
    private static func fields(
        _ members: [String: HookValue],
        named names: Set<String>,
        restNamed more: String?
    ) -> [String: String] {
        var fields: [String: String] = [:]
        var rest: [String: HookValue] = [:]
        for (name, value) in members where !common.contains(name) && value != .null {
            if name == more || !names.contains(name) {
                rest[name] = value
            } else if case .text(let text) = value {
                fields[name] = text
            } else {
                fields[name] = value.json
            }
        }
        if let more, !rest.isEmpty { fields[more] = HookValue.object(rest).json }
        return fields
    }

    private static func text(_ name: String, _ members: [String: HookValue]) throws(TrackerError) -> String? {
        switch members[name] {
        case nil, .null?: return nil
        case .text(let text)?: return text
        case let other?: throw .invalid(name, other.json, allowed: "text")
        }
    }

    private static func count(_ name: String, _ members: [String: HookValue]) throws(TrackerError) -> Int? {
        switch members[name] {
        case nil, .null?: return nil
        case .integer(let number)?: return number
        case let other?: throw .invalid(name, other.json, allowed: "a whole number, 0 to 2^53")
        }
    }

    /// Seconds since 1970, to the microsecond.
    private static func moment(_ name: String, _ members: [String: HookValue]) throws(TrackerError) -> Timestamp? {
        let seconds: Double
        switch members[name] {
        case nil, .null?: return nil
        case .integer(let number)?: seconds = Double(number)
        case .number(let number)?: seconds = number
        case let other?: throw .invalid(name, other.json, allowed: "a number, seconds since 1970")
        }
        guard seconds >= 0, seconds <= Double(moments.upperBound) / 1_000_000 else {
            throw .invalid(name, seconds, allowed: "a number, seconds from 1970 to 2255")
        }
        return Timestamp(microseconds: Int((seconds * 1_000_000).rounded()))
    }
}

// MARK: - Meaning

extension CeleryEvent {
    /// What follows `task-` or `worker-`.
    package var word: String { String(type[type.index(after: type.firstIndex(of: "-") ?? type.startIndex)...]) }

    /// The state that it stands for; nil for an event of a worker.
    public var state: ForeignState? { uuid == nil ? nil : ForeignState(word: word) }

    /// Whether the host that sent it is a worker: a task is sent by a client.
    package var isOfWorker: Bool { uuid == nil || word != "sent" }
}
