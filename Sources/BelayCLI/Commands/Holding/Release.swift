import ArgumentParser
import Belay

/// Hands a held task back by hand.
struct ReleaseTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Hand the task back that you hold, without spending its attempt."
    )

    @OptionGroup var holder: HolderOptions

    @Option(help: "Run again so much later. Default: it keeps its place in the line.", transform: Span.parse)
    var delay: Span?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        try await global.withSession { session in
            let outcomes = try await session.tracker.release([handle], delay: delay?.duration)
            try session.tell(outcomes[0], of: handle.id)
        }
    }
}
