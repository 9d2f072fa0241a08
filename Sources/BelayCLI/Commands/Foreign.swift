import ArgumentParser
import Belay
import BelayService

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Tasks that Celery runs.
struct Celery: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "celery",
        abstract: "Track tasks that Celery runs, by its events.",
        discussion: """
            These tasks are tracked, never run: they have no kind, and nobody claims them.
            At most 10,000 are kept; the longest not heard of make room.
            """,
        subcommands: [
            IngestEvents.self, ListForeign.self, ShowForeign.self, ShowForeignWorkers.self, CountForeign.self,
            ClearForeign.self,
        ]
    )
}

/// Takes events.
struct IngestEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Take events of Celery from a file or stdin, as JSON lines or a JSON array.",
        discussion: """
            Each event is an object with type (task-… or worker-…), timestamp (seconds),
            uuid of tasks and hostname of workers, as Celery's monitors write it. Lines are
            taken as they come, so a pipe may stay open. Events may come in any order and
            more than once. A wrong one ends the command with exit code 65; those of the
            lines before it are taken, of an array none.

            EXAMPLES
              belay celery ingest events.jsonl
              python monitor.py | belay celery ingest
            """
    )

    @Argument(help: "The file; '-' or nothing is stdin.")
    var file = "-"

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure(.notFound, "file “\(Escaping.line(file))”: \(String(cString: strerror(errno)))")
        }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        try await global.withSession { session in
            var intake = Intake(tracker: session.tracker)
            while let chunk = try Terminal.readChunk(descriptor) { try await intake.take(chunk) }
            try await intake.finish()
            let sum = intake.sum
            guard !session.output.isJSON else { return session.output.json(sum) }
            let evicted = sum.evicted > 0 ? ", \(sum.evicted) tasks made room" : ""
            session.output.line("\(sum.applied) events taken, \(sum.unchanged) known before\(evicted)")
        }
    }
}

/// Events as they come: each line when it is whole, or an array when it has ended.
private struct Intake {
    let tracker: Tracker
    private(set) var sum = IngestOutcome(applied: 0, unchanged: 0, evicted: 0)
    private var rest: [UInt8] = []
    private var isArray: Bool?
    private var lines = 0

    init(tracker: Tracker) { self.tracker = tracker }

    mutating func take(_ chunk: [UInt8]) async throws {
        rest += chunk
        guard rest.count <= Limits.maximumPayloadBytes else {
            throw failed("an array or line has more than \(Limits.maximumPayloadBytes) bytes")
        }
        if isArray == nil {
            isArray = rest.first { !" \t\r\n".utf8.contains($0) }.map { $0 == UInt8(ascii: "[") }
        }
        guard isArray == false else { return }
        var whole = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        rest = Array(whole.removeLast())
        try await ingest(whole.map { Array($0) })
    }

    mutating func finish() async throws {
        guard isArray == true else { return try await ingest([rest]) }
        let events: [CeleryEvent]
        do { events = try CeleryEvent.events(json: rest) } catch { throw failed(error.message) }
        try await send(events)
    }

    private mutating func ingest(_ lines: [[UInt8]]) async throws {
        var events: [CeleryEvent] = []
        for line in lines {
            self.lines += 1
            guard !line.allSatisfy({ " \t\r".utf8.contains($0) }) else { continue }
            do {
                events.append(try CeleryEvent(json: line))
            } catch {
                try await send(events)
                throw failed("line \(self.lines): \(error.message)")
            }
        }
        try await send(events)
    }

    private mutating func send(_ events: [CeleryEvent]) async throws {
        for start in stride(from: 0, to: events.count, by: Limits.batch) {
            let outcome = try await tracker.ingest(Array(events[start...].prefix(Limits.batch)))
            sum.applied += outcome.applied
            sum.unchanged += outcome.unchanged
            sum.evicted += outcome.evicted
        }
    }

    private func failed(_ message: String) -> Failure {
        Failure(.badData, "\(message). \(sum.applied + sum.unchanged) events were taken before it")
    }
}

/// Lists tasks.
struct ListForeign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the tasks of Celery, the latest heard of first.",
        discussion: """
            When there are more, the cursor of the next page is told on stderr; with --json
            it is the last line, {"cursor": …}. --all follows the pages to the end.
            """
    )

    @Option(help: "Only those in this state, such as STARTED or PROGRESS.")
    var state: String?

    @Option(help: "Only those that run something of this name.")
    var name: String?

    @Option(help: "Only those that were last on this worker.")
    var worker: String?

    @OptionGroup var page: PageOptions

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard [state, name, worker].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("--state, --name and --worker exclude each other")
        }
    }

    private var filter: ForeignFilter {
        if let state { return .state(ForeignState(name: state.uppercased())) }
        if let name { return .name(name) }
        if let worker { return .worker(worker) }
        return .all
    }

    func run() async throws {
        try await global.withSession { session in
            try await page.each(session.output) { limit, cursor in
                let page = try await session.tracker.foreignTasks(filter, limit: limit, cursor: cursor)
                Self.show(page.tasks, session.output)
                return page.cursor
            }
        }
    }

    private static func show(_ tasks: [ForeignTask], _ output: Output) {
        guard !output.isJSON else {
            for task in tasks { output.json(ForeignTaskJSON(task, withChildren: false)) }
            return
        }
        var table = Table([
            .left("UUID", least: 12), .left("STATE"), .left("NAME", least: 8), .left("WORKER", least: 8),
            .right("RETRIES"), .left("HEARD"),
        ])
        table.rows = tasks.map { task in
            [
                .init(task.uuid.description), .init(task.state.name, task.state.colour), .init(task.name ?? ""),
                .init(task.hostname ?? ""), .init(task.retries.map { "\($0)" } ?? ""),
                .init(task.lastEvent.description),
            ]
        }
        output.table(table)
    }
}

