import ArgumentParser
import Belay
import BelayService

/// Performs one verb of the machine interface.
struct Call: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Perform one verb of the machine interface: JSON in, JSON out.",
        discussion: """
            The answer is one line on stdout. A problem is one line of problem+json on
            stderr, with the exit code that fits it. Refusals of daily work (nothing due, locked,
            stale …) are answers: exit 0.

            EXAMPLES
              belay call stats
              belay call enqueue '{"tasks":[{"kind":"mail","payload":{"text":"hi"}}]}'
              ./make-request | belay call complete -
            """
    )

    @Argument(help: "The verb; 'belay verbs' lists all.")
    var verb: String

    @Argument(help: "The request as JSON; '-' reads it from stdin. Default: {}.")
    var request: String?

    @OptionGroup var service: ServiceOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let request = request == "-" ? try Body.bytes(of: "-") : Array((request ?? "").utf8)
        try await service.withDispatcher(global) { dispatcher, _ in
            do throws(Problem) {
                let answer = try await dispatcher.call(verb, request: request)
                Terminal.write(answer + [UInt8(ascii: "\n")], to: 1)
            } catch {
                Terminal.write(error.json.text + "\n", to: 2)
                throw Failure.silently(Failure(error).status)
            }
        }
    }
}
