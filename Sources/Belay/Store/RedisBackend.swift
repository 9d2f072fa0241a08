package import Logging
package import RedisWire
import Synchronization

/// Performs verbs on a Redis server: EVALSHA in one round trip each, the tracker's header made or checked on first use.
///
/// It is one partition. That of a whole tracker learns from the header how many there are, and hands verbs over to all of
/// them when there are more.
package final class RedisBackend: TrackerBackend {
    private let client: RedisClient
    private let namespace: String
    private let keyspace: Keyspace
    private let header: Open
    private let isPart: Bool
    private let manualClock: ManualClock?
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var opened: Opened?
        var lastNow: (time: Timestamp, at: ContinuousClock.Instant)?
    }

    /// What the header says.
    private struct Opened {
        var header: Open.Response
        /// All partitions, when there is more than one.
        var all: PartitionedBackend?
    }

    /// A tracker, or one partition of it.
    /// - Parameters:
    ///   - partition: Which, when it is one of several; nil for the whole tracker.
    ///   - partitions: How many there are; nil for as many as it was created with, 1 when it is new.
    package init(
        client: RedisClient,
        namespace: String,
        partition: Int? = nil,
        partitions: Int?,
        payloadLimit: Int,
        manualClock: ManualClock?,
        logger: Logger
    ) {
        self.client = client
        self.namespace = namespace
        self.manualClock = manualClock
        self.logger = logger
        keyspace = Keyspace(namespace: namespace, partition: partition ?? 0)
        isPart = partition != nil
        header = Open(clock: manualClock == nil ? .server : .manual, payloadLimit: payloadLimit, partitions: partitions)
    }

    package var executor: (any TaskExecutor)? { client.taskExecutor }

    package var estimatedNow: Timestamp? {
        if let manualClock { return manualClock.now }
        let (lastNow, all) = state.withLock { ($0.lastNow, $0.opened?.all) }
        if let now = all?.estimatedNow { return now }
        return lastNow.map { $0.time + $0.at.duration(to: .now) }
    }

    package var payloadLimit: Int {
        get async throws(TrackerError) { try await open().header.payloadLimit }
    }

    package var partitions: Int {
        get async throws(TrackerError) { try await open().all?.partitions ?? 1 }
    }

    package func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response {
        if let all = try await open().all { return try await all.perform(verb) }
        var reply = try await send(verb)
        if reply.word == "NO_TRACKER" {
            // The server was emptied under us. The header is made again; what was tracked is gone.
            logger.warning(
                "tracker was emptied on the server, beginning anew",
                metadata: ["tracker": "\(keyspace.prefix)"]
            )
            state.withLock { $0.opened = nil }
            if let all = try await open().all { return try await all.perform(verb) }
            reply = try await send(verb)
        }
        return try verb.decode(reply)
    }

    /// Makes or checks the header and the server once.
    private func open() async throws(TrackerError) -> Opened {
        if let opened = state.withLock({ $0.opened }) { return opened }
        if !isPart { try await ServerCheck.run(client, key: keyspace.header) }
        let found = try header.decode(await send(header))
        if !isPart, found.partitions > 1, client.configuration.isCluster {
            let headers = (0..<found.partitions).map { Keyspace(namespace: namespace, partition: $0).header }
            try await ServerCheck.run(client, others: headers)
        }
        return state.withLock { state in
            // Two calls may be the first; there is one set of partitions.
            if let opened = state.opened { return opened }
            let opened = Opened(header: found, all: isPart || found.partitions == 1 ? nil : whole(found))
            state.opened = opened
            return opened
        }
    }

    /// All partitions of the tracker.
    private func whole(_ found: Open.Response) -> PartitionedBackend {
        PartitionedBackend(
            (0..<found.partitions).map { partition in
                RedisBackend(
                    client: client,
                    namespace: namespace,
                    partition: partition,
                    partitions: found.partitions,
                    payloadLimit: found.payloadLimit,
                    manualClock: manualClock,
                    logger: logger
                )
            }
        )
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
        case "PARTITIONS":
            let found = try answer.string(1)
            throw TrackerError(
                .incompatibleTracker,
                "tracker \(namespace) has \(found) partition\(found == "1" ? "" : "s"): open it with partitions \(found), "
                    + "or leave the number out"
            )
        default:
            break
        }
        if let now = answer.now, manualClock == nil { state.withLock { $0.lastNow = (now, .now) } }
        return answer
    }

    package func listen(
        for worker: WorkerName,
        holding task: TaskID?,
        _ wake: @Sendable (WakeUp) -> Void
    ) async {
        // Whoever listens has claimed or defined something before, so the tracker is open.
        if let all = try? await open().all { return await all.listen(for: worker, holding: task, wake) }
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
