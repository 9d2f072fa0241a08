import ArgumentParser
import Belay

/// Shows who works.
struct ShowWorkers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Show who works and how it goes, the latest seen first; or what one worker does now.",
        discussion: """
            A worker is alive for two intervals after its last heartbeat; then it is
            silent, or has left. One that never told only claims, as 'belay run' does.
            DRIFT is how far its clock is ahead of the server's.

            EXAMPLES
              belay workers
              belay workers web1:4242:7f3a    the tasks that it runs now
            """
    )

    @Argument(help: "The worker whose running tasks are shown.")
    var name: String?

    @Option(help: "The most workers, 1 to 500. Default: 100.")
    var limit: Int?

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard name == nil || limit == nil else { throw ValidationError("--limit is of the list of workers") }
    }

    func run() async throws {
        let worker = try name.map { try WorkerName($0).description }
        try await global.withSession { session in
            if let worker { return try await Self.tasks(of: worker, session) }
            let workers = try await session.tracker.workers(limit: limit ?? 100)
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

    private static func tasks(of worker: String, _ session: Session) async throws {
        var tasks: [TaskRecord] = []
        var cursor: String?
        repeat {
            let page = try await session.tracker.find(
                states: [.running],
                limit: Limits.batch,
                cursor: cursor,
                worker: worker
            )
            tasks += page.tasks
            cursor = page.cursor
        } while cursor != nil
        let now = session.output.isJSON ? nil : try await session.tracker.stats().now
        List.show(tasks, now: now, session.output)
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
