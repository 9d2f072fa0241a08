import ArgumentParser
import Belay

/// Ends a held task well, by hand.
struct CompleteTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "complete",
        abstract: "End the task that you hold with success.",
        discussion: """
            Accepted also after the lease ran out, as long as nobody took the task over.
            Without a result, a response that was set before is the result.
            """
    )

    @OptionGroup var holder: HolderOptions
    @OptionGroup(title: "The result") var result: BodyOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        let result = try result.body()
        try await global.withSession { session in
            let outcome = try await session.tracker.complete(handle, result: result)
            try session.tell(outcome, of: handle.id, "succeeded")
        }
    }
}
