import ArgumentParser
import Belay

/// Says by hand how far a held task is.
struct TellProgress: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "progress",
        abstract: "Say how far the task is that you hold.",
        discussion: """
            EXAMPLES
              belay progress --fraction 0.4 --message 'page 4'   in a program of belay work
              belay progress ID --token TOKEN --fence FENCE --fraction 1
            """
    )

    @OptionGroup var holder: HolderOptions

    @Option(help: "0 to 1. Default: unknown.")
    var fraction: Double?

    @Option(help: "At most 64 bytes.")
    var message = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        try await global.withSession { session in
            try session.tell(try await session.tracker.progress(handle, fraction, message: message), of: handle.id)
        }
    }
}
