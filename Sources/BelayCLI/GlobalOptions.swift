import ArgumentParser
import Belay
import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Options that every sub-command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help:
            "The server: redis://[user:password@]host[:6379][/0], rediss://, unix:///path, or cluster://host,host. Default: $REDIS_URL."
    )
    var redis: String?

    @Option(help: "The tracker on that server. Default: $BELAY_NAMESPACE, else belay.")
    var namespace: String?

    @Option(help: "How many partitions the tracker has. Default: $BELAY_PARTITIONS, else as created; 1 when it is new.")
    var partitions: Int?

    @Option(help: "Who acts, as tasks' logs name it. Default: $BELAY_ACTOR, else user@host.")
    var actor: String?

    @Flag(help: "One JSON object per line on stdout, errors as JSON on stderr.")
    var json = false

    @Flag(name: .customLong("no-color"), help: "No colours; also with NO_COLOR set.")
    var noColor = false

    @Option(name: .customLong("log-level"), help: "What is logged to stderr. Default: $LOG_LEVEL, else by command.")
    var logLevel: Logger.Level?

    /// The environment of the process.
    var environment: [String: String] { ProcessInfo.processInfo.environment }

    private func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The server's URL; starts the private server where nothing names another.
    func serverURL() async throws -> String {
        if let url = redis ?? variable("REDIS_URL") { return url }
        return try await EmbeddedRedis(environment: environment).ensureRunning()
    }

    /// The tracker's name.
    var trackerName: String { namespace ?? variable("BELAY_NAMESPACE") ?? "belay" }

    /// Who acts for an operator: by default the user of this process and its host, made fit for a log.
    var actorName: String {
        if let given = actor ?? variable("BELAY_ACTOR") { return given }
        let clean = "\(ProcessInfo.processInfo.userName)@\(Host.name)".utf8.map {
            (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "-")
        }
        return String(decoding: clean.prefix(Limits.workerBytes), as: UTF8.self)
    }

    /// How many partitions trackers are to have; nil for as many as they were created with.
    func partitionCount() throws -> Int? {
        if let partitions { return partitions }
        guard let text = variable("BELAY_PARTITIONS") else { return nil }
        guard let number = Int(text) else {
            throw Failure(.usage, "BELAY_PARTITIONS is “\(Escaping.line(text))”; allowed: 1 to 256")
        }
        return number
    }

    /// How the tracker of a namespace is reached.
    func configuration(_ url: String, namespace: String, partitions: Int?) throws(TrackerError) -> Tracker.Configuration
    {
        var configuration = try Tracker.Configuration(url: url, namespace: namespace)
        configuration.actor = actorName
        configuration.partitions = partitions
        return configuration
    }

    /// Where data and messages go.
    var output: Output {
        let isPlain = noColor || variable("NO_COLOR") != nil || environment["TERM"] == "dumb"
        return Output(
            isJSON: json,
            colours: Colours(isOn: !isPlain && Terminal.isTerminal(1)),
            width: Terminal.width(environment: environment)
        )
    }

    /// Sets up logging; the first call counts.
    func logger(default level: Logger.Level) throws -> Logger {
        var wanted = logLevel ?? level
        if logLevel == nil, let text = variable("LOG_LEVEL") {
            guard let known = Logger.Level(rawValue: text.lowercased()) else {
                let all = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure(.usage, "LOG_LEVEL is “\(Escaping.line(text))”; allowed: \(all)")
            }
            wanted = known
        }
        let style: LogLines.Style =
            variable("LOG_FORMAT") == "json" ? .json : Terminal.isTerminal(2) && !noColor ? .colour : .plain
        LoggingSystem.bootstrap { [wanted] in LogLines(label: $0, level: wanted, style: style) }
        return Logger(label: "belay")
    }

    /// Opens the tracker, runs `body` and closes it.
    func withSession(
        logging level: Logger.Level = .warning,
        namespace: String? = nil,
        _ body: (Session) async throws -> Void
    ) async throws {
        let logger = try logger(default: level)
        let url = try await serverURL()
        let tracker = try Tracker(
            configuration: try configuration(
                url,
                namespace: namespace ?? trackerName,
                partitions: try partitionCount()
            ),
            logger: logger
        )
        let session = Session(tracker: tracker, url: url, output: output, logger: logger, environment: environment)
        do {
            try await body(session)
        } catch {
            await tracker.close()
            throw error
        }
        await tracker.close()
    }
}

/// What a sub-command works with.
struct Session: Sendable {
    let tracker: Tracker
    /// The server's URL.
    let url: String
    let output: Output
    let logger: Logger
    let environment: [String: String]
}

/// Reads names of the command line.
enum Names {
    static func ids(_ texts: [String]) throws -> [TaskID] { try texts.map { try TaskID($0) } }
    static func kinds(_ texts: [String]) throws -> [KindName] { try texts.map { try KindName($0) } }
}

/// Writes data to stdout and messages to stderr.
struct Output: Sendable {
    var isJSON: Bool
    var colours: Colours
    /// Columns that lines should fit; nil for any length.
    var width: Int?

    /// A line of data.
    func line(_ text: String) { Terminal.write(text + "\n", to: 1) }

    /// An object of data.
    func json(_ value: some Encodable) { line(JSONOutput.text(value)) }

    /// A table of data.
    func table(_ table: Table) { for text in table.lines(width: width, colours: colours) { line(text) } }

    /// A message.
    func note(_ text: String) { Terminal.write("belay: \(text)\n", to: 2) }
}
