import ArgumentParser
import Belay
import BelayService

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How the command ends; the numbers of sysexits.h where they have one.
enum ExitStatus: Int32, Sendable {
    case failed = 1
    case usage = 64
    case badData = 65
    case notFound = 66
    case unavailable = 69
    case bug = 70
    case cannotCreate = 73
    case tryAgain = 75
    case notAllowed = 77
    case badConfiguration = 78
    case timedOut = 124
    case interrupted = 130
    case terminated = 143

    /// The word in JSON errors.
    var name: String {
        switch self {
        case .interrupted: "interrupted"
        default: "\(self)"
        }
    }
}

/// An error with the status that the command ends with.
struct Failure: Error, CustomStringConvertible {
    /// The exit status.
    var status: Int32
    /// A word for programs.
    var code: String
    /// One line for people; empty to end without a word.
    var message: String

    var description: String { message }

    init(_ status: ExitStatus, _ message: String) {
        self.init(status: status.rawValue, code: status.name, message: message)
    }

    init(status: Int32, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// An end without a word, as when a program's exit code is passed on.
    static func silently(_ status: Int32) -> Failure { Failure(status: status, code: "exit", message: "") }

    /// What an error means to the shell.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as TrackerError: self.init(error)
        case let problem as Problem: self.init(problem)
        case let error as EmbeddedRedisError: self.init(error)
        case is CancellationError: self.init(.interrupted, "interrupted")
        default: self.init(.bug, "\(error)")
        }
    }

    private init(_ error: TrackerError) {
        let (status, hint) = Self.meaning(of: error)
        let message = hint.map { "\(error.message). \($0)" } ?? error.message
        self.init(status: status.rawValue, code: error.code.description, message: message)
    }

    private static func meaning(of error: TrackerError) -> (ExitStatus, hint: String?) {
        switch error.code {
        case .invalidArgument: (.usage, nil)
        case .unknownKind, .unknownParent: (.notFound, nil)
        case .tooLarge, .payload: (.badData, nil)
        case .full: (.cannotCreate, nil)
        case .kindConflict, .incompatibleTracker: (.badConfiguration, nil)
        case .unsuitableServer: (.unavailable, nil)
        case .unavailable, .timedOut:
            (
                .unavailable,
                "Is Redis running there? --redis or REDIS_URL names another; without both, belay starts its own"
            )
        case .unauthorised: (.notAllowed, "Give user and password in the URL: redis://user:password@host:6379")
        case .cancelled: (.interrupted, nil)
        case .server: (.unavailable, nil)
        case .lockLost: (.tryAgain, nil)
        default: (.bug, nil)
        }
    }

    private init(_ error: EmbeddedRedisError) {
        let status: ExitStatus =
            switch error.code {
            case .serverMissing, .startFailed, .notAnswering: .unavailable
            case .folderUnusable: .cannotCreate
            case .notOurs: .notAllowed
            }
        self.init(status: status.rawValue, code: "\(error.code)", message: error.description)
    }

    /// Says what went wrong and ends the process.
    static func end(_ error: any Error, of command: any ParsableCommand.Type, isJSON: Bool) -> Never {
        let failure: Failure
        switch error {
        case is Failure, is TrackerError, is Problem, is EmbeddedRedisError, is CancellationError:
            failure = Failure(error)
        default:
            let code = command.exitCode(for: error)
            if code == .success { command.exit(withError: error) }
            failure = parsing(error, of: command, status: code.rawValue)
        }
        if !failure.message.isEmpty {
            if isJSON {
                let body = ErrorView(error: .init(code: failure.code, message: failure.message))
                Terminal.write(JSONOutput.text(body) + "\n", to: STDERR_FILENO)
            } else {
                Terminal.write("belay: \(failure.message)\n", to: STDERR_FILENO)
            }
        }
        exit(failure.status)
    }

    /// An error of the argument parser: its message, and where the help is.
    private static func parsing(_ error: any Error, of command: any ParsableCommand.Type, status: Int32) -> Failure {
        let full = command.fullMessage(for: error)
        let message = command.message(for: error)
        guard status == ExitStatus.usage.rawValue else {
            return Failure(status: status, code: "failed", message: message.isEmpty ? full : message)
        }
        let see = full.split(separator: "\n").last { $0.contains("See '") }?.drop { $0 == " " }
        let oneLine = message.split(separator: "\n").joined(separator: " ")
        let dot = oneLine.hasSuffix(".") ? "" : "."
        return Failure(status: status, code: "usage", message: see.map { "\(oneLine)\(dot) \($0)" } ?? oneLine)
    }
}

/// An error as JSON.
struct ErrorView: Encodable {
    /// Code and message.
    struct Body: Encodable {
        var code: String
        var message: String
    }
    var error: Body
}
