package import Logging
package import RedisWire
import Synchronization

/// Performs verbs on a Redis server: EVALSHA in one round trip each, the tracker's header made or checked on first use.
package final class RedisBackend: TrackerBackend {
    private let client: RedisClient
    private let keyspace: Keyspace
    private let header: Open
    private let manualClock: ManualClock?
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var payloadLimit: Int?
        var lastNow: (time: Timestamp, at: ContinuousClock.Instant)?
    }

    package init(client: RedisClient, keyspace: Keyspace, payloadLimit: Int, manualClock: ManualClock?, logger: Logger)
    {
        self.client = client
        self.keyspace = keyspace
        self.manualClock = manualClock
        self.logger = logger
        header = Open(clock: manualClock == nil ? .server : .manual, payloadLimit: payloadLimit)
    }

    package var estimatedNow: Timestamp? {
        if let manualClock { return manualClock.now }
        return state.withLock { state in state.lastNow.map { $0.time + $0.at.duration(to: .now) } }
    }

    package var payloadLimit: Int {
        get async throws(TrackerError) { try await open() }
    }

    package func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response {
        _ = try await open()
        var reply = try await send(verb)
        if reply.word == "NO_TRACKER" {
            // The server was emptied under us. The header is made again; what was tracked is gone.
            logger.warning(
                "tracker was emptied on the server, beginning anew",
                metadata: ["tracker": "\(keyspace.prefix)"]
            )
            state.withLock { $0.payloadLimit = nil }
            _ = try await open()
            reply = try await send(verb)
        }
        return try verb.decode(reply)
    }

    /// Makes or checks the header and the server once; answers the payload limit.
    private func open() async throws(TrackerError) -> Int {
        if let limit = state.withLock({ $0.payloadLimit }) { return limit }
        try await ServerCheck.run(client)
        let limit = try header.decode(await send(header))
        state.withLock { $0.payloadLimit = limit }
        return limit
    }

    private func send<V: Verb>(_ verb: V) async throws(TrackerError) -> ScriptReply {
        var call = ScriptCall(keyspace)
        verb.encode(into: &call)
        if let manualClock { call.append(manualClock.now.microseconds) } else { call.append("") }
        let reply: RedisReply
        do {
            reply = try await client.evaluate(
                V.script,
                routedBy: keyspace.header,
                keyCount: call.keyCount,
                arguments: call.arguments
            )
        } catch {
            throw TrackerError(error)
        }
        let answer = try ScriptReply(reply, of: V.script.name)
        switch answer.word {
        case "SCHEMA":
            throw TrackerError(
                .incompatibleTracker,
                "tracker \(keyspace.prefix) has schema \(try answer.string(1)); this Belay knows schema 1: use a newer Belay"
            )
        case "CLOCK":
            throw TrackerError(
                .incompatibleTracker,
                "tracker \(keyspace.prefix) runs on the \(try answer.string(1)) clock: open it the same way, or use another namespace"
            )
        default:
            break
        }
        if let now = answer.now, manualClock == nil { state.withLock { $0.lastNow = (now, .now) } }
        return answer
    }

    package func listen(for worker: WorkerName, _ wake: @Sendable (WakeUp) -> Void) async {
        let subscription = client.subscribe(to: [keyspace.wakeChannel(worker)], routedBy: keyspace.header)
        for await event in subscription {
            switch event {
            case .subscribed: wake(.listening)
            case .message(_, let payload): wake(payload == Array("cancel".utf8) ? .cancel : .ready)
            }
        }
    }

    package func close() async { await client.close() }
}

extension TrackerError {
    init(_ error: RedisError) {
        let code: Code
        switch error.code {
        case .timedOut: code = .timedOut
        case .cancelled: code = .cancelled
        case .unauthorised: code = .unauthorised
        case .tooLarge: code = .tooLarge
        case .closed: code = .closed
        case .protocolViolation: code = .protocolViolation
        case .invalidConfiguration: code = .invalidArgument
        case .server: code = error.serverError?.prefix == "NOPERM" ? .unauthorised : .server
        default: code = .unavailable
        }
        self.init(
            code,
            error.message + (error.endpoint.map { " [\($0)]" } ?? ""),
            isRetriable: error.isRetriable,
            outcome: error.outcome == .unknown ? .unknown : .nothing,
            cause: error
        )
    }
}
