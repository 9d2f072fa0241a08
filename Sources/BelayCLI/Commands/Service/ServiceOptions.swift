import ArgumentParser
import Belay
import BelayService
import Logging

/// What the machine interface offers, however it is reached.
struct ServiceOptions: ParsableArguments {
    @Option(help: "The trackers to serve, such as media,mail; the first is meant where a request names none.")
    var namespaces: String?

    @Option(help: "The largest request, 1024 to 268435456 bytes.")
    var maxRequest = 8 << 20

    @Flag(help: "Testing only: trackers whose clock stands still until clock/set and clock/advance move it.")
    var manualClock = false

    func validate() throws {
        guard (1 << 10...256 << 20).contains(maxRequest) else {
            throw ValidationError("--max-request is \(maxRequest); allowed: 1024 to 268435456 bytes")
        }
    }

    /// Opens the table of verbs on the trackers, runs `body` and closes them.
    func withDispatcher(
        _ global: GlobalOptions,
        logging level: Logger.Level = .warning,
        _ body: (Dispatcher, Logger) async throws -> Void
    ) async throws {
        let logger = try global.logger(default: level)
        let url = try await global.serverURL()
        let names = namespaces.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        let clock = manualClock ? ManualClock() : nil
        let partitions = try global.partitionCount()
        let trackers = try Trackers(names ?? [global.trackerName], clock: clock) { name throws(TrackerError) in
            var configuration = try global.configuration(url, namespace: name, partitions: partitions)
            configuration.manualClock = clock
            return try Tracker(configuration: configuration, logger: logger)
        }
        do {
            // A bad name is told before anything is served.
            for name in trackers.namespaces { _ = try trackers.tracker(name) }
            try await body(Dispatcher(trackers, requestLimit: maxRequest), logger)
        } catch {
            await trackers.close()
            throw error
        }
        await trackers.close()
    }
}

extension Failure {
    /// What a problem of the machine interface means to the shell.
    init(_ problem: Problem) {
        let status: ExitStatus =
            switch problem.code {
            case .malformedRequest, .unknownField, .unknownVerb, .methodNotAllowed, .unsupportedMediaType,
                .invalidArgument:
                .usage
            case .requestTooLarge, .tooLarge, .payload: .badData
            case .unknownNamespace, .notFound, .unknownKind, .unknownParent: .notFound
            case .unavailable, .timedOut, .server, .unsuitableServer, .notReady, .tooManyStreams, .closed: .unavailable
            case .internalError, .protocolViolation: .bug
            case .full: .cannotCreate
            case .lockLost: .tryAgain
            case .unauthenticated, .forbidden, .unauthorised, .clockRefused: .notAllowed
            case .kindConflict, .incompatibleTracker: .badConfiguration
            case .cancelled: .interrupted
            }
        self.init(status: status.rawValue, code: problem.code.rawValue, message: problem.detail)
    }
}
