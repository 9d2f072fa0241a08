import ArgumentParser
import Belay
import BelayTestKit
import Foundation
import Logging

/// Measures Belay against a fresh private redis-server without persistence, as `README.md` beside this package tells.
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
    @Flag(help: "Print JSON instead of a table.")
    var json = false
    @Option(help: "Only measures whose name contains this.")
    var only: String?

    func run() async throws {
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        let scale = Scale(
            tasks: quick ? 2_000 : tasks,
            singles: quick ? 500 : tasks / 5,
            pickups: quick ? 50 : 500,
            slots: slots
        )
        var report = Report()
        for round in 1...(quick ? 1 : rounds) {
            for measure in Measure.all where only.map({ measure.name.contains($0) }) ?? true {
                let figures = try await withBench { bench in try await measure.run(bench, scale) }
                report.add(figures)
                if !json { FileHandle.standardError.write(Data("round \(round): \(measure.name)\n".utf8)) }
            }
        }
        print(json ? try report.json() : report.table())
    }
}
