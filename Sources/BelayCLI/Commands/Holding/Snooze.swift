import ArgumentParser
import Belay

/// Puts a held task off by hand.
struct SnoozeTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snooze",
        abstract: "Put the task off that you hold, without spending its attempt."
    )

    @OptionGroup var holder: HolderOptions

    @Option(name: .customLong("for"), help: "How long.", transform: Span.parse)
    var delay: Span

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        try await global.withSession { session in
            try session.tell(try await session.tracker.snooze(handle, for: delay.duration), of: handle.id)
        }
    }
}
