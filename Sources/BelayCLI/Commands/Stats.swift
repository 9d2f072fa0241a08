import ArgumentParser
import Belay

/// Counts tasks by kind and state.
struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Count tasks by kind and state.",
        discussion: """
            READY is due now; LATER waits for its time (delayed, or to be retried); BLOCKED
            waits for its parents; OLDEST is the longest wait of a due task.
            """
    )

    @Flag(help: "Again and again, until interrupted.")
    var watch = false

    @Option(help: "The pause between two counts of --watch. Default: 1s.", transform: Span.parse)
    var interval = Span(.seconds(1))

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard interval.duration >= .milliseconds(50) else { throw ValidationError("--interval must be at least 50ms") }
    }

    func run() async throws {
        try await global.withSession { session in
            let redraws = watch && !session.output.isJSON && Terminal.isTerminal(1)
            repeat {
                let stats = try await session.tracker.stats()
                if redraws { Terminal.write("\u{1b}[H\u{1b}[2J", to: 1) }
                Self.show(stats, session.output)
                if watch { try await Task.sleep(for: interval.duration) }
            } while watch
        }
    }

    static func show(_ stats: TrackerStats, _ output: Output) {
        guard !output.isJSON else { return output.json(StatsView(stats)) }
        var table = Table([
            .left("KIND", least: 8), .right("READY"), .right("LATER"), .right("BLOCKED"), .right("RUNNING"),
            .right("PAUSED"),
            .right("SUCCEEDED"), .right("EXHAUSTED"), .right("CANCELLED"), .right("IGNORED"), .right("OLDEST"),
            .right("NEXT IN"), .left("NOTE"),
        ])
        table.rows = stats.kinds.map { row($0, now: stats.now) }
        if stats.kinds.count > 1 { table.rows.append(row(total(stats, "all"), now: stats.now)) }
        output.table(table)
        output.line("\(stats.workers) workers seen within a day")
        if stats.isPaused { output.line("the whole tracker is paused; 'belay kinds resume --all' ends it") }
    }

    private static func row(_ kind: TrackerStats.Kind, now: Timestamp) -> [Table.Cell] {
        [
            .init(kind.kind.description), "\(kind.ready)", "\(kind.scheduled)", "\(kind.blocked)",
            .init("\(kind.running)", kind.running > 0 ? .blue : nil),
            .init("\(kind.paused)", kind.paused > 0 ? .yellow : nil),
            .init("\(kind.succeeded)", kind.succeeded > 0 ? .green : nil),
            .init("\(kind.exhausted)", kind.exhausted > 0 ? .red : nil),
            .init("\(kind.cancelled)", kind.cancelled > 0 ? .yellow : nil),
            .init("\(kind.ignored)", kind.ignored > 0 ? .dim : nil),
            .init(kind.oldestReadyAge.map(Span.text) ?? ""),
            .init(kind.nextDue.map { Span.text(max($0 - now, .zero)) } ?? ""),
            .init(kind.isPaused ? "kind paused" : "", .yellow),
        ]
    }

    private static func total(_ stats: TrackerStats, _ name: KindName) -> TrackerStats.Kind {
        stats.kinds.reduce(into: TrackerStats.Kind(kind: name)) { sum, kind in
            sum.ready += kind.ready
            sum.scheduled += kind.scheduled
            sum.blocked += kind.blocked
            sum.running += kind.running
            sum.paused += kind.paused
            sum.succeeded += kind.succeeded
            sum.exhausted += kind.exhausted
            sum.cancelled += kind.cancelled
            sum.ignored += kind.ignored
            if let age = kind.oldestReadyAge { sum.oldestReadyAge = max(sum.oldestReadyAge ?? age, age) }
            if let due = kind.nextDue { sum.nextDue = min(sum.nextDue ?? due, due) }
        }
    }
}
