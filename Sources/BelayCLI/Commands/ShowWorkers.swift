import ArgumentParser
import Belay

/// Shows who works.
struct ShowWorkers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Show who works, on what and how it goes, the latest seen first.",
        discussion: """
            A worker is alive for two intervals after its last heartbeat; then it is
            silent, or has left. One that never told only claims, as 'belay run' does.
            DRIFT is how far its clock is ahead of the server's.
            """
    )

    @Option(help: "The most workers, 1 to 500. Default: 100.")
    var limit = 100

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let workers = try await session.tracker.workers(limit: limit)
            guard !session.output.isJSON else {
                for worker in workers { session.output.json(WorkerView(worker)) }
                return
            }
            var table = Table([
                .left("WORKER", least: 10), .left("IS"), .left("SEEN"), .right("RUNS"), .right("SUCCEEDED"),
                .right("OTHERWISE"), .right("DRIFT"), .left("SOFTWARE", least: 5), .left("KINDS", least: 8),
            ])
            table.rows = workers.map { worker in
                let (word, colour) = Self.standing(of: worker)
                let runs = worker.active.flatMap { active in worker.slots.map { "\(active) of \($0)" } }
                return [
                    .init(worker.name), .init(word, colour), .init(worker.seen.description), .init(runs ?? ""),
                    .init(worker.succeeded.map { "\($0)" } ?? ""), .init(worker.failed.map { "\($0)" } ?? ""),
                    .init(worker.drift.map(Span.text) ?? ""), .init(worker.software ?? ""),
                    .init(worker.kinds.map(\.description).joined(separator: " ")),
                ]
            }
            session.output.table(table)
        }
    }

    private static func standing(of worker: WorkerInfo) -> (String, Colours.Code?) {
        switch worker.isAlive {
        case true?: ("alive", .green)
        // Who leaves is alive until that very moment, and is seen no more.
        case false?: worker.aliveUntil == worker.seen ? ("left", .dim) : ("silent", .red)
        case nil: ("claims only", nil)
        }
    }
}

/// A worker in JSON.
private struct WorkerView: Encodable {
    var name: String
    var alive: Bool?
    var seen: Timestamp
    var since: Timestamp?
    var aliveUntil: Timestamp?
    var interval: Double?
    var slots: Int?
    var active: Int?
    var succeeded: Int?
    var failed: Int?
    var software: String?
    var drift: Double?
    var kinds: [KindName]

    init(_ worker: WorkerInfo) {
        name = worker.name
        alive = worker.isAlive
        seen = worker.seen
        since = worker.since
        aliveUntil = worker.aliveUntil
        interval = worker.interval?.seconds
        slots = worker.slots
        active = worker.active
        succeeded = worker.succeeded
        failed = worker.failed
        software = worker.software
        drift = worker.drift?.seconds
        kinds = worker.kinds
    }
}
