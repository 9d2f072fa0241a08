import Belay

/// The verbs by themselves, one call after the other, without a worker.
extension Bench {
    /// Enqueues so many tasks that `make` describes, `batch` a call, and answers their ids.
    @discardableResult
    func enqueue(_ count: Int, batch: Int, _ make: (Int) throws -> NewTask) async throws -> [TaskID] {
        var ids: [TaskID] = []
        ids.reserveCapacity(count)
        for start in stride(from: 0, to: count, by: batch) {
            let tasks = try (start..<min(start + batch, count)).map(make)
            ids += try await tracker.enqueue(tasks, policy: Self.policy).map(\.id)
        }
        return ids
    }

    /// Claims so many tasks, `batch` a call.
    func claim(_ count: Int, batch: Int) async throws -> [Claim] {
        var claims: [Claim] = []
        claims.reserveCapacity(count)
        while claims.count < count {
            let some = try await tracker.claim([Self.kind], limit: min(batch, count - claims.count))
            guard !some.isEmpty else { throw BenchError("only \(claims.count) of \(count) tasks were due") }
            claims += some
        }
        return claims
    }

    func renew(_ claims: [Claim], batch: Int) async throws {
        for part in claims.parts(of: batch) {
            let outcomes = try await tracker.renew(part)
            try Self.check(outcomes.allSatisfy { $0 == .renewed }, "a lock was not renewed")
        }
    }

    /// Fails all of them; they are due again at once.
    func fail(_ claims: [Claim], batch: Int, _ failure: TaskFailure = Bench.failure) async throws {
        for part in claims.parts(of: batch) {
            let outcomes = try await tracker.fail(part.map { ($0.handle, failure, .retry(after: .zero)) })
            try Self.check(outcomes.allSatisfy { if case .ready = $0 { true } else { false } }, "a task is not ready")
        }
    }

    func complete(_ claims: [Claim], batch: Int, result: Body = .empty) async throws {
        for part in claims.parts(of: batch) {
            let outcomes = try await tracker.complete(part.map { ($0.handle, result) })
            try Self.check(outcomes.allSatisfy { $0 == .accepted }, "an end was refused")
        }
    }

    /// An error text as services write them, 60 bytes.
    static let failure = TaskFailure(
        type: "HTTPError",
        message: "503 from https://tiles.example.org/12/2138/1423: try later"
    )

    private static func check(_ holds: Bool, _ otherwise: String) throws {
        guard holds else { throw BenchError(otherwise) }
    }
}

/// A measure that went wrong: its figures would mean nothing.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension Array {
    /// The elements in parts of at most `size`.
    func parts(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
