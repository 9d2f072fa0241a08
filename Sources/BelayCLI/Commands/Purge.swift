import ArgumentParser
import Belay

/// Deletes ended tasks that were kept long enough.
struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete ended tasks that were kept as long as their kind says; a reaper does so by itself."
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            var count = 0
            var more = true
            while more {
                let step = try await session.tracker.purge()
                for task in step.items where session.output.isJSON {
                    session.output.json(OutcomeView(id: task.id, kind: task.kind, outcome: "purged"))
                }
                count += step.items.count
                more = step.more
            }
            if !session.output.isJSON { session.output.line("\(count) tasks deleted") }
        }
    }
}
