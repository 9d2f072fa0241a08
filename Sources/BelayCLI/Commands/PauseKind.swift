import ArgumentParser
import Belay

/// A kind, or the whole tracker.
struct GateOptions: ParsableArguments {
    @Argument(help: "The kind.")
    var name: String?

    @Flag(help: "The whole tracker, which is paused apart from its kinds.")
    var all = false

    @Option(help: "Why, for 'belay explain' and 'belay events'; at most 64 bytes.")
    var message = ""

    /// Nil for the whole tracker.
    func kind() throws -> KindName? {
        switch (name, all) {
        case (let name?, false): return try KindName(name)
        case (nil, true): return nil
        case (nil, false): throw Failure(.usage, "name a kind ('belay kinds' lists them), or give --all")
        case (_?, true): throw Failure(.usage, "give either a kind or --all, not both")
        }
    }
}

/// Keeps the tasks of a kind from being taken.
struct PauseKind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Keep the tasks of a kind, or of the whole tracker, from being taken.",
        discussion: """
            Running tasks go on, new ones wait. A claim of a named task passes. --all is a
            pause of its own: it ends by 'belay kinds resume --all', and kinds that are
            paused stay so.

            EXAMPLES
              belay kinds pause mail --message 'the provider is down'
              belay kinds pause --all
            """
    )

    @OptionGroup var gate: GateOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let kind = try gate.kind()
        try await global.withSession { session in
            try await session.tracker.pauseKind(kind, message: gate.message)
            session.output.tellGate(kind, "paused")
        }
    }
}

/// Lets the tasks of a kind be taken again.
struct ResumeKind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let the tasks of a paused kind, or of the whole tracker, be taken again."
    )

    @OptionGroup var gate: GateOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let kind = try gate.kind()
        try await global.withSession { session in
            try await session.tracker.resumeKind(kind, message: gate.message)
            session.output.tellGate(kind, "resumed")
        }
    }
}

extension Output {
    /// What became of a kind, or of the whole tracker.
    fileprivate func tellGate(_ kind: KindName?, _ outcome: String) {
        struct View: Encodable {
            var kind: KindName?
            var outcome: String
        }
        guard !isJSON else { return json(View(kind: kind, outcome: outcome)) }
        line("\(kind?.description ?? "the whole tracker")  \(outcome)")
    }
}
