import ArgumentParser
import Belay

/// Shows the runs of a task.
struct Attempts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attempts",
        abstract: "Show the runs of a task, oldest first, with their errors."
    )

    @OptionGroup var name: TaskName

    @Flag(help: "With the lines of each error's backtrace, or of the program's stderr.")
    var full = false

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let id = try name.task()
        try await global.withSession { session in
            guard let attempts = try await session.tracker.attempts(of: id) else { throw Failure.noTask([id]) }
            if session.output.isJSON {
                for attempt in attempts { session.output.json(AttemptView(attempt)) }
            } else {
                show(attempts, session.output)
            }
        }
    }

    private func show(_ attempts: [Attempt], _ output: Output) {
        var table = Table([
            .right("NO"), .left("OUTCOME"), .left("BEGAN"), .right("RAN"), .left("WORKER", least: 10),
            .right("NEXT IN"),
            .left("ERROR", least: 12),
        ])
        table.rows = attempts.map { attempt in
            let ran = attempt.ended.map { Span.text($0 - attempt.began) } ?? ""
            let next =
                attempt.ended.flatMap { ended in attempt.nextRun.map { Span.text(max($0 - ended, .zero)) } } ?? ""
            return [
                "\(attempt.number)", .init("\(attempt.outcome)", Colours.of(attempt.outcome)),
                .init(attempt.began.description),
                .init(ran), .init(attempt.worker), .init(next), .init(attempt.failure?.description ?? ""),
            ]
        }
        output.table(table)
        guard full else { return }
        for attempt in attempts {
            guard let lines = attempt.failure?.backtrace, !lines.isEmpty else { continue }
            output.line("\nattempt \(attempt.number):")
            for line in lines { output.line("  " + Escaping.line(line)) }
        }
    }
}
