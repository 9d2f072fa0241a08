import ArgumentParser
import Belay

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Creates tasks.
struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Create a task, or one for each line of stdin.",
        discussion: """
            Prints the id of each task. The kind must be defined: belay kinds define NAME.

            EXAMPLES
              belay enqueue --kind mail --payload '{"to":"a@b.c"}'
              belay enqueue --kind report --id report-2030-01 --at 2030-02-01T06:00:00Z --if-exists return
              find . -name '*.tif' | belay enqueue --kind thumbnail --lines
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
    }

    func run() async throws {
        let kind = try KindName(kind)
        var options = EnqueueOptions(priority: priority, attempts: attempts)
        options.id = try id.map { try TaskID($0) } ?? identifier.map { try TaskID(kind: kind, identifier: $0) }
        options.ifExists = ifExists.policy
        options.delay = delay?.duration
        options.runAt = at
        let one = lines ? nil : try payloadBody()
        try await global.withSession { session in
            if let one {
                let task = NewTask(kind, payload: one, options: options)
                let outcomes = try await session.tracker.enqueue([task], message: message)
                if let refusal = report(outcomes, session.output).refusal { throw refusal }
            } else {
                try await enqueueLines(kind, options, session)
            }
        }
    }

    private func payloadBody() throws -> Body {
        if let payload { return try Body(Array(payload.utf8), contentType: contentType) }
        return try Body((payloadFile ?? source).map(Body.bytes(of:)) ?? [], contentType: contentType)
    }

    /// Batches as they fill, so that any number of lines can come.
    private func enqueueLines(_ kind: KindName, _ options: EnqueueOptions, _ session: Session) async throws {
        var rest: [UInt8] = []
        var batch: [NewTask] = []
        var (count, size) = (0, 0)
        func flush() async throws {
            guard !batch.isEmpty else { return }
            let outcomes: [EnqueueOutcome]
            do { outcomes = try await session.tracker.enqueue(batch, message: message) } catch {
                throw Self.after(count, Failure(error))
            }
            let (told, refusal) = report(outcomes, session.output)
            count += told
            if let refusal { throw Self.after(count, refusal) }
            (batch, size) = ([], 0)
        }
        func add(_ line: some Sequence<UInt8>) async throws {
            var line = Array(line)
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard !line.isEmpty else { return }
            do {
                batch.append(NewTask(kind, payload: try Body(line, contentType: contentType), options: options))
            } catch {
                try await flush()
                throw Self.after(count, Failure(error))
            }
            size += line.count
            if batch.count == 200 || size > 1 << 20 { try await flush() }
        }
        while let chunk = try Terminal.readChunk(STDIN_FILENO) {
            rest += chunk
            guard rest.count <= Limits.maximumPayloadBytes else {
                throw Self.after(count, Failure(.badData, "a line has more than \(Limits.maximumPayloadBytes) bytes"))
            }
            var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest = Array(lines.removeLast())
            for line in lines { try await add(line) }
        }
        try await add(rest)
        try await flush()
    }

    private static func after(_ count: Int, _ failure: Failure) -> Failure {
        var failure = failure
        failure.message += ". \(count) tasks were enqueued before it"
        return failure
    }

    /// Tells of the tasks that are there now: how many they are, and why another one is not.
    private func report(_ outcomes: [EnqueueOutcome], _ output: Output) -> (told: Int, refusal: Failure?) {
        var refusal: Failure?
        var count = 0
        for outcome in outcomes {
            switch outcome {
            case .created(let id): tell(id, "created", output)
            case .existing(let id): tell(id, "existing", output)
            case .duplicate(let id):
                refusal = Failure(
                    .cannotCreate,
                    "\(Escaping.name(id)) exists; choose another --id, or give --if-exists return"
                )
                continue
            case .full(_, let limit):
                refusal = Failure(
                    status: ExitStatus.tryAgain.rawValue,
                    code: "full",
                    message: "the queue of kind “\(kind)” is full: \(limit) tasks wait, as many as its policy allows; "
                        + "enqueue later, or raise it: belay kinds define \(kind) --replace --queue-limit N"
                )
                continue
            }
            count += 1
        }
        return (count, refusal)
    }

    private func tell(_ id: TaskID, _ outcome: String, _ output: Output) {
        if output.isJSON {
            output.json(OutcomeView(id: id, kind: try? KindName(kind), outcome: outcome))
        } else {
            output.line(Escaping.line(id.description))
        }
    }
}
