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

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        let sources = [payload != nil, payloadFile != nil, source != nil, lines].count { $0 }
        guard sources <= 1 else {
            throw ValidationError("--payload, --payload-file, '-' and --lines exclude each other")
        }
        guard source == nil || source == "-" else {
            throw ValidationError("“\(source ?? "")”: only '-' is allowed here")
        }
        guard !lines || id == nil else { throw ValidationError("--id names one task; --lines makes many") }
        guard delay == nil || at == nil else { throw ValidationError("--delay and --at exclude each other") }
    }

    func run() async throws {
        let kind = try KindName(kind)
        var options = EnqueueOptions(priority: priority, attempts: attempts)
        options.id = try id.map { try TaskID($0) }
        options.ifExists = ifExists.policy
        options.delay = delay?.duration
        options.runAt = at
        let one = lines ? nil : try body(try readPayload())
        try await global.withSession { session in
            if let one {
                let task = NewTask(kind, payload: one, options: options)
                try report(try await session.tracker.enqueue([task]), session.output)
            } else {
                try await enqueueLines(kind, options, session)
            }
        }
    }

    private func readPayload() throws -> [UInt8] {
        if let payload { return Array(payload.utf8) }
        guard payloadFile != nil || source != nil else { return [] }
        var descriptor = STDIN_FILENO
        if let payloadFile {
            descriptor = open(payloadFile, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw Failure(.notFound, "payload file “\(payloadFile)”: \(String(cString: strerror(errno)))")
            }
        }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        guard let bytes = try Terminal.readAll(descriptor, limit: Limits.maximumPayloadBytes) else {
            throw Failure(
                .badData,
                "the payload has more than \(Limits.maximumPayloadBytes) bytes; enqueue where it is instead"
            )
        }
        return bytes
    }

    private func body(_ bytes: [UInt8]) throws -> Body {
        guard let contentType else { return Body(guessing: bytes) }
        if contentType == Body.json, !bytes.isEmpty, !JSONOutput.isJSON(bytes) {
            throw Failure(.badData, "the payload is not JSON; mend it, or give another --content-type")
        }
        return Body(bytes: bytes, contentType: contentType)
    }

    /// Batches as they fill, so that any number of lines can come.
    private func enqueueLines(_ kind: KindName, _ options: EnqueueOptions, _ session: Session) async throws {
        var rest: [UInt8] = []
        var batch: [NewTask] = []
        var (count, size) = (0, 0)
        func flush() async throws {
            guard !batch.isEmpty else { return }
            do {
                try report(try await session.tracker.enqueue(batch), session.output)
            } catch {
                throw Self.after(count, Failure(error))
            }
            count += batch.count
            (batch, size) = ([], 0)
        }
        func add(_ line: some Sequence<UInt8>) async throws {
            var line = Array(line)
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard !line.isEmpty else { return }
            do { batch.append(NewTask(kind, payload: try body(line), options: options)) } catch {
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

    private func report(_ outcomes: [EnqueueOutcome], _ output: Output) throws {
        for outcome in outcomes {
            switch outcome {
            case .created(let id): tell(id, "created", output)
            case .existing(let id): tell(id, "existing", output)
            case .duplicate(let id):
                throw Failure(
                    .cannotCreate,
                    "a task “\(Escaping.line(id.description))” exists; choose another --id, or give --if-exists return"
                )
            }
        }
    }

    private func tell(_ id: TaskID, _ outcome: String, _ output: Output) {
        if output.isJSON {
            output.json(OutcomeView(id: id, kind: try? KindName(kind), outcome: outcome))
        } else {
            output.line(Escaping.line(id.description))
        }
    }
}

extension Body {
    /// Bytes whose content type shows in themselves.
    init(guessing bytes: [UInt8]) {
        let isText = !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
        let isJSON = bytes.isEmpty || isText && JSONOutput.isJSON(bytes)
        self.init(bytes: bytes, contentType: isJSON ? Body.json : isText ? "text/plain" : "application/octet-stream")
    }
}
