import ArgumentParser
import Belay
import Logging
import Synchronization

/// Runs a program under the lock of a named task.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a program under a lock, with retries and history: flock for many hosts.",
        discussion: """
            However many hosts start it, one runs; 'belay attempts ID' shows what happened.
            The program has this command's stdin, stdout and stderr, and BELAY_TASK_ID,
            BELAY_ATTEMPT, BELAY_FENCE … in its environment. The lock is renewed while it
            runs; when it is lost, the program gets SIGTERM, then SIGKILL. A host that dies
            loses it within --lock. 'belay cancel' ends the program from anywhere; at the
            soft limit of its kind it gets SIGTERM and may end well until the time-out.

            A run that fails is tried again here until --retry attempts are used up;
            between attempts the lock is free. The exit code is that of the last attempt
            (128 + n after signal n, 124 after --timeout).

            Paused by an operator: exit 75. Locked elsewhere: exit 75, saying by whom and
            until when. With --wait it waits instead: when the holder succeeds, nothing is
            left to do and the exit code is 0 (--again: run all the same, as flock does);
            when the holder dies or hands back, this host takes over.

            The kind is defined with --lock as its lease, --retry as its attempts and the
            backoff below where it is unknown; a kind that is known keeps its policy. The
            command line is kept as the task's payload.

            EXAMPLES
              belay run --id nightly --lock 1h --retry 3 -- ./backup.sh
              belay run --id migrate-v7 --wait 10m -- ./migrate
            """
    )

    @Option(help: "The task: who runs it, and its history.")
    var id: String

    @Option(help: "The kind of the task.")
    var kind = "run"

    @Option(help: "How long the lock holds when this host dies, 50ms to 24h. Default: 1m.", transform: Span.parse)
    var lock = Span(.seconds(60))

    @Option(help: "Attempts in all, 1 to 10000.")
    var retry = 1

    @Option(help: "The longest run of the program. Default: any.", transform: Span.parse)
    var timeout: Span?

    @Option(help: "The time between SIGTERM and SIGKILL. Default: 5s.", transform: Span.parse)
    var killAfter = Span(.seconds(5))

    @Option(help: "How long to wait for a lock that is held elsewhere. Default: not at all.", transform: Span.parse)
    var wait: Span?

    @Flag(help: "After waiting: run also when the holder has succeeded.")
    var again = false

    @Option(help: "Where the program runs.")
    var cwd: String?

    @Flag(help: "No messages about failed attempts and waits.")
    var quiet = false

    @OptionGroup(title: "Delays between attempts, where the kind is unknown") var backoff: BackoffOptions

    @OptionGroup var global: GlobalOptions

    @Argument(parsing: .postTerminator, help: "After --: the program and its arguments.")
    var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("give the program after --: belay run --id ID -- cmd args…")
        }
        if let timeout, timeout.duration <= .zero { throw ValidationError("--timeout must be more than 0") }
        guard Limits.attempts.contains(retry) else { throw ValidationError("--retry must be 1 to 10000") }
    }

    func run() async throws {
        let (id, kind) = (try TaskID(id), try KindName(kind))
        let policy = KindPolicy(lease: lock.duration, attempts: retry, retry: try backoff.policy())
        try policy.validate()
        let program = Program(words: command, folder: cwd, timeout: timeout?.duration, killAfter: killAfter.duration)
        try program.check()
        try await global.withSession { session in
            try await create(id, kind, policy, session.tracker)
            let place = Program.Surroundings(
                children: Children(),
                url: session.url,
                namespace: session.tracker.namespace
            )
            let round = LockedRun(
                id: id,
                lock: lock.duration,
                attempts: retry,
                wait: wait?.duration,
                isAgain: again,
                program: program,
                place: place,
                tracker: session.tracker,
                note: { text in if !quiet { session.output.note(text) } }
            )
            let code = Mutex<Int32>(0)
            let end = try await Supervisor(children: place.children, killAfter: killAfter.duration).run {
                let last = try await round.run()
                code.withLock { $0 = last }
            }
            let last = code.withLock { $0 }
            if last != 0 { throw Failure.silently(last) }
            if !round.hasEnded { try end.throwIfSignalled() }
        }
    }

    private func create(_ id: TaskID, _ kind: KindName, _ policy: KindPolicy, _ tracker: Tracker) async throws {
        let options = EnqueueOptions(id: id, ifExists: .returnExisting, attempts: retry)
        let task = NewTask(kind, payload: try Body(encoding: ["command": command]), options: options)
        try await tracker.enqueue([task], policy: policy)
    }
}
