import ArgumentParser
import Belay

/// Keeps data with a held task by hand.
struct SaveData: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Keep data with the task that you hold: a checkpoint for the next attempt.",
        discussion: """
            It replaces what was saved, and stays whatever becomes of the attempt; the next
            claim brings it, and so does 'belay get ID --raw data'. Without --text and
            --file it is cleared.
            """
    )

    @OptionGroup var holder: HolderOptions
    @OptionGroup var data: BodyOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        let data = try data.body()
        try await global.withSession { session in
            try session.tell(try await session.tracker.save(handle, data: data), of: handle.id)
        }
    }
}
