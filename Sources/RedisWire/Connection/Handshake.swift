import NIOCore

/// What is said first on every connection: who we are, which database, our name, and `PING`.
///
/// All of it is sent in one write. `PING` shows that the server accepts commands at all: a server that is loading, is
/// full, or wants a password says so here and not to the first caller.
struct Handshake {
    private enum Step {
        case authenticate, selectDatabase, setName, ping
    }

    private var steps: [Step] = []
    private var answered = 0
    private let configuration: RedisConfiguration

    init(_ configuration: RedisConfiguration) {
        self.configuration = configuration
        if configuration.password != nil { steps.append(.authenticate) }
        if configuration.database != 0 { steps.append(.selectDatabase) }
        if configuration.clientName != nil { steps.append(.setName) }
        steps.append(.ping)
    }

    /// Whether all answers have come.
    var isFinished: Bool { answered == steps.count }

    /// The request.
    func encode(into buffer: inout ByteBuffer) {
        for step in steps {
            command(for: step).encode(into: &buffer)
        }
    }

    /// Takes the next answer. Throws when the connection cannot be used.
    mutating func receive(_ reply: RedisReply) throws(RedisError) {
        let step = steps[answered]
        answered += 1
        guard case .error(let error) = reply else { return }
        switch step {
        case .authenticate:
            throw failure(.unauthorised, "log-in as \(userDescription) refused", error)
        case .selectDatabase where !error.isUnauthorised && !error.isRetriable:
            throw failure(.invalidConfiguration, "database \(configuration.database) refused", error)
        case .setName where error.reason == "NOPERM", .ping where !Self.endsConnection(error):
            return
        case .selectDatabase, .setName, .ping:
            throw failure(error.isUnauthorised ? .unauthorised : .connectionFailed, "server refuses connections", error)
        }
    }

    /// A user that may not `PING`, a stale replica or a busy script do not make the connection useless.
    private static func endsConnection(_ error: RedisServerError) -> Bool {
        error.isUnauthorised || ["LOADING", "MAXCLIENTS", "DENIED"].contains(error.reason)
    }

    private var userDescription: String {
        configuration.username.map { "user '\($0)'" } ?? "the default user"
    }

    private func failure(_ code: RedisError.Code, _ text: String, _ error: RedisServerError) -> RedisError {
        RedisError(
            code: code,
            outcome: .notSent,
            message: "\(text): \(error.message)",
            serverError: error,
            endpoint: configuration.endpoint.description
        )
    }

    private func command(for step: Step) -> RedisCommand {
        var arguments = RedisArguments()
        switch step {
        case .authenticate:
            if let username = configuration.username { arguments.append(username) }
            arguments.append(configuration.password ?? "")
            return RedisCommand("AUTH", arguments)
        case .selectDatabase:
            arguments.append(configuration.database)
            return RedisCommand("SELECT", arguments)
        case .setName:
            return RedisCommand("CLIENT", "SETNAME", configuration.clientName ?? "")
        case .ping:
            return RedisCommand("PING")
        }
    }
}
