import BelayTestKit
import Testing

@testable import Belay

/// What every behaviour is tested on.
enum TestedBackend: String, CaseIterable, CustomTestStringConvertible {
    case redis = "Redis"
    case inMemory = "in memory"
    case redisParts = "Redis, 3 partitions"
    case inMemoryParts = "in memory, 3 partitions"

    /// Those of one partition.
    static let allCases: [TestedBackend] = [.redis, .inMemory]
    /// Those of several, too: for what does not depend on ids of the test's own that lie in different partitions.
    static let spread = allCases + parted
    /// Those of several partitions.
    static let parted: [TestedBackend] = [.redisParts, .inMemoryParts]

    var testDescription: String { rawValue }
    var partitions: Int { self == .redisParts || self == .inMemoryParts ? 3 : 1 }

    /// Runs `body` with an empty tracker of this backend and the clock of both; the kind `mail` is defined.
    func run(
        _ policy: KindPolicy = KindPolicy(lease: .seconds(10), attempts: 3, retry: .fixed(.seconds(5))),
        _ body: (Tracker, ManualClock) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        switch self {
        case .redis, .redisParts:
            try await withRedisTracker(clock: clock, partitions: partitions) { tracker in
                try await tracker.define(mail, policy: policy)
                try await body(tracker, clock)
            }
        case .inMemory, .inMemoryParts:
            try await withInMemoryTracker(clock: clock, partitions: partitions) { tracker, clock in
                try await tracker.define(mail, policy: policy)
                try await body(tracker, clock)
            }
        }
    }
}

/// The kind of most tests.
let mail: KindName = "mail"

extension Tracker {
    /// Creates a task of the kind `mail`, or of another that is defined.
    func add(_ id: TaskID, _ kind: KindName = mail, delay: Duration? = nil, priority: Int = 5) async throws {
        let options = EnqueueOptions(id: id, delay: delay, priority: priority)
        let payload = Body(text: "payload of \(id)")
        #expect(try await enqueue([NewTask(kind, payload: payload, options: options)]) == [.created(id)])
    }

    /// Creates tasks, all of them in one call.
    func add(_ tasks: NewTask...) async throws {
        #expect(try await enqueue(tasks) == tasks.compactMap(\.options.id).map { .created($0) })
    }

    /// The request that creates tasks, to be sent more than once.
    func request(_ tasks: NewTask...) async throws -> Enqueue {
        var prepared: [PreparedTask] = []
        for task in tasks { prepared.append(try await prepare(task, policy: nil, trace: [:])) }
        return try await request(for: prepared, nonce: "nonce", message: "")
    }

    /// Ends a task that is ready or blocked: deletes it where the state is nil.
    func end(_ id: TaskID, as state: TaskState?) async throws {
        switch state {
        case .succeeded?: #expect(try await complete(take(id).handle) == .accepted)
        case .exhausted?:
            let failure = TaskFailure(type: "e", message: "m")
            #expect(try await fail(take(id).handle, failure, .exhaust) == .exhausted)
        case .cancelled?: #expect(try await cancel([id], reason: "no") == [.cancelled])
        case .ignored?: #expect(try await ignore([id]) == [.done(.ignored)])
        case nil: #expect(try await delete([id]) == [.deleted])
        case let state?: Issue.record("\(state) is no end")
        }
    }

    /// The names of the events of tasks so far, with task and detail.
    func told(_ names: Set<TrackerEvent.Name>) async throws -> [String] {
        try await events(from: .oldest).events.filter { names.contains($0.name) }.map { event in
            "\(event.name) \(event.task?.description ?? "-")" + (event.detail.isEmpty ? "" : " \(event.detail)")
        }
    }

    /// Takes the lock of a task that can be had.
    func take(_ id: TaskID, options: AcquireOptions = []) async throws -> Claim {
        switch try await claim(id, options: options) {
        case .claimed(let claim): return claim
        case .refused(let refusal): throw Refused(refusal: refusal)
        }
    }

    /// Why the lock of a task cannot be had; nil when it can.
    func refusal(of id: TaskID, options: AcquireOptions = []) async throws -> ClaimRefusal? {
        if case .refused(let refusal) = try await claim(id, options: options) { refusal } else { nil }
    }

    /// Where a task stands; nil when there is none.
    func state(of id: TaskID) async throws -> TaskState? { try await get(id)?.state }
}

/// A task of the kind `mail`, or of another that is defined.
func new(
    _ id: TaskID,
    _ kind: KindName = mail,
    tags: [TaskTag] = [],
    after: Dependencies? = nil,
    unique: Uniqueness? = nil
) -> NewTask {
    NewTask(kind, options: EnqueueOptions(id: id, tags: tags, after: after, unique: unique))
}

private struct Refused: Error {
    let refusal: ClaimRefusal
}

/// The code of the error that a call throws; nil when it throws none.
func code(_ body: () async throws -> Void) async -> TrackerError.Code? {
    do {
        try await body()
        return nil
    } catch let error as TrackerError {
        return error.code
    } catch {
        Issue.record("threw \(error), which is no TrackerError")
        return nil
    }
}
