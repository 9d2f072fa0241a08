import ArgumentParser
import Belay
import Logging
import ServiceLifecycle
import Synchronization

/// Works tasks with any program.
struct Work: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Take tasks and run a program for each.",
        discussion: """
            The payload is the program's stdin. Its environment has BELAY_TASK_ID,
            BELAY_KIND, BELAY_ATTEMPT, BELAY_FENCE, BELAY_TOKEN, BELAY_NAMESPACE,
            REDIS_URL, and BELAY_PAYLOAD when the payload is text of at most 32 KiB. The
            lock is renewed while it runs. Exit code 0 is success, and stdout is the result
            (at most 1 MiB is kept). Anything else is a failure, with the last 8 KiB of
            stderr as evidence, and is tried again as the kind's policy says.

            The program may speak for its task: belay progress, log --add, save, respond,
            pause and resume need no task and no token in it.

            A program whose lock is lost, whose task is cancelled, or whose time is over
            gets SIGTERM ('belay cancel --signal' names another), and SIGKILL after
            --kill-after, with its whole process group. At its kind's soft limit it gets
            SIGTERM and may end well until the kind's time-out.
            SIGTERM or SIGINT to belay: no new tasks, --grace for those that run, then they
            are ended the same way and handed back without an attempt lost. A second signal
            ends it at once. --drain-after: when so many attempts in a row have failed
            within --drain-within, something is wrong here: no new tasks, and exit code 75.

            EXAMPLES
              belay work --kind mail --exec ./send-mail
              belay work --kind thumbnail --slots 4 --timeout 2m -- convert - -resize 320 jpg:-
              belay work --kind import --permanent-exit 65 --drain --exec './import "$BELAY_TASK_ID"'
            """
    )

    @Option(help: "A kind to take tasks of; may be given often. Defined with the policy below where it is unknown.")
    var kind: [String]

    @Option(help: "A command line for /bin/sh.")
    var exec: String?

    @Argument(parsing: .postTerminator, help: "After --: a program and its arguments.")
    var command: [String] = []

    @Option(help: "Where the program runs.")
    var cwd: String?

    @Option(help: "Programs at once, 1 to 1000.")
    var slots = 1

    @Option(help: "The longest run of a program. Default: any.", transform: Span.parse)
    var timeout: Span?

    @Option(help: "The time between SIGTERM and SIGKILL. Default: 5s.", transform: Span.parse)
    var killAfter = Span(.seconds(5))

    @Option(help: "Exit codes for which trying again is of no use; may be given often.")
    var permanentExit: [Int32] = []

    @Option(help: "How long programs may go on after SIGTERM or SIGINT. Default: 25s.", transform: Span.parse)
    var grace = Span(.seconds(25))

    @Flag(help: "One task, then end: exit 0 when it succeeded, 1 when it failed, 75 when nothing is due.")
    var once = false

    @Flag(help: "End when nothing is due any more.")
    var drain = false

    @Option(help: "Stop when so many attempts in a row have failed, 1 to 10000. Default: never.")
    var drainAfter: Int?

    @Option(help: "The time within which they must have failed. Default: 5s.", transform: Span.parse)
    var drainWithin: Span?

    @OptionGroup(title: "Policy, where the kind is unknown") var policy: PolicyOptions

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (exec == nil) != command.isEmpty else {
            throw ValidationError("give either --exec 'cmd …' or -- cmd args…")
        }
        guard !(once && drain) else { throw ValidationError("--once and --drain exclude each other") }
        guard (1...1000).contains(slots) else { throw ValidationError("--slots must be 1 to 1000") }
        guard permanentExit.allSatisfy({ (1...255).contains($0) && $0 != 75 }) else {
            throw ValidationError("--permanent-exit takes 1 to 255; 75 always means to try again")
        }
        guard drainAfter != nil || drainWithin == nil else {
            throw ValidationError("--drain-within belongs to --drain-after")
        }
        guard !once || drainAfter == nil else { throw ValidationError("--once and --drain-after exclude each other") }
        if let timeout, timeout.duration <= .zero { throw ValidationError("--timeout must be more than 0") }
    }

    func run() async throws {
        let kinds = try Names.kinds(kind)
        let wanted = try policy.policy()
        let program = Program(
            words: exec.map(Program.shell) ?? command,
            folder: cwd,
            timeout: timeout?.duration,
            killAfter: killAfter.duration
        )
        try program.check()
        try await global.withSession(logging: .info) { session in
            let place = Program.Surroundings(
                children: Children(),
                url: session.url,
                namespace: session.tracker.namespace
            )
            let busy = Busy()
            // Without a word about the policy, none is offered in place of a stored one.
            let known = policy.isGiven ? [] : try await session.tracker.kinds()
            let handlers = kinds.map { kind in
                var handler = Handler(kind, policy: known.first { $0.name == kind }?.policy ?? wanted) { context in
                    try await busy.count { try await Self.work(context, program, place, permanent: permanentExit) }
                }
                handler.stopsItself = true
                return handler
            }
            if once {
                try await workOnce(kinds, wanted, program, place, session)
            } else {
                try await serve(kinds, handlers, busy, place, session)
            }
        }
    }

    // MARK: Many

    private func serve(
        _ kinds: [KindName],
        _ handlers: [Handler],
        _ busy: Busy,
        _ place: Program.Surroundings,
        _ session: Session
    ) async throws {
        var configuration = Worker.Configuration()
        configuration.slots = slots
        configuration.lease = policy.lease?.duration
        // The supervisor ends the programs, so that no task is handed back while its program still runs.
        configuration.gracePeriod = grace.duration + killAfter.duration + .seconds(5)
        configuration.patience = killAfter.duration + .seconds(1)
        let within = drainWithin?.duration ?? .seconds(5)
        configuration.drain = drainAfter.map { Worker.DrainRule(failures: $0, within: within) }
        let worker = try Worker(session.tracker, configuration: configuration, handlers: handlers)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: worker, successTerminationBehavior: .gracefullyShutdownGroup)
        ]
        if drain {
            let watch = DrainWatch(tracker: session.tracker, kinds: Set(kinds), busy: busy)
            services.append(.init(service: watch, successTerminationBehavior: .gracefullyShutdownGroup))
        }
        let group = ServiceGroup(configuration: .init(services: services, logger: session.logger))
        session.logger.info(
            "working",
            metadata: ["kinds": "\(kinds.map(\.description).joined(separator: ","))", "slots": "\(slots)"]
        )
        let supervisor = Supervisor(
            children: place.children,
            grace: grace.duration,
            killAfter: killAfter.duration,
            onSignal: { await group.triggerGracefulShutdown() }
        )
        let end = try await supervisor.run { try await group.run() }
        if end.isForced { try end.throwIfSignalled() }
        if worker.didDrain, let drainAfter {
            throw Failure(
                .tryAgain,
                "stopped: the last \(drainAfter) attempts all failed within \(Span.text(within)); "
                    + "'belay ls' and 'belay attempts ID' show why"
            )
        }
    }

    // MARK: One

    private func workOnce(
        _ kinds: [KindName],
        _ policy: KindPolicy,
        _ program: Program,
        _ place: Program.Surroundings,
        _ session: Session
    ) async throws {
        for kind in kinds { try await session.tracker.defineUnlessKnown(kind, policy: policy) }
        let supervisor = Supervisor(children: place.children, grace: grace.duration, killAfter: killAfter.duration)
        let (lease, permanent, output) = (self.policy.lease?.duration, permanentExit, session.output)
        let end = try await supervisor.run {
            while let next = try await session.tracker.peek(kinds, limit: 10).randomElement() {
                do {
                    let result = try await session.tracker.withClaim(on: next.id, for: lease, stopsItself: true) {
                        context in
                        try await Self.work(context, program, place, permanent: permanent)
                    }
                    guard case .finished = result else { continue }  // another worker was faster
                    return output.tell(next.id, "succeeded")
                } catch let failure as TaskFailure {
                    throw Self.failed(next.id, failure, output)
                } catch let permanent as PermanentFailure {
                    throw Self.failed(next.id, permanent.failure, output)
                }
            }
            throw Failure(.tryAgain, "nothing is due")
        }
        try end.throwIfSignalled()
    }

    private static func failed(_ id: TaskID, _ failure: TaskFailure, _ output: Output) -> Failure {
        output.tell(id, "failed")
        return Failure(.failed, "task “\(Escaping.line(id.description))” failed: \(Escaping.line(failure.message))")
    }

    // MARK: Each

    private static func work(
        _ context: ClaimContext,
        _ program: Program,
        _ place: Program.Surroundings,
        permanent: [Int32]
    ) async throws -> Body {
        let began = ContinuousClock.now
        let end = try await program.runCaptured(context, in: place)
        let ran = Span.text(began.duration(to: .now))
        guard let failure = end.failure(timeout: program.timeout) else {
            if end.isOutputCut { context.logger.warning("stdout was longer than the result may be and was cut") }
            context.logger.info("succeeded", metadata: ["ran": "\(ran)"])
            return end.output.isEmpty ? .empty : Body(guessing: end.output)
        }
        context.logger.notice("failed", metadata: ["ran": "\(ran)", "error": "\(failure.message)"])
        guard let code = end.ownCode, permanent.contains(code) else { throw failure }
        throw PermanentFailure(failure)
    }
}

