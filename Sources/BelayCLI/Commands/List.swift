import ArgumentParser
import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

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

    @Option(help: "Only tasks enqueued at that moment or later, RFC 3339.", transform: Timestamp.parse)
    var createdFrom: Timestamp?

    @Option(help: "Only tasks enqueued before that moment, RFC 3339.", transform: Timestamp.parse)
    var createdTo: Timestamp?

    @Flag(help: "In each state the latest first: by due time, end of the lease, or when they were paused or ended.")
    var newestFirst = false

    @Option(help: "Tasks in a page, 1 to 500.")
    var limit = 50

    @Option(help: "Where the page begins, as the page before said.")
    var cursor: String?

    @Flag(help: "All pages.")
    var all = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if let createdFrom, let createdTo, createdFrom > createdTo {
            throw ValidationError("--created-from \(createdFrom) is after --created-to \(createdTo)")
        }
    }

    private var created: Range<Timestamp>? {
        guard createdFrom != nil || createdTo != nil else { return nil }
        let from = createdFrom ?? min(Timestamp(microseconds: 0), createdTo ?? Timestamp(microseconds: 0))
        return from..<(createdTo ?? max(from, Timestamp(microseconds: 1 << 53)))
    }

    func run() async throws {
        let kinds = try Names.kinds(kind)
        let tag = try tag.map { try TaskTag($0) }
        let worker = try worker.map { try WorkerName($0).description }
        try await global.withSession { session in
            var cursor = try cursor.map(PageCursor.decode)
            let now = session.output.isJSON ? nil : try await session.tracker.stats().now
            repeat {
                let page = try await session.tracker.find(
                    kinds: kinds.isEmpty ? nil : kinds,
                    states: state.isEmpty ? TaskState.allCases : state,
                    order: newestFirst ? .newestFirst : .oldestFirst,
                    limit: all ? Limits.batch : limit,
                    cursor: cursor,
                    tag: tag,
                    worker: worker,
                    created: created
                )
                Self.show(page.tasks, now: now, session.output)
                cursor = page.cursor
            } while all && cursor != nil
            guard let cursor = cursor.map(PageCursor.encode) else { return }
            if session.output.isJSON {
                session.output.json(CursorView(cursor: cursor))
            } else {
                session.output.note("there are more: --cursor \(cursor), or --all")
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

/// The tracker's cursors as one word that needs no quotes.
enum PageCursor {
    static func encode(_ cursor: String) -> String {
        let text = Data(cursor.utf8).base64EncodedString()
        return String(text.compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 })
    }

    static func decode(_ word: String) throws -> String {
        let text = String(word.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let cursor = String(validating: data, as: UTF8.self) else {
            throw Failure(.usage, "cursor “\(Escaping.line(word))” is not allowed; allowed: what the page before said")
        }
        return cursor
    }
}
