import Belay
import Synchronization

/// Proves that work flows: a task of a reserved kind is enqueued, claimed, renewed, lost and taken back, for real.
///
/// A server that answers `PING` may still refuse to write, have lost its scripts, or run on a clock that nobody takes leases
/// back by. The proof is made at most once a second; callers that come meanwhile wait for the same one.
final class Readiness: Sendable {
    /// One thing that was proved, or not.
    struct Step: Sendable, Hashable {
        var namespace: String
        var name: String
        var duration: Duration
    }

    /// What the proof gave.
    struct Report: Sendable {
        var steps: [Step] = []
        var problem: Problem?

        var json: JSONValue {
            let steps = steps.map { step -> JSONValue in
                [
                    "namespace": .string(step.namespace), "step": .string(step.name),
                    "milliseconds": .number("\(Double(step.duration.microseconds) / 1000)"),
                ]
            }
            return ["ready": .bool(problem == nil), "steps": .array(steps)]
        }
    }

    private enum State {
        case idle(last: (report: Report, at: ContinuousClock.Instant)?)
        case running([CheckedContinuation<Report, Never>])
    }

    private let trackers: Trackers
    private let limit: Duration
    private let freshness: Duration
    private let state = Mutex(State.idle(last: nil))

    init(_ trackers: Trackers, limit: Duration = .seconds(5), freshness: Duration = .seconds(1)) {
        self.trackers = trackers
        self.limit = limit
        self.freshness = freshness
    }

    /// Whether work flows in every namespace.
    func check() async -> Report {
        enum Turn { case known(Report), mine, wait }
        let turn: Turn = state.withLock { state in
            switch state {
            case .idle(let last?) where last.at.duration(to: .now) < freshness: return .known(last.report)
            case .idle:
                state = .running([])
                return .mine
            case .running: return .wait
            }
        }
        switch turn {
        case .known(let report): return report
        case .mine:
            let report = await prove()
            finish(report)
            return report
        case .wait:
            return await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard case .running(let waiting) = state else { return true }
                    state = .running(waiting + [continuation])
                    return false
                }
                // It ended in between, so its report is fresh; the next look finds it.
                if isOver { continuation.resume(returning: lastReport()) }
            }
        }
    }

    private func finish(_ report: Report) {
        let waiting: [CheckedContinuation<Report, Never>] = state.withLock { state in
            defer { state = .idle(last: (report, .now)) }
            if case .running(let waiting) = state { return waiting }
            return []
        }
        for continuation in waiting { continuation.resume(returning: report) }
    }

    private func lastReport() -> Report {
        state.withLock { state in
            if case .idle(let last?) = state { return last.report }
            return Report(problem: Problem(.notReady, "ask again", isRetriable: true))
        }
    }

    // MARK: The proof

    private func prove() async -> Report {
        let trace = Trace()
        return await withTaskGroup(of: Report.self) { group in
            group.addTask { [self] in
                var report = Report()
                do {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for name in trackers.namespaces {
                            let tracker = try trackers.tracker(name)
                            group.addTask { [self] in
                                try await ReadinessProbe(tracker, trace, isManual: trackers.clock != nil).run()
                            }
                        }
                        try await group.waitForAll()
                    }
                } catch {
                    let problem = Problem(error)
                    report.problem = Problem(.notReady, trace.failed(problem.description), isRetriable: true)
                }
                report.steps = trace.steps
                return report
            }
            group.addTask { [limit] in
                try? await Task.sleep(for: limit)
                let text = trace.failed("no end within \(limit)")
                return Report(steps: trace.steps, problem: Problem(.notReady, text, isRetriable: true))
            }
            defer { group.cancelAll() }
            return await group.next() ?? Report()
        }
    }
}

/// What the proof has done so far.
final class Trace: Sendable {
    private struct State {
        var steps: [Readiness.Step] = []
        var current: [String: String] = [:]
    }
    private let state = Mutex(State())

    var steps: [Readiness.Step] { state.withLock { $0.steps } }

    func step<T>(_ name: String, in namespace: String, _ body: () async throws -> T) async throws -> T {
        state.withLock { $0.current[namespace] = name }
        let began = ContinuousClock.now
        let value = try await body()
        state.withLock { state in
            state.steps.append(.init(namespace: namespace, name: name, duration: began.duration(to: .now)))
            state.current[namespace] = nil
        }
        return value
    }

    /// What did not come to its end, and why.
    func failed(_ reason: String) -> String {
        let steps = state.withLock { $0.current.sorted { $0.key < $1.key } }
        return steps.map { "\($0.value) in \($0.key)" }.joined(separator: ", ") + ": " + reason
    }
}
