import Metrics

/// What a worker counts, per kind; labels follow swift-metrics' conventions, times are seconds.
struct WorkerMetrics: Sendable {
    private let outcomes: [String: Counter]
    private let run: Metrics.Timer
    private let wait: Metrics.Timer

    init(kind: KindName) {
        let dimensions = [("kind", kind.description)]
        outcomes = Dictionary(
            uniqueKeysWithValues: ["succeeded", "failed", "snoozed", "released", "lost"].map { outcome in
                (outcome, Counter(label: "belay.attempts", dimensions: dimensions + [("outcome", outcome)]))
            }
        )
        run = Metrics.Timer(label: "belay.run.duration", dimensions: dimensions)
        wait = Metrics.Timer(label: "belay.wait.duration", dimensions: dimensions)
    }

    func record(_ settlement: Settlement, ran: Duration) {
        outcomes[settlement.outcome]?.increment()
        run.recordNanoseconds(Int64(ran.microseconds) * 1000)
        let claim = settlement.context.claim
        wait.recordNanoseconds(Int64(max(.zero, claim.claimed - claim.due).microseconds) * 1000)
    }
}
