import ArgumentParser
import Belay

/// Extends a lock by hand.
struct RenewLock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew",
        abstract: "Extend the lock that you hold, by a lease from now.",
        discussion: """
            Exit 0: it holds for another lease; or for less, when the attempt's time is
            over before ('ending'). Exit 1: it holds, but the task was cancelled: stop,
            then 'belay fail --cancelled'. Exit 75: it is lost; what you write is refused.

            EXAMPLE
              while sleep 10 && belay renew; do :; done; kill $work
            """
    )

    @OptionGroup var holder: HolderOptions

    @Option(help: "How long it holds from now, 50ms to 24h. Default: as the kind says.", transform: Span.parse)
    var lease: Span?

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let handle = try holder.handle(global)
        let id = handle.id
        try await global.withSession { session in
            let lease = if let lease { lease.duration } else { try await Self.lease(of: id, session.tracker) }
            switch try await session.tracker.renew(handle, for: lease) {
            case .renewed: session.output.tell(id, "renewed")
            case .ending(let end):
                guard session.output.isJSON else { return session.output.tell(id, "ending at \(end)") }
                session.output.json(OutcomeView(id: id, outcome: "ending", at: end))
            case .cancelRequested:
                session.output.tell(id, "cancelRequested")
                throw Failure.cancelled(id)
            case .terminateRequested(let signal):
                if session.output.isJSON {
                    session.output.json(OutcomeView(id: id, outcome: "terminateRequested", signal: signal))
                } else {
                    session.output.tell(id, "terminateRequested with signal \(signal)")
                }
                throw Failure.cancelled(id)
            case .stale: try session.tell(WriteOutcome.stale, of: id)
            case .gone: try session.tell(WriteOutcome.gone, of: id)
            }
        }
    }

    private static func lease(of id: TaskID, _ tracker: Tracker) async throws -> Duration {
        guard let kind = try await tracker.get(id)?.kind else { throw Failure.noTask([id]) }
        return try await tracker.kinds().first { $0.name == kind }?.policy.lease ?? KindPolicy.default.lease
    }
}

extension Failure {
    /// The task of a lock was cancelled.
    fileprivate static func cancelled(_ id: TaskID) -> Failure {
        Failure(.failed, "\(Escaping.name(id)) was cancelled; its lock holds on. Stop, then 'belay fail --cancelled'")
    }
}
