public import Logging
import Synchronization

/// Why running work is asked to stop before it has ended by itself.
public enum StopReason: String, Sendable, Hashable, Codable {
    /// The lock ran out or another holder has it: nothing that this work writes is accepted any more.
    case lockLost
    /// Somebody cancelled the task.
    case cancelRequested
    /// The soft limit of the kind's policy is over: what still can be ended well may be, before the time-out.
    case timeLimit
    /// The worker shuts down; the task will be handed back.
    case shutdown
}

/// What running work knows of its claim, and how it speaks to the tracker.
///
/// The Swift task that runs the work is cancelled when it is to stop; ``stopReason`` then says why.
public final class ClaimContext: Sendable {
    /// The held lock: task, kind, attempt, payload, fence.
    public let claim: Claim
    let stopped = Signal()
    private let tracker: Tracker
    private let asked = Mutex<(reason: StopReason?, signal: Int?)>((nil, nil))
    private let saved = Mutex<Body?>(nil)

    init(_ claim: Claim, tracker: Tracker) {
        self.claim = claim
        self.tracker = tracker
    }

    /// A logger that carries task, kind, attempt and worker; made anew each time it is asked for, because most work logs nothing.
    public var logger: Logger {
        var logger = tracker.logger
        logger[metadataKey: "task-id"] = "\(claim.id)"
        logger[metadataKey: "kind"] = "\(claim.kind)"
        logger[metadataKey: "attempt"] = "\(claim.attempt)"
        logger[metadataKey: "worker"] = "\(claim.worker)"
        return logger
    }

    /// Why the work is to stop; nil while it is not.
    public var stopReason: StopReason? { asked.withLock { $0.reason } }

    /// The signal that a program which does the work is to get, when somebody cancelled the task and named one.
    public var stopSignal: Int? { asked.withLock { $0.signal } }

    /// Says how far the work is.
    /// - Parameters:
    ///   - fraction: 0 to 1; nil when unknown.
    ///   - message: Shortened to 64 bytes.
    /// - Throws: ``TrackerError`` (`lockLost`) when the lock is lost; other codes when the server cannot be reached.
    public func progress(_ fraction: Double?, _ message: String = "") async throws(TrackerError) {
        let note = FailureText.shorten(String(message.unicodeScalars.filter { !$0.isControl }), to: Limits.noteBytes)
        try require(try await tracker.progress(claim.handle, fraction, message: note))
    }

    /// Adds a line to the task's log.
    /// - Parameter message: Shortened to 1,024 bytes; control characters but line feeds and tabs are left out.
    /// - Throws: As ``progress(_:_:)``.
    public func log(_ message: String) async throws(TrackerError) {
        let clean = message.unicodeScalars.filter { !$0.isControl || $0 == "\n" || $0 == "\t" }
        let line = FailureText.shorten(String(String.UnicodeScalarView(clean)), to: Limits.messageBytes)
        try require(try await tracker.log(claim.handle, line))
    }

    /// Sets the task's response so far, which shows as its result at once; a result that the work returns replaces it.
    /// - Throws: As ``progress(_:_:)``, and `tooLarge`.
    public func respond(_ response: Body) async throws(TrackerError) {
        try require(try await tracker.respond(claim.handle, response))
    }

    /// What holders saved for the task: what the claim brought, or what this work saved since.
    public var data: Body { saved.withLock { $0 } ?? claim.data }

    /// Keeps data with the task for the next attempt, in place of what was kept.
    /// - Throws: As ``progress(_:_:)``, and `tooLarge`.
    public func save(_ data: Body) async throws(TrackerError) {
        try require(try await tracker.save(claim.handle, data: data))
        saved.withLock { $0 = data }
    }

    /// Changes the task's data, kept as JSON, and saves it. When `change` throws, nothing is changed.
    ///
    /// ```swift
    /// try await context.updateData(Cursor()) { $0.page += 1 }
    /// ```
    /// - Parameter initial: What to begin with when nothing was saved.
    /// - Returns: What `change` returns.
    /// - Throws: What `change` throws; as ``save(_:)``, and `payload` when the data is of another type.
    @discardableResult
    public func updateData<Value: Codable & Sendable, R>(
        _ initial: Value,
        _ change: (inout Value) throws -> R
    ) async throws -> R {
        let before = data
        var value: Value = before.bytes.isEmpty ? initial : try before.decoded()
        let answer = try change(&value)
        try await save(try Body(encoding: value))
        return answer
    }

    /// Pauses the task: it keeps its lock, its kind's time-out stands still, and listings show it as paused.
    /// - Throws: As ``progress(_:_:)``.
    public func pause(_ message: String = "") async throws(TrackerError) {
        try require(try await tracker.pause(claim.handle, message: message))
    }

    /// Ends the pause; the time-out begins anew.
    /// - Throws: As ``progress(_:_:)``.
    public func resume(_ message: String = "") async throws(TrackerError) {
        try require(try await tracker.resume(claim.handle, message: message))
    }

    private func require(_ outcome: WriteOutcome) throws(TrackerError) {
        if outcome != .accepted { throw lost() }
    }

    private func require(_ outcome: TransitionOutcome) throws(TrackerError) {
        guard case .done = outcome else { throw lost() }
    }

    private func lost() -> TrackerError {
        stop(.lockLost)
        return .lockLost(claim.id)
    }

    /// Asks the work to stop; the first reason stands, but a cancellation outdoes it, and a lost lock all others.
    func stop(_ why: StopReason, signal: Int? = nil) {
        asked.withLock { asked in
            if asked.reason.map({ why.rank > $0.rank }) ?? true { asked.reason = why }
            if let signal { asked.signal = signal }
        }
        stopped.notify()
    }

    /// Waits until the work is asked to stop, once more perhaps; or so long at most, or until the calling task is
    /// cancelled. Only for work that stops itself; see ``Handler/stopsItself``.
    package func waitForStop(atMost limit: Duration? = nil) async {
        if let limit { await stopped.wait(atMost: limit, clock: ContinuousClock()) } else { await stopped.wait() }
    }

    /// Runs work in a task of its own; cancels it when it is asked to stop, unless it stops itself.
    func run<T: Sendable>(
        stopsItself: Bool = false,
        _ work: @escaping @Sendable () async throws -> T
    ) async -> Swift.Result<T, any Error> {
        if stopsItself {
            do { return .success(try await work()) } catch { return .failure(error) }
        }
        return await withTaskGroup(of: Swift.Result<T, any Error>.self) { group in
            group.addTask {
                // The end wakes the waiting task below as a stop does, so that no second task is needed to wait for one.
                defer { self.stopped.notify() }
                do { return .success(try await work()) } catch { return .failure(error) }
            }
            await self.stopped.wait()
            group.cancelAll()
            return await group.next() ?? .failure(CancellationError())
        }
    }
}

extension StopReason {
    /// A higher reason takes the place of a lower one.
    fileprivate var rank: Int {
        switch self {
        case .shutdown, .timeLimit: 0
        case .cancelRequested: 1
        case .lockLost: 2
        }
    }
}

extension TrackerError {
    static func lockLost(_ id: TaskID, cause: (any Error)? = nil) -> TrackerError {
        TrackerError(.lockLost, "the lock on task “\(id)” was lost: it ran out, or another holder has it", cause: cause)
    }
}
