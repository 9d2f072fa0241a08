import ArgumentParser
import Belay

/// Takes locks by hand.
struct ClaimTasks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim",
        abstract: "Take the locks of due tasks, or of one named task, and print the claims.",
        discussion: """
            For scripts that work tasks step by step; 'belay work' and 'belay run' do all
            of it by themselves. Each claim is one JSON object with id, token, fence and
            payload, whatever --json says. With --export it is three lines for a shell,
            after which the commands of holders need no task, token and fence. The lock
            must be renewed before its lease is over, and ends with complete, fail,
            release or snooze.

            Nothing due, locked, paused, waiting for parents or not due: exit 75. Ended:
            exit 1.

            EXAMPLES
              eval "$(belay claim import --lease 10m --export)" || exit
              belay get "$BELAY_TASK_ID" --raw payload | ./import && belay complete

              belay claim --id nightly --steal --json
            """
    )

    @Argument(help: "The kinds, 1 to 100.")
    var kinds: [String] = []

    @Option(help: "One task instead, by id.")
    var id: String?

    @Option(help: "One task instead: with --identifier, its kind.")
    var kind: String?

    @Option(help: "One task instead: what it is called in its kind.")
    var identifier: String?

    @Option(help: "Of kinds: at most so many tasks, 1 to 500.")
    var limit: Int?

    @Option(help: "Of kinds: priority (highest first, then the longest due) or due (the longest due first).")
    var order: ClaimOrder?

    @Option(help: "How long the locks hold, 50ms to 24h. Default: as the kind says.", transform: Span.parse)
    var lease: Span?

    @Option(help: "Who works: 1 to 64 printable ASCII characters. Default: host:pid:nonce of this process.")
    var worker: String?

    @Option(help: "The locks' token; the same again, by the same worker, after a lost answer gives the same claims.")
    var token: String?

    @Flag(help: "Of one task: although it is not due.")
    var ignoreDue = false

    @Flag(help: "Of one task: although somebody holds it, who is refused from then on.")
    var steal = false

    @Flag(help: "Of one task: although it is exhausted, cancelled or ignored, or waits for its parents.")
    var force = false

    @Flag(help: "Of one task: begin anew although it has ended, well or not.")
    var restart = false

    @Option(help: "Of one task: the token of the lock that you hold on it; you get a new one, as the next attempt.")
    var reenter: String?

    @Flag(help: "Print 'export' lines for a shell: BELAY_TASK_ID, BELAY_TOKEN, BELAY_FENCE.")
    var export = false

    @OptionGroup var global: GlobalOptions

    private var isNamed: Bool { id != nil || kind != nil || identifier != nil }

    private var options: AcquireOptions {
        var options: AcquireOptions = []
        if ignoreDue { options.insert(.ignoreDue) }
        if steal { options.insert(.ignoreLock) }
        if force { options.insert(.force) }
        if restart { options.insert(.restart) }
        return options
    }

    func validate() throws {
        guard isNamed != !kinds.isEmpty else {
            throw ValidationError("give either kinds, or one task by --id or by --kind and --identifier")
        }
        guard isNamed || options.isEmpty && reenter == nil else {
            throw ValidationError("--ignore-due, --steal, --force, --restart and --reenter are of one named task")
        }
        guard !isNamed || limit == nil && order == nil else {
            throw ValidationError("--limit and --order are of kinds, not of one named task")
        }
        guard !export || limit ?? 1 == 1 else { throw ValidationError("--export takes one claim; leave --limit out") }
    }

    func run() async throws {
        let worker = try worker.map { try WorkerName($0) }
        let named = try task()
        let kinds = try Names.kinds(kinds)
        try await global.withSession { session in
            let claims =
                if let named {
                    [try await claim(named, worker, session.tracker)]
                } else {
                    try await session.tracker.claim(
                        kinds,
                        limit: limit ?? 1,
                        lease: lease?.duration,
                        order: order ?? .priority,
                        as: worker,
                        token: token
                    )
                }
            guard !claims.isEmpty else { throw Failure(.tryAgain, "nothing is due") }
            for claim in claims {
                if export { tell(claim, session.output) } else { session.output.json(ClaimView(claim)) }
            }
        }
    }

    private func task() throws -> TaskID? {
        guard isNamed else { return nil }
        guard (kind == nil) == (identifier == nil), (id == nil) != (kind == nil) else {
            throw Failure(.usage, "name the task either by --id, or by --kind and --identifier")
        }
        if let kind, let identifier { return try TaskID(kind: try KindName(kind), identifier: identifier) }
        return try id.map { try TaskID($0) }
    }

    private func claim(_ id: TaskID, _ worker: WorkerName?, _ tracker: Tracker) async throws -> Claim {
        let outcome = try await tracker.claim(
            id,
            lease: lease?.duration,
            options: options,
            reentering: reenter,
            as: worker,
            token: token
        )
        switch outcome {
        case .claimed(let claim): return claim
        case .refused(let refusal): throw Failure(refusal, id)
        }
    }

    private func tell(_ claim: Claim, _ output: Output) {
        let lines = [("TASK_ID", claim.id.description), ("TOKEN", claim.token), ("FENCE", "\(claim.fence)")]
        for (name, value) in lines {
            output.line(
                "export BELAY_\(name)='\(value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#))'"
            )
        }
    }
}

extension Failure {
    /// Why one named task could not be claimed, and what to do.
    init(_ refusal: ClaimRefusal, _ id: TaskID) {
        let name = Escaping.name(id)
        switch refusal {
        case .notFound: self = .noTask([id])
        case .locked(let until, let worker):
            self.init(.tryAgain, "\(name) is locked by \(worker) until \(until); try again then, or --steal it")
        case .notDue(let due):
            self.init(.tryAgain, "\(name) is not due before \(due); try again then, or give --ignore-due")
        case .paused:
            self.init(.tryAgain, "\(name) is paused; 'belay resume' lets it run")
        case .blocked:
            self.init(
                .tryAgain,
                "\(name) waits for its parents; 'belay explain' tells which, --force goes on without them"
            )
        case .ended(let state):
            let way = state == .succeeded ? "--restart begins anew" : "--force goes on, --restart begins anew"
            self.init(.failed, "\(name) has ended: \(state); \(way)")
        }
    }
}
