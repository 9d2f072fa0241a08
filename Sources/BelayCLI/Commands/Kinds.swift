import ArgumentParser
import Belay

/// The kinds of a tracker.
struct Kinds: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kinds",
        abstract: "List the kinds of tasks, define one, pause one, or remove one.",
        subcommands: [ListKinds.self, DefineKind.self, PauseKind.self, ResumeKind.self, RemoveKind.self],
        defaultSubcommand: ListKinds.self
    )
}

/// Lists kinds.
struct ListKinds: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the kinds with their policies."
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        try await global.withSession { session in
            let kinds = try await session.tracker.kinds()
            let stats = try await session.tracker.stats()
            let paused = Set(stats.kinds.filter(\.isPaused).map(\.kind))
            guard !session.output.isJSON else {
                for kind in kinds {
                    session.output.json(KindView(kind.name, kind.policy, isPaused: paused.contains(kind.name)))
                }
                return
            }
            var table = Table([
                .left("KIND", least: 8), .right("LEASE"), .right("SOFT"), .right("TIMEOUT"), .right("ATTEMPTS"),
                .left("THEN"),
                .left("BACKOFF", least: 12), .right("QUEUE"), .right("KEEP"), .right("KEEP OTHERS"),
                .left("NOTE"),
            ])
            table.rows = kinds.map { kind in
                let keep = [kind.policy.keepSucceeded, kind.policy.keepOther].map { $0.map(Span.text) ?? "forever" }
                return [
                    .init(kind.name.description), .init(Span.text(kind.policy.lease)),
                    .init(kind.policy.softTimeout.map(Span.text) ?? ""),
                    .init(kind.policy.timeout.map(Span.text) ?? ""), "\(kind.policy.attempts)",
                    .init(kind.policy.whenExhausted.rawValue), .init(Self.text(kind.policy.retry)),
                    .init(kind.policy.queueLimit.map { "\($0)" } ?? ""), .init(keep[0]), .init(keep[1]),
                    .init(paused.contains(kind.name) ? "paused" : "", .yellow),
                ]
            }
            session.output.table(table)
            if stats.isPaused {
                session.output.line("the whole tracker is paused; 'belay kinds resume --all' ends it")
            }
        }
    }

    private static func text(_ retry: RetryPolicy) -> String {
        let jitter = retry.jitter > 0 ? " ±\(Int((retry.jitter * 100).rounded())) %" : ""
        switch retry.backoff {
        case .exponential(let base, let factor, let cap):
            let times = factor == factor.rounded() ? "\(Int(factor))" : "\(factor)"
            return "\(Span.text(base)) × \(times) up to \(Span.text(cap))\(jitter)"
        case .fixed(let delay): return "\(Span.text(delay)) each\(jitter)"
        case .list(let delays): return delays.map(Span.text).joined(separator: ", ") + jitter
        }
    }
}

/// Defines a kind.
struct DefineKind: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "define",
        abstract: "Store the policy of a kind, for all hosts.",
        discussion: """
            Defining a kind again with the same policy changes nothing; with another one it
            is refused unless --replace.

            EXAMPLES
              belay kinds define mail --attempts 10 --base 30s --cap 6h
              belay kinds define import --lease 2m --delays 1m,10m,1h --keep-succeeded 1d
              belay kinds define crawl --timeout 5m --soft-timeout 4m --when-exhausted ignored
            """
    )

    @Argument(help: "The kind: 1 to 64 of A-Z a-z 0-9 . _ : / -")
    var name: String

    @OptionGroup(title: "Policy") var policy: PolicyOptions
    @OptionGroup(title: "Policy") var limits: KindLimitOptions

    @Flag(help: "Change a stored policy.")
    var replace = false

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let name = try KindName(name)
        let policy = try limits.applied(to: policy.policy())
        try await global.withSession { session in
            do throws(TrackerError) {
                try await session.tracker.define(name, policy: policy, replacing: replace)
            } catch {
                guard error.code == .kindConflict else { throw error }
                throw Failure(
                    .badConfiguration,
                    "kind “\(name)” has another policy ('belay kinds' shows it); --replace changes it for all hosts"
                )
            }
            if session.output.isJSON { session.output.json(KindView(name, policy)) }
        }
    }
}
