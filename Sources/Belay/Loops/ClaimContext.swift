public import Logging
import Synchronization

/// Why running work is asked to stop before it has ended by itself.
public enum StopReason: String, Sendable, Hashable, Codable {
    /// The lock ran out or another holder has it: nothing that this work writes is accepted any more.
    case lockLost
    /// Somebody cancelled the task.
    case cancelRequested
    /// The worker shuts down; the task will be handed back.
    case shutdown
}

/// What running work knows of its claim, and how it speaks to the tracker.
///
/// The Swift task that runs the work is cancelled when it is to stop; ``stopReason`` then says why.
public final class ClaimContext: Sendable {
    /// The held lock: task, kind, attempt, payload, fence.
    public let claim: Claim
    /// A logger that carries task, kind, attempt and worker.
    public let logger: Logger
    let stopped = Signal()
    private let tracker: Tracker
    private let reason = Mutex<StopReason?>(nil)

    init(_ claim: Claim, tracker: Tracker) {
        self.claim = claim
        self.tracker = tracker
        var logger = tracker.logger
        logger[metadataKey: "task-id"] = "\(claim.id)"
        logger[metadataKey: "kind"] = "\(claim.kind)"
        logger[metadataKey: "attempt"] = "\(claim.attempt)"
        logger[metadataKey: "worker"] = "\(claim.worker)"
        self.logger = logger
    }

    /// Why the work is to stop; nil while it is not.
    public var stopReason: StopReason? { reason.withLock { $0 } }

    /// Says how far the work is.
    /// - Parameters:
    ///   - fraction: 0 to 1; nil when unknown.
    ///   - message: Shortened to 64 bytes.
    /// - Throws: ``TrackerError`` (`lockLost`) when the lock is lost; other codes when the server cannot be reached.
    public func progress(_ fraction: Double?, _ message: String = "") async throws(TrackerError) {
        let note = FailureText.shorten(String(message.unicodeScalars.filter { !$0.isControl }), to: Limits.noteBytes)
        let outcome = try await tracker.progress(claim.handle, fraction, message: note)
        if outcome != .accepted {
            stop(.lockLost)
            throw .lockLost(claim.id)
        }
    }

    /// Asks the work to stop; the first reason stands, but a lost lock outdoes the others.
    func stop(_ why: StopReason) {
        reason.withLock { reason in
            if reason == nil || why == .lockLost { reason = why }
        }
        stopped.notify()
    }

    /// Runs work; cancels it when it is asked to stop.
    func run<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async -> Swift.Result<T, any Error> {
        await withTaskGroup(of: Swift.Result<T, any Error>?.self) { group in
            group.addTask {
                do { return .success(try await work()) } catch { return .failure(error) }
            }
            group.addTask {
                await self.stopped.wait()
                return nil
            }
            if let first = await group.next(), let ended = first {
                group.cancelAll()
                return ended
            }
            group.cancelAll()
            while let next = await group.next() {
                if let ended = next { return ended }
            }
            return .failure(CancellationError())
        }
    }
}

extension TrackerError {
    static func lockLost(_ id: TaskID, cause: (any Error)? = nil) -> TrackerError {
        TrackerError(.lockLost, "the lock on task “\(id)” was lost: it ran out, or another holder has it", cause: cause)
    }
}