/// Shows one task.
struct ShowForeign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what is known of a task of Celery."
    )

    @Argument(help: "The task's id in Celery.")
    var uuid: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let uuid = try TaskID(uuid)
        try await global.withSession { session in
            guard let task = try await session.tracker.foreignTask(uuid) else {
                throw Failure(
                    .notFound,
                    "no event told of a task “\(Escaping.line(uuid.description))”; 'belay celery list' lists what there is"
                )
            }
            guard !session.output.isJSON else {
                return session.output.json(ForeignTaskJSON(task, withChildren: true))
            }
            Self.show(task, session.output)
        }
    }

    private static func show(_ task: ForeignTask, _ output: Output) {
        func field(_ name: String, _ value: String?, _ colour: Colours.Code? = nil) {
            guard let value else { return }
            let gap = String(repeating: " ", count: max(0, 14 - name.count))
            output.line(
                output.colours.paint(name, .dim) + gap + "  " + output.colours.paint(Escaping.line(value), colour)
            )
        }
        field("uuid", task.uuid.description, .bold)
        field("state", task.state.name, task.state.colour)
        field("since", "\(task.timestamp) (clock \(task.clock))")
        field("worker", task.hostname)
        field("client", task.client)
        for (name, moment) in task.moments.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            field(name, moment.description)
        }
        for (name, value) in task.fields.sorted(by: { $0.key < $1.key }) {
            // A traceback has lines of its own.
            let lines = value.split(separator: "\n", omittingEmptySubsequences: false)
            field(name, lines.first.map(String.init), name == "exception" ? .red : nil)
            for line in lines.dropFirst() { field("", String(line)) }
        }
        for (place, child) in task.children.enumerated() { field(place == 0 ? "children" : "", child.description) }
    }
}

/// Shows workers.
struct ShowForeignWorkers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Show the workers of Celery, the latest heard of first.",
        discussion: """
            A worker is alive for two of its intervals after its last heartbeat, 60 s each
            where it told none; each event of a task that it sent counts as a heartbeat.
            DRIFT is how far its clock is behind that of who received its events; more than
            16 s is too much.
            """
    )

    @Option(help: "The most workers, 1 to 500. Default: 100.")
    var limit = 100

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let workers = try await session.tracker.foreignWorkers(limit: limit)
            guard !session.output.isJSON else {
                for worker in workers { session.output.json(ForeignWorkerJSON(worker)) }
                return
            }
            var table = Table([
                .left("WORKER", least: 10), .left("IS"), .left("HEARD"), .right("EVERY"), .right("RUNS"),
                .right("PROCESSED"), .right("DRIFT"), .left("SOFTWARE", least: 5),
            ])
            table.rows = workers.map { worker in
                [
                    .init(worker.hostname),
                    worker.isAlive
                        ? .init("alive", .green) : worker.beats.isEmpty ? .init("left", .dim) : .init("silent", .red),
                    .init((worker.beats.last ?? worker.left)?.description ?? ""),
                    .init(Span.text(worker.interval)), .init(worker.active.map { "\($0)" } ?? ""),
                    .init(worker.processed.map { "\($0)" } ?? ""),
                    .init(worker.drift.map(Span.text) ?? "", worker.isDrifting ? .red : nil),
                    .init(worker.software ?? ""),
                ]
            }
            session.output.table(table)
        }
    }
}

/// Shows counts.
struct CountForeign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show how many tasks of Celery are known, by state and name."
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let counts = try await session.tracker.foreignCounts()
            let states = counts.states.map { ($0.key.name, $0.value) }.sorted { $0.0 < $1.0 }
            guard !session.output.isJSON else {
                return session.output.json(
                    CountsView(
                        tasks: counts.tasks,
                        states: Dictionary(uniqueKeysWithValues: states),
                        names: counts.names,
                        events: counts.events,
                        received: counts.received
                    )
                )
            }
            var table = Table([.left("TASKS", least: 10), .right("COUNT")])
            table.rows = [["all", .init("\(counts.tasks)")]]
            table.rows += states.map { [.init($0.0), .init("\($0.1)")] }
            table.rows += counts.names.sorted { $0.key < $1.key }.map { [.init($0.key), .init("\($0.value)")] }
            session.output.table(table)
        }
    }

    /// The counts in JSON.
    private struct CountsView: Encodable {
        var tasks: Int
        var states: [String: Int]
        var names: [String: Int]
        var events: Int
        var received: Int
    }
}

/// Forgets tasks.
struct ClearForeign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Forget the tasks of Celery that have ended: SUCCESS, FAILURE and REVOKED."
    )

    @Flag(help: "Forget all tasks, the workers and the counts. What goes on comes back with its next event.")
    var all = false

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let count = try await session.tracker.clearForeign(finishedOnly: !all)
            if session.output.isJSON {
                session.output.json(["forgotten": count])
            } else {
                session.output.line("\(count) forgotten")
            }
        }
    }
}

extension ForeignState {
    /// The colour that stands for it.
    fileprivate var colour: Colours.Code? {
        switch self {
        case .started: .blue
        case .success: .green
        case .failure, .rejected: .red
        case .revoked, .retry: .yellow
        case .pending, .received, .custom: nil
        }
    }
}
