import ArgumentParser
import Belay
import BelayService

/// Answers the machine interface on stdin and stdout.
struct API: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "Answer requests as JSON lines: stdin to stdout, for a program in any language.",
        discussion: """
            A line {"id": 1, "verb": "get", "request": {…}} is answered with {"id": 1,
            "result": {…}} or {"id": 1, "problem": {…}}. Up to 256 requests run beside each
            other and are answered as they are ready; who needs an order waits for the
            answer before. Another tracker: "namespace", one of --namespaces.

            The end of stdin, SIGTERM or SIGINT ends it when everything is answered.

            EXAMPLE
              echo '{"id":1,"verb":"stats"}' | belay api | jq .result
            """
    )

    @OptionGroup var service: ServiceOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await service.withDispatcher(global) { dispatcher, _ in
            let input = StandardInput()
            let supervisor = Supervisor(grace: .seconds(10), onSignal: { input.stop() })
            let end = try await supervisor.run {
                try await LineServer(dispatcher).run(input) { line in await StandardInput.write(line) }
            }
            if end.isForced { try end.throwIfSignalled() }
        }
    }
}
