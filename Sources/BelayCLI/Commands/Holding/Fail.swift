import ArgumentParser
import Belay

/// Ends a held task's attempt with an error, by hand.
struct FailTask: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fail",
        abstract: "End the attempt that you hold with an error; the task runs again as its kind says.",
        discussion: """
            EXAMPLES
              belay fail ID --token T --fence N --message 'server busy' --after 10m
              ./import 2>err || belay fail ID --token T --fence N --message import \\
                  --backtrace err
            """
    )

    @OptionGroup var holder: HolderOptions

    @Option(help: "What happened.")
    var message: String

    @Option(help: "The error's type or class.")
    var type = "error"

    @Option(help: "A file with the lines of a backtrace or the like; '-' is stdin. The last 8 KiB are kept.")
    var backtrace: String?

    @Option(help: "Run again so much later. Default: as the kind says.", transform: Span.parse)
    var after: Span?

    @Flag(help: "Trying again is of no use: the task is exhausted, or ignored where its kind says so.")
    var permanent = false

    @Flag(help: "It was cancelled, and you have stopped.")
    var cancelled = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard [after != nil, permanent, cancelled].count(where: { $0 }) <= 1 else {
            throw ValidationError("--after, --permanent and --cancelled exclude each other")
        }
    }

    func run() async throws {
        let handle = try holder.handle(global)
        let lines = try backtrace.map { file in
            let text = String(decoding: try Body.bytes(of: file).suffix(Program.errorTailBytes), as: UTF8.self)
            return text.split(whereSeparator: \.isNewline).map(String.init)
        }
        let failure = TaskFailure(type: type, message: message, backtrace: lines ?? [])
        let then: FailureDisposition =
            permanent ? .exhaust : cancelled ? .cancelled : .retry(after: after?.duration)
        try await global.withSession { session in
            try session.tell(try await session.tracker.fail(handle, failure, then), of: handle.id)
        }
    }
}