/// How many handlers run.
final class Busy: Sendable {
    private let number = Mutex(0)

    var isBusy: Bool { number.withLock { $0 > 0 } }

    func count<T>(_ body: () async throws -> T) async throws -> T {
        number.withLock { $0 += 1 }
        defer { number.withLock { $0 -= 1 } }
        return try await body()
    }
}

/// Ends when nothing of some kinds is due and no handler runs, seen twice in a row.
struct DrainWatch: Service {
    let tracker: Tracker
    let kinds: Set<KindName>
    let busy: Busy

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var calm = 0
            while calm < 2, (try? await Task.sleep(for: .milliseconds(100))) != nil {
                guard !busy.isBusy, let stats = try? await tracker.stats() else {
                    calm = 0
                    continue
                }
                let due = stats.kinds.reduce(0) { $0 + (kinds.contains($1.kind) ? $1.ready : 0) }
                calm = due == 0 && !busy.isBusy ? calm + 1 : 0
            }
        }
    }
}

extension Tracker {
    /// Defines a kind; a stored policy stands.
    func defineUnlessKnown(_ kind: KindName, policy: KindPolicy) async throws(TrackerError) {
        do throws(TrackerError) {
            try await define(kind, policy: policy)
        } catch {
            guard error.code == .kindConflict else { throw error }
        }
    }
}
