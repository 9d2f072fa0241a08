import ArgumentParser
import Belay

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Ends tasks.
struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End tasks that have not ended; running ones are asked to stop.",
        discussion: """
            The worker of a running task hears it at once. Its program gets the signal,
            SIGTERM unless --signal names another, and SIGKILL after the worker's
            --kill-after. A second cancel may name a stronger signal.

            EXAMPLES
              belay cancel import-7 --reason "wrong file"
              belay cancel import-7 --signal KILL
            """
    )

    @OptionGroup var names: TaskNames

    @Option(help: "Kept with the task, at most 64 bytes.")
    var reason = ""

    @Option(
        help: "What a running program gets: HUP, INT, QUIT, USR1, USR2, TERM, KILL or a number from 1 to 64.",
        transform: Self.signal
    )
    var signal: Int?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let ids = try names.tasks()
        try await global.withSession { session in
            let outcomes = try await session.tracker.cancel(ids, reason: reason, signal: signal)
            var missing: [TaskID] = []
            var ended: [(TaskID, TaskState)] = []
            for (id, outcome) in zip(ids, outcomes) {
                session.output.tell(id, Self.word(outcome))
                if outcome == .notFound { missing.append(id) }
                if case .ended(let state) = outcome { ended.append((id, state)) }
            }
            if !missing.isEmpty { throw Failure.noTask(missing) }
            guard let (id, state) = ended.first else { return }
            throw Failure(
                .failed,
                "\(Escaping.name(id)) has already \(state == .succeeded ? "succeeded" : "ended: \(state)")"
            )
        }
    }

    private static let signals = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "USR1": SIGUSR1, "USR2": SIGUSR2, "TERM": SIGTERM,
        "KILL": SIGKILL,
    ]

    private static func signal(_ text: String) throws -> Int {
        let name = text.uppercased()
        let known = signals[name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name].map(Int.init)
        guard let signal = known ?? Int(text), (1...64).contains(signal) else {
            throw ValidationError("not a signal; name HUP, INT, QUIT, USR1, USR2, TERM, KILL or a number from 1 to 64")
        }
        return signal
    }

    private static func word(_ outcome: CancelOutcome) -> String {
        switch outcome {
        case .cancelled: "cancelled"
        case .requested: "requested"
        case .ended(let state): state.rawValue
        case .notFound: "notFound"
        }
    }
}
