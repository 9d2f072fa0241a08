import Testing

@testable import Belay

/// A place where a task can stand, by its letter in the record.
enum Place: String, Sendable, CaseIterable {
    case ready = "q"
    case running = "r"
    /// Paused by its holder, who keeps the lock.
    case held = "h"
    /// Paused by an operator.
    case parked = "p"
    case succeeded = "s"
    case exhausted = "x"
    case cancelled = "c"
    case ignored = "n"

    /// What the place is called outside.
    var state: TaskState {
        switch self {
        case .ready: .ready
        case .running: .running
        case .held, .parked: .paused
        case .succeeded: .succeeded
        case .exhausted: .exhausted
        case .cancelled: .cancelled
        case .ignored: .ignored
        }
    }

    var isHeld: Bool { self == .running || self == .held }
    var isEnded: Bool { state.isTerminal }
    /// The places where nobody holds a lock.
    static let free = allCases.filter { !$0.isHeld }

    /// The index in which a task of kind `k` stands there.
    var index: String { self == .ready ? "q:5:k" : "\(rawValue):k" }
}

extension TrackerFixture {
    /// Brings a new task to a place, over an attempt in each case; the proof of that attempt's lock, be it lost or not.
    @discardableResult
    func bring(_ id: TaskID, to place: Place, token: String = "token") async throws -> ClaimHandle {
        let handle = try await running(id, token: token).handle
        switch place {
        case .running: break
        case .held: try #require(try await tracker.pause(handle) == .done(.paused))
        case .succeeded: try #require(try await tracker.complete(handle) == .accepted)
        case .exhausted: try #require(try await tracker.fail(handle, failure, .exhaust) == .exhausted)
        case .cancelled: try #require(try await tracker.fail(handle, failure, .cancelled) == .cancelled)
        case .ready, .parked, .ignored:
            try await tracker.release([handle])
            if place == .parked { try #require(try await tracker.pause([id]) == [.done(.paused)]) }
            if place == .ignored { try #require(try await tracker.ignore([id]) == [.done(.ignored)]) }
        }
        return handle
    }

    /// The letter of a task's state, and the indexes of kind `k` that name it.
    func whereabouts(_ id: TaskID) async throws -> [String] {
        let dump = try await dump()
        let indexes = Place.allCases.map(\.index).filter { dump.index($0)[id.description] != nil }
        return [dump.record(id)?["s"] ?? "none"] + indexes
    }
}

// MARK: - Verbs as most tests send them

extension Cancel {
    init(ids: [TaskID], reason: String, signal: Int? = nil) {
        self.init(targets: .tasks(ids), reason: reason, signal: signal, actor: TrackerFixture.actor)
    }
}

extension Delete {
    init(ids: [TaskID], force: Bool) { self.init(targets: .tasks(ids), force: force) }
}

extension Retry {
    init(
        ids: [TaskID],
        budget: RetryBudget,
        force: Bool = false,
        message: String = "",
        nonce: String = Host.nonce()
    ) {
        self.init(
            targets: .tasks(ids),
            budget: budget,
            force: force,
            actor: TrackerFixture.actor,
            message: message,
            nonce: nonce
        )
    }
}

extension Pause {
    init(_ ids: TaskID..., message: String = "") {
        self.init(.tasks(ids), actor: TrackerFixture.actor, message: message)
    }
    init(_ handle: ClaimHandle, message: String = "") {
        self.init(.held(handle), actor: TrackerFixture.actor, message: message)
    }
}

extension Resume {
    init(_ ids: TaskID..., message: String = "") {
        self.init(.tasks(ids), actor: TrackerFixture.actor, message: message)
    }
    init(_ handle: ClaimHandle, message: String = "") {
        self.init(.held(handle), actor: TrackerFixture.actor, message: message)
    }
}

extension Ignore {
    init(_ ids: TaskID..., message: String = "") {
        self.init(ids: ids, actor: TrackerFixture.actor, message: message)
    }
}

extension Gate {
    /// A pause of a kind, or of the tracker when there is none.
    static func pausing(_ kind: KindName?, message: String = "", by actor: String = TrackerFixture.actor) -> Gate {
        Gate(kind: kind, pause: true, actor: actor, message: message)
    }

    /// The end of such a pause.
    static func resuming(_ kind: KindName?, message: String = "") -> Gate {
        Gate(kind: kind, pause: false, actor: TrackerFixture.actor, message: message)
    }
}

extension Beat {
    /// A beat of a worker with four slots, every 10 s.
    init(
        _ event: BeatEvent,
        of worker: String = "host:1:a",
        interval: Duration = .seconds(10),
        clock: Timestamp? = nil,
        kinds: [KindName] = ["k"]
    ) {
        self.init(
            worker: WorkerName(trusted: worker),
            event: event,
            interval: interval,
            slots: 4,
            active: 3,
            succeeded: 2,
            failed: 1,
            software: "test/1",
            clock: clock,
            kinds: kinds
        )
    }
}

extension Find {
    init(kinds: [KindName] = [], states: [TaskState], limit: Int = 100, cursor: String? = nil) {
        self.init(kinds: kinds, states: states, order: .oldestFirst, limit: limit, cursor: cursor)
    }
}

extension Peek {
    init(kinds: [KindName], limit: Int) {
        self.init(kinds: kinds, limit: limit, order: .priority, scheduled: false)
    }
}
