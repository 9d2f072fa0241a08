import Belay

/// The life of one task, from enqueue to deletion, in a kind that only this probe knows and removes again.
struct ReadinessProbe {
    /// How the kinds of all probes begin.
    static let kindPrefix = "belay.readyz."
    private static let policy = KindPolicy(lease: .milliseconds(50), attempts: 10_000, retry: .fixed(.zero))
    /// What a probe left that was killed half-way is deleted after so long.
    private static let leftoverAge: Duration = .seconds(60)

    private let tracker: Tracker
    private let trace: Trace
    private let isManual: Bool
    private let kind: KindName
    private let id: TaskID

    init(_ tracker: Tracker, _ trace: Trace, isManual: Bool) throws {
        self.tracker = tracker
        self.trace = trace
        self.isManual = isManual
        kind = try KindName(Self.kindPrefix + String(UInt64.random(in: .min ... .max), radix: 36))
        id = try TaskID(kind: kind, identifier: "probe")
    }

    private func step<T>(_ name: String, _ body: () async throws -> T) async throws -> T {
        try await trace.step(name, in: tracker.namespace, body)
    }

    func run() async throws {
        do {
            try await step("enqueue") {
                let task = NewTask(kind, options: EnqueueOptions(id: id))
                guard try await tracker.enqueue([task], policy: Self.policy) == [.created(id)] else {
                    throw wrong("the task was not created")
                }
            }
            let claim = try await hold()
            if isManual {
                // The clock is the test's: no lease runs out unless it says so.
                try await step("reap") { _ = try await tracker.reap(limit: 1) }
            } else {
                try await step("expire") { try await Task.sleep(for: claim.lease) }
                try await step("reap") { try await takeBack(claim) }
            }
            try await step("delete") {
                guard try await tracker.delete([id], force: true) == [.deleted] else { throw wrong("the task is gone") }
            }
            try await step("undefine") { try await tidy() }
        } catch {
            _ = try? await tracker.undefine(kind, force: true)
            throw error
        }
    }

    /// Claims and renews. On a slow machine a short lease may be over before the renewal: then with a longer one.
    private func hold() async throws -> Claim {
        for lease in [50, 250, 1000].map({ Duration.milliseconds($0) }) {
            let claim = try await step("claim") {
                // After a lease that was too short a reaper may be first, or the claim takes the task back itself and it
                // is due at once.
                for _ in 0..<3 {
                    if let claim = try await tracker.claim([kind], lease: lease).first { return claim }
                }
                throw wrong("the task could not be claimed")
            }
            let outcome = try await step("renew") { try await tracker.renew(claim.handle, for: lease) }
            switch outcome {
            case .renewed: return claim
            case .stale: continue
            default: throw wrong("the lock could not be renewed: \(outcome)")
            }
        }
        throw wrong("a lease of 1 s was over before it could be renewed")
    }

    /// Until this reaper, or any other, has taken the task back.
    private func takeBack(_ claim: Claim) async throws {
        while true {
            _ = try await tracker.reap()
            guard let record = try await tracker.get(id) else { throw wrong("the task is gone") }
            if record.state == .ready, record.crashes > 0 { return }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func tidy() async throws {
        _ = try await tracker.undefine(kind)
        // A probe that was killed half-way leaves its kind.
        let others = try await tracker.stats()
        for other in others.kinds.map(\.kind) where other.description.hasPrefix(Self.kindPrefix) && other != kind {
            let tasks = try await tracker.find(kinds: [other], limit: 1).tasks
            if let task = tasks.first, others.now - task.created > Self.leftoverAge {
                _ = try await tracker.undefine(other, force: true)
            }
        }
    }

    private func wrong(_ text: String) -> Problem { Problem(.notReady, text) }
}
