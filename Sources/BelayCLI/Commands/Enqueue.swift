import ArgumentParser
import Belay
import Synchronization

/// Creates tasks.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Create a task, or one for each line of stdin.",
        discussion: """
            Prints the id of each task. The kind must be defined: belay kinds define NAME.
            With --unique, a task whose content another one has is not created: exit 73;
            with --lines it is passed over, which is told on stderr.

            EXAMPLES
              belay enqueue --kind mail --payload '{"to":"a@b.c"}'
              belay enqueue --kind report --id report-2030-01 --at 2030-02-01T06:00:00Z --if-exists return
              find . -name '*.tif' | belay enqueue --kind thumbnail --lines --tag album-7
              belay enqueue --kind album --after-tag album-7 --when succeeded --expires-in 1d
              belay enqueue --kind mail --payload '{"to":"a@b.c"}' --unique --unique-for 1h
            """
    )

    /// What to do when the id is taken.
    enum IfExists: String, ExpressibleByArgument, CaseIterable {
        case refuse
        case `return`

        var policy: DuplicatePolicy { self == .refuse ? .refuse : .returnExisting }
    }

    @Option(help: "The kind of the task.")
    var kind: String

    @Option(help: "The task's id. Default: one is made that sorts by time.")
    var id: String?

    @Option(help: "What the task is called in its kind: its id is then KIND#IDENTIFIER.")
    var identifier: String?

    @Option(help: "The payload.")
    var payload: String?

    @Option(help: "The file that holds the payload.")
    var payloadFile: String?

    @Argument(help: "'-' reads the payload from stdin.")
    var source: String?

    @Flag(help: "One task for each line of stdin; the line, without its end, is the payload.")
    var lines = false

    @Option(
        help: "Default: application/json when it is JSON, else text/plain, or application/octet-stream when not UTF-8."
    )
    var contentType: String?

    @Option(help: "Not before so much later.", transform: Span.parse)
    var delay: Span?

    @Option(help: "Not before that moment, RFC 3339.", transform: Timestamp.parse)
    var at: Timestamp?

    @Option(help: "0 to 9; 9 is claimed first.")
    var priority = 5

    @Option(help: "The most attempts of this task. Default: its kind's.")
    var attempts: Int?

    @Option(help: "When the id is taken: refuse (exit 73) or return (exit 0).")
    var ifExists = IfExists.refuse

    @Option(help: "For the task's log, at most 1024 bytes.")
    var message = ""

    @OptionGroup(title: "Flow") var flow: FlowOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        let sources = [payload != nil, payloadFile != nil, source != nil, lines].count { $0 }
        guard sources <= 1 else {
            throw ValidationError("--payload, --payload-file, '-' and --lines exclude each other")
        }
        guard source == nil || source == "-" else {
            throw ValidationError("“\(source ?? "")”: only '-' is allowed here")
        }
        guard !lines || id == nil && identifier == nil else {
            throw ValidationError("--id and --identifier name one task; --lines makes many")
        }
        guard id == nil || identifier == nil else { throw ValidationError("--id and --identifier exclude each other") }
        guard delay == nil || at == nil else { throw ValidationError("--delay and --at exclude each other") }
        guard !lines || flow.uniqueKey == nil else {
            throw ValidationError("--unique-key names the content of one task; --lines makes many")
        }
        guard !flow.reuse || id != nil || identifier != nil else {
            throw ValidationError("--reuse needs --id or --identifier")
        }
    }

    func run() async throws {
        let kind = try KindName(kind)
        var options = EnqueueOptions(priority: priority, attempts: attempts)
        options.id = try id.map { try TaskID($0) } ?? identifier.map { try TaskID(kind: kind, identifier: $0) }
        options.ifExists = ifExists.policy
        options.delay = delay?.duration
        options.runAt = at
        try flow.apply(to: &options)
        let one = lines ? nil : try payloadBody()
        try await global.withSession { session in
            if let one {
                let task = NewTask(kind, payload: one, options: options)
                let outcomes = try await session.tracker.enqueue([task], message: message)
                if let refusal = report(outcomes[0], session.output).refusal { throw refusal }
            } else {
                try await enqueueLines(kind, options, session)
            }
        }
    }

    private func payloadBody() throws -> Body {
        if let payload { return try Body(Array(payload.utf8), contentType: contentType) }
        return try Body((payloadFile ?? source).map(Body.bytes(of:)) ?? [], contentType: contentType)
    }

    /// Enqueues lines as they come, many in one call. A signal ends the reading; what was read is written first.
    private func enqueueLines(_ kind: KindName, _ options: EnqueueOptions, _ session: Session) async throws {
        let input = StandardInput()
        let progress = Mutex(LineProgress())
        var configuration = BufferedWriter.Configuration()
        configuration.message = message
        let supervisor = Supervisor(
            grace: configuration.gracePeriod,
            onSignal: {
                progress.withLock { $0.isStopped = true }
                input.stop()
            }
        )
        let (contentType, output) = (contentType, session.output)
        let end = try await supervisor.run { [configuration] in
            do {
                try await session.tracker.withBufferedWriter(
                    configuration: configuration,
                    onOutcome: { outcome in
                        let (told, refusal) = report(outcome, output)
                        progress.withLock { progress in
                            progress.count += told
                            progress.refusal = progress.refusal ?? refusal
                        }
                    }
                ) { writer in
                    try await Self.eachLine(of: input) { line in
                        let payload = try Body(line, contentType: contentType)
                        try await writer.enqueue(NewTask(kind, payload: payload, options: options))
                    } while: {
                        progress.withLock { $0.refusal == nil && !$0.isStopped }
                    }
                }
                if let refusal = progress.withLock(\.refusal) { throw refusal }
            } catch {
                throw Self.after(progress.withLock(\.count), Failure(error))
            }
        }
        if let signal = end.signal {
            let count = progress.withLock(\.count)
            throw Failure(
                status: 128 + signal,
                code: "exit",
                message: "ended by a signal; \(count) tasks were enqueued"
            )
        }
    }

    private static func eachLine(
        of input: StandardInput,
        _ body: ([UInt8]) async throws -> Void,
        while goesOn: () -> Bool
    ) async throws {
        func add(_ line: ArraySlice<UInt8>) async throws {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if !line.isEmpty { try await body(Array(line)) }
        }
        var rest: [UInt8] = []
        for try await chunk in input {
            rest += chunk
            var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = Array(lines.removeLast())
            for line in lines {
                guard goesOn() else { return }
                try await add(line)
            }
            guard rest.count <= Limits.maximumPayloadBytes else {
                throw Failure(.badData, "a line has more than \(Limits.maximumPayloadBytes) bytes")
            }
        }
        // What a signal cut off is no line.
        if goesOn() { try await add(rest[...]) }
    }

    private static func after(_ count: Int, _ failure: Failure) -> Failure {
        var failure = failure
        failure.message += ". \(count) tasks were enqueued before it"
        return failure
    }

    /// Tells of a task that is there now, with 1; or why it is not, with 0.
    private func report(_ outcome: EnqueueOutcome, _ output: Output) -> (told: Int, refusal: Failure?) {
        switch outcome {
        case .created(let id): tell(id, "created", output)
        case .existing(let id): tell(id, "existing", output)
        case .reused(let id): tell(id, "reused", output)
        case .deduplicated(let id, let other):
            if output.isJSON || flow.duplicates == .record { tell(id, "deduplicated", of: other, output) }
            guard flow.duplicates == .refuse else { break }
            let text = "not created: \(Escaping.name(other)) has the same content"
            // Of many lines it is no error that some are there already.
            guard lines else { return (0, Failure(.cannotCreate, text)) }
            if !output.isJSON { output.note(text) }
            return (0, nil)
        case .duplicate(let id):
            let hint = "choose another --id, or give --if-exists return"
            return (0, Failure(.cannotCreate, "\(Escaping.name(id)) exists; \(hint)"))
        case .full(_, let limit):
            let refusal = Failure(
                status: ExitStatus.tryAgain.rawValue,
                code: "full",
                message: "the queue of kind “\(kind)” is full: \(limit) tasks wait, as many as its policy allows; "
                    + "enqueue later, or raise it: belay kinds define \(kind) --replace --queue-limit N"
            )
            return (0, refusal)
        }
        return (1, nil)
    }

    private func report(_ outcome: BufferedWriter.Outcome, _ output: Output) -> (told: Int, refusal: Failure?) {
        switch outcome {
        case .answered(let outcome): report(outcome, output)
        case .failed(_, let error): (0, Failure(error))
        }
    }

    private func tell(_ id: TaskID, _ outcome: String, of other: TaskID? = nil, _ output: Output) {
        if output.isJSON {
            output.json(OutcomeView(id: id, kind: try? KindName(kind), outcome: outcome, of: other))
        } else {
            output.line(Escaping.line(id.description))
        }
    }
}

/// How far the lines of stdin are.
private struct LineProgress: Sendable {
    /// Tasks that are there now.
    var count = 0
    /// Why the first of the others is not.
    var refusal: Failure?
    /// Whether a signal came.
    var isStopped = false
}
