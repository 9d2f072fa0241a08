import ArgumentParser
import Belay

/// Lists tasks by kind, state, tag, worker and time.
struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List tasks by kind, state, tag, worker and time.",
        discussion: """
            When there are more, the cursor of the next page is told on stderr; with --json
            it is the last line, {"cursor": …}. --all follows the pages to the end.
            With --worker, --created-from or --created-to a page may hold fewer tasks than
            --limit although more follow.
            """
    )

    @Option(help: "Only tasks of this kind; may be given often.")
    var kind: [String] = []

    @Option(help: "Only tasks in this state; may be given often.")
    var state: [TaskState] = []

    @Option(help: "Only tasks of this tag.")
    var tag: String?

    @Option(help: "Only tasks whose latest attempt was this worker's.")
    var worker: String?

    @OptionGroup var creation: CreationOptions

    @Flag(help: "In each state the latest first: by due time, end of the lease, or when they were paused or ended.")
    var newestFirst = false

    @OptionGroup var page: PageOptions

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let kinds = try Names.kinds(kind)
        let tag = try tag.map { try TaskTag($0) }
        let worker = try worker.map { try WorkerName($0).description }
        try await global.withSession { session in
            let now = session.output.isJSON ? nil : try await session.tracker.stats().now
            try await page.each(session.output) { limit, cursor in
                let page = try await session.tracker.find(
                    kinds: kinds.isEmpty ? nil : kinds,
                    states: state.isEmpty ? TaskState.allCases : state,
                    order: newestFirst ? .newestFirst : .oldestFirst,
                    limit: limit,
                    cursor: cursor,
                    tag: tag,
                    worker: worker,
                    created: creation.range
                )
                Self.show(page.tasks, now: now, session.output)
                return page.cursor
            }
        }
    }

    /// Tasks as a table; with `now` nil as JSON.
    static func show(_ tasks: [TaskRecord], now: Timestamp?, _ output: Output) {
        guard let now, !output.isJSON else {
            for task in tasks { output.json(TaskView(task)) }
            return
        }
        var table = Table([
            .left("ID", least: 12), .left("KIND", least: 6), .left("STATE"), .right("TRIES"), .right("PRIO"),
            .right("AGE"),
            .left("NOTE", least: 8),
        ])
        table.rows = tasks.map { task in
            [
                .init(task.id.description), .init(task.kind.description),
                .init(task.state.description, Colours.of(task.state)), "\(task.attempts)", "\(task.priority)",
                .init(Span.text(now - task.created)), .init(note(task, now)),
            ]
        }
        output.table(table)
    }

    private static func note(_ task: TaskRecord, _ now: Timestamp) -> String {
        switch task.state {
        case .ready where task.due > now: "due in \(Span.text(task.due - now))"
        case .ready: "due for \(Span.text(now - task.due))"
        case .running:
            (task.cancelRequested == nil ? "" : "to be stopped, ")
                + (task.leaseExpires.map { $0 > now ? "lease \(Span.text($0 - now))" : "lease ran out" } ?? "")
                + (task.worker.map { " by \($0)" } ?? "")
        case .paused, .blocked: "for \(Span.text(now - task.updated))"
        case .cancelled: task.cancelReason ?? "\(Span.text(now - task.updated)) ago"
        case .succeeded, .exhausted, .ignored: "\(Span.text(now - task.updated)) ago"
        }
    }
}
