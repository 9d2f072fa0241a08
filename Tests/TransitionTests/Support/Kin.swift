import Testing

@testable import Belay

extension Enqueue.Wishes {
    init(
        tags: [TaskTag] = [],
        after: Dependencies? = nil,
        expires: Enqueue.Due? = nil,
        unique: Uniqueness? = nil,
        reuse: Bool = false
    ) {
        self.init()
        self.tags = tags
        dependencies = after
        self.expires = expires
        self.unique = unique
        self.reuse = reuse
    }
}

extension TrackerFixture {
    /// Creates one task, the request sent twice.
    @discardableResult
    func create(
        _ id: TaskID,
        _ kind: KindName = "k",
        payload: Body = .empty,
        due: Enqueue.Due = .now,
        priority: Int = 5,
        tags: [TaskTag] = [],
        after: Dependencies? = nil,
        expires: Enqueue.Due? = nil,
        unique: Uniqueness? = nil,
        reuse: Bool = false,
        nonce: String = Host.nonce(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Enqueue.Response {
        let wishes = Enqueue.Wishes(tags: tags, after: after, expires: expires, unique: unique, reuse: reuse)
        let item = EnqueueTests.item(
            id.description,
            due: due,
            priority: priority,
            payload: payload,
            wishes: wishes.isEmpty ? nil : wishes
        )
        let verb = EnqueueTests.verb([item], nonce: nonce, kinds: [(kind, nil)])
        return try await twice(verb, sourceLocation: sourceLocation)
    }

    /// Creates children `<prefix>1 ... <prefix>n` of the same parents, in one call.
    @discardableResult
    func children(_ count: Int, after: Dependencies, prefix: String = "c") async throws -> [TaskID] {
        let ids = (1...count).map { TaskID(trusted: "\(prefix)\($0)") }
        let options = ids.map { EnqueueOptions(id: $0, after: after) }
        let outcomes = try await tracker.enqueue(options.map { NewTask("k", options: $0) })
        try #require(outcomes == ids.map { .created($0) })
        return ids
    }

    /// Runs a task that waits, and ends it well or not.
    func finish(_ id: TaskID, well: Bool = true, result: Body = .empty) async throws {
        let handle = try await claim(id, token: Host.token(), options: .ignoreDue).handle
        if well {
            try #require(try await tracker.complete(handle, result: result) == .accepted)
        } else {
            try #require(try await tracker.fail(handle, failure, .exhaust) == .exhausted)
        }
    }

    /// The states of tasks, in their order.
    func states(_ ids: TaskID...) async throws -> [TaskState?] { try await tracker.get(ids).map { $0?.state } }

    /// How many of these are in each state.
    func tally(_ ids: [TaskID]) async throws -> [TaskState: Int] {
        var tally: [TaskState: Int] = [:]
        for start in stride(from: 0, to: ids.count, by: 500) {
            for record in try await tracker.get(Array(ids[start..<min(start + 500, ids.count)])) {
                if let record { tally[record.state, default: 0] += 1 }
            }
        }
        return tally
    }
}
