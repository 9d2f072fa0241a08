import ArgumentParser
import Belay

/// Sets a held task's response by hand.
struct Respond: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "respond",
        abstract: "Set the response so far of the task that you hold.",
        discussion: """
            It shows as the task's result at once, and stays when the task is completed
            without another. It replaces bytes and content type.
            """
    )

    @OptionGroup var holder: HolderOptions
    @OptionGroup var response: BodyOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        let response = try response.body()
        try await global.withSession { session in
            try session.tell(try await session.tracker.respond(handle, response), of: handle.id)
        }
    }
}
