/// Where a foreign task stands, in the words of Celery.
public enum ForeignState: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Sent by a client.
    case pending
    /// A worker has it.
    case received
    /// A worker runs it.
    case started
    /// Ended well.
    case success
    /// Ended with an exception.
    case failure
    /// A run ended, another will follow.
    case retry
    /// Ended because somebody asked for it, or too late to begin.
    case revoked
    /// A worker would not have it.
    case rejected
    /// A state of the program's own, such as PROGRESS: 1 to 64 of `A-Z 0-9 . _ -`.
    case custom(String)

    private static let words: [(state: ForeignState, name: String, event: String, precedence: Int)] = [
        (.success, "SUCCESS", "succeeded", 9), (.failure, "FAILURE", "failed", 8), (.revoked, "REVOKED", "revoked", 6),
        (.started, "STARTED", "started", 5), (.received, "RECEIVED", "received", 4),
        (.rejected, "REJECTED", "rejected", 3),
        (.retry, "RETRY", "retried", 2), (.pending, "PENDING", "sent", 1),
    ]

    /// The state of a name as Celery writes it; any other is one of the program's own.
    public init(name: String) { self = Self.words.first { $0.name == name }?.state ?? .custom(name) }

    /// The state that `task-word` stands for.
    package init(word: String) { self = Self.words.first { $0.event == word }?.state ?? Self(name: word.uppercased()) }

    /// The name as Celery writes it: `STARTED`.
    public var name: String {
        if case .custom(let name) = self { name } else { Self.words.first { $0.state == self }?.name ?? "" }
    }

    /// Which of two states wins, whatever the order of their events; but with `retry` the newest does.
    package var precedence: Int { Self.words.first { $0.state == self }?.precedence ?? 7 }

    /// Whether the run that brought the task here goes on: it was sent, received or started. All others are inactive; after a
    /// retry the task goes on, but its run is over.
    public var isActive: Bool { self == .pending || self == .received || self == .started }

    /// Whether the task has ended, as Celery counts: SUCCESS, FAILURE and REVOKED. A task to be retried is not ready.
    public var isReady: Bool { self == .success || self == .failure || self == .revoked }

    /// The name.
    public var description: String { name }

    /// Reads a name.
    public init(from decoder: any Decoder) throws {
        self.init(name: try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

/// A task that Celery runs and Belay only knows of, by the events that were ingested. It is no task of this tracker: nobody
/// claims it, and it has no kind.
public struct ForeignTask: Sendable, Hashable {
    /// Its id in Celery.
    public var uuid: TaskID
    /// Where it stands.
    public var state: ForeignState
    /// When the event that brought it there was sent, by its sender's clock.
    public var timestamp: Timestamp
    /// The Lamport clock of that event; 0 where it told none.
    public var clock: Int
    /// The worker that sent that event, or the last one that told.
    public var hostname: String?
    /// The client that sent the task.
    public var client: String?
    /// When the newest of its events was sent.
    public var lastEvent: Timestamp
    /// When the newest event of each sort was sent: `sent`, `received`, `started`, `succeeded`, `failed`, `retried`,
    /// `revoked`, `rejected`, or that of a state of the program's own, `progress`.
    public var moments: [String: Timestamp]
    /// What else its events told, by their names, as ``CeleryEvent/fields`` says; text that was too long is cut.
    public var fields: [String: String]
    /// The tasks that name it as their parent, by id, the first 500; empty in listings.
    public var children: [TaskID]

    package init(
        uuid: TaskID,
        state: ForeignState,
        timestamp: Timestamp,
        clock: Int,
        hostname: String?,
        client: String?,
        lastEvent: Timestamp,
        moments: [String: Timestamp],
        fields: [String: String],
        children: [TaskID] = []
    ) {
        self.uuid = uuid
        self.state = state
        self.timestamp = timestamp
        self.clock = clock
        self.hostname = hostname
        self.client = client
        self.lastEvent = lastEvent
        self.moments = moments
        self.fields = fields
        self.children = children
    }

    /// The name of what it runs.
    public var name: String? { fields["name"] }
    /// The task that sent it.
    public var parent: TaskID? { fields["parent_id"].map { TaskID(trusted: $0) } }
    /// The first task of its tree.
    public var root: TaskID? { fields["root_id"].map { TaskID(trusted: $0) } }
    /// How often it was retried.
    public var retries: Int? { fields["retries"].flatMap { Int($0) } }
}

/// A worker of Celery, as its events told.
public struct ForeignWorker: Sendable, Hashable {
    /// Its host name, such as `celery@host`.
    public var hostname: String
    /// Its last heartbeats in their order, at most 4, by the clock of who received them; each event of a task that it sent
    /// counts as one. None when it left.
    public var beats: [Timestamp]
    /// When it last left.
    public var left: Timestamp?
    /// How often it sends a heartbeat; 60 s where it told nothing.
    public var interval: Duration
    /// How far its clock was behind that of who received its latest event; negative when it was ahead.
    public var drift: Duration?
    /// What it runs: `sw_ident`, `sw_ver` and `sw_sys`, `py-celery 5.4.0 Linux`.
    public var software: String?
    /// How many tasks it ran when it last told.
    public var active: Int?
    /// How many it has run.
    public var processed: Int?
    /// Whether it counts as alive: until two intervals after its latest heartbeat.
    public var isAlive: Bool

    /// Until when it counts as alive; nil when it left.
    public var aliveUntil: Timestamp? { beats.last.map { $0 + interval + interval } }
    /// Whether its clock is off by more than 16 s.
    public var isDrifting: Bool { drift.map { abs($0.microseconds) > 16_000_000 } ?? false }

    /// How often a worker sends a heartbeat that does not tell.
    package static let interval: Duration = .seconds(60)

    package init(
        hostname: String,
        beats: [Timestamp],
        left: Timestamp?,
        drift: Duration?,
        fields: [String: String],
        interval: Duration?,
        now: Timestamp
    ) {
        self.hostname = hostname
        self.beats = beats
        self.left = left
        self.interval = interval ?? Self.interval
        self.drift = drift
        let words = ["sw_ident", "sw_ver", "sw_sys"].compactMap { fields[$0] }
        software = words.isEmpty ? nil : words.joined(separator: " ")
        active = fields["active"].flatMap { Int($0) }
        processed = fields["processed"].flatMap { Int($0) }
        isAlive = false
        isAlive = aliveUntil.map { now < $0 } ?? false
    }
}

/// What became of events that were ingested.
public struct IngestOutcome: Sendable, Hashable, Codable {
    /// Events that changed something.
    public var applied: Int
    /// Events that were known, or older than what is known.
    public var unchanged: Int
    /// Foreign tasks that made room, the longest not heard of.
    public var evicted: Int

    /// An outcome from its parts.
    public init(applied: Int, unchanged: Int, evicted: Int) {
        self.applied = applied
        self.unchanged = unchanged
        self.evicted = evicted
    }
}

/// Which foreign tasks are listed.
public enum ForeignFilter: Sendable, Hashable {
    /// All.
    case all
    /// Those in a state.
    case state(ForeignState)
    /// Those that run something of that name.
    case name(String)
    /// Those that a worker last told of.
    case worker(String)
}

/// A page of foreign tasks.
public struct ForeignPage: Sendable, Hashable {
    /// The tasks, the latest heard of first, without children.
    public var tasks: [ForeignTask]
    /// Where the next page begins; nil when this is the last.
    public var cursor: String?

    package init(tasks: [ForeignTask], cursor: String?) {
        self.tasks = tasks
        self.cursor = cursor
    }
}

/// How many foreign tasks there are.
public struct ForeignCounts: Sendable, Hashable {
    /// All.
    public var tasks: Int
    /// By state; only states that are there.
    public var states: [ForeignState: Int]
    /// By name, the first 500 names by their bytes.
    public var names: [String: Int]
    /// Events that changed something, ever.
    public var events: Int
    /// Tasks received, ever; one that is received again counts again.
    public var received: Int

    package init(tasks: Int, states: [ForeignState: Int], names: [String: Int], events: Int, received: Int) {
        self.tasks = tasks
        self.states = states
        self.names = names
        self.events = events
        self.received = received
    }
}
