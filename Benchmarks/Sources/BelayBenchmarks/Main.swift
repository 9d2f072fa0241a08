import ArgumentParser
import Belay
import Foundation
import Logging

/// Measures Belay against fresh private redis-servers without persistence, as `README.md` beside this package tells.
@main
struct BelayBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "BelayBenchmarks",
        abstract: "Measures Belay on this machine. Median of --rounds, each on a fresh server."
    )

    @Option(help: "Tasks in the measures of throughput and memory.")
    var tasks = 100_000
    @Option(help: "Rounds; the median counts, minimum and maximum are shown.")
    var rounds = 5
    @Option(help: "Slots of the worker that drains.")
    var slots = 256
    @Flag(help: "One short round, to see that everything runs.")
    var quick = false
    @Flag(help: "The long measures, too.")
    var full = false
    @Flag(help: "Print JSON instead of a table.")
    var json = false
    @Option(help: "Only measures whose name contains this, long ones included; 'list' names all.")
    var only: String?
    @Flag(help: "Measure nothing but what --thresholds holds, and end with 1 if anything got worse.")
    var check = false
    @Flag(help: "Record what --check compares with.")
    var updateThresholds = false
    @Option(help: "The file of the thresholds.")
    var thresholds = "thresholds.json"

    @Option(help: "With --only growth: so many million tasks for enqueue, claim, complete and reap; 0 for none.")
    var millions = 0

    func run() async throws {
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        if check || updateThresholds { return try await hold() }
        if only == "list" {
            return print(
                (Measure.all.map(\.name) + ["growth", "growth, hot path", "growth, meanwhile"]).joined(separator: "\n")
            )
        }
        if only == "growth" { return print(try await Growth.report(quick: quick, millions: millions)) }
        if only == "growth, hot path" { return print(try await Growth.hot(millions: max(1, millions))) }
        if only == "growth, meanwhile" { return print(try await Growth.meanwhile(quick: quick)) }
        let measures = Measure.all.filter { measure in
            if let only { measure.name.contains(only) } else { full || !measure.isLong }
        }
        guard !measures.isEmpty else { throw ValidationError("No measure is called like that; see --only list.") }
        var scale = Scale(
            tasks: quick ? 2_000 : tasks,
            singles: quick ? 500 : tasks / 5,
            pickups: quick ? 50 : 500,
            slots: slots
        )
        if quick { (scale.idleSeconds, scale.memoryTasks) = (1, 2_000) }
        var report = Report()
        for round in 1...(quick ? 1 : rounds) {
            for measure in measures where round <= measure.rounds {
                let figures = try await withBench { bench in try await measure.run(bench, scale) }
                report.add(figures)
                if !json { say("round \(round): \(measure.name)") }
            }
        }
        print(json ? try report.json() : report.table())
    }

    /// Compares with the thresholds, or records them.
    private func hold() async throws {
        let now = try await Thresholds.measured()
        if now.instructions.isEmpty {
            say(
                "*** No valgrind: the server's instructions are NOT checked. Install valgrind, then run this again. ***"
            )
        }
        if updateThresholds {
            guard !now.instructions.isEmpty else { throw ExitCode(69) }
            try now.write(to: thresholds)
            return print("\(thresholds): recorded with redis-server \(now.redis)")
        }
        let (table, regressions) = now.compared(with: try Thresholds(contentsOf: thresholds))
        print(table)
        guard regressions.isEmpty else {
            for line in regressions { print("WORSE: \(line)") }
            print("Mend it, or record it where it is meant to be: scripts/bench --update-thresholds")
            throw ExitCode(1)
        }
        print("No figure is worse than its threshold.")
    }

    private func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
