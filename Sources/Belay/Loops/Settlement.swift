import Logging

/// How a piece of held work ended, as it is written to the tracker.
enum Settlement: Sendable {
    case complete(ClaimContext, Body)
    case fail(ClaimContext, TaskFailure, FailureDisposition)
    case snooze(ClaimContext, Duration)
    case release(ClaimContext)
    /// The lock is lost: there is nothing to write.
    case drop(ClaimContext)

    /// What the end of a handler means.
    init(_ context: ClaimContext, _ ended: Swift.Result<Body, any Error>, payloadLimit: Int) {
        switch ended {
        case .success(let result):
            if context.stopReason == .lockLost {
                self = .drop(context)
            } else if result.bytes.count > payloadLimit {
                let message = "the result has \(result.bytes.count) bytes; allowed: \(payloadLimit)"
                self = .fail(context, TaskFailure(type: "tooLarge", message: message), .exhaust)
            } else {
                self = .complete(context, result)
            }
        case .failure(let error):
            self = Self.ofError(error, context)
        }
    }

    private static func ofError(_ error: any Error, _ context: ClaimContext) -> Settlement {
        // A call of the tracker that was cancelled says so in its own way.
        let isCancelled = error is CancellationError || (error as? TrackerError)?.code == .cancelled
        switch context.stopReason {
        case .lockLost: return .drop(context)
        case .shutdown where isCancelled: return .release(context)
        case .cancelRequested: return .fail(context, TaskFailure(error), .cancelled)
        case .timeLimit where !(error is PermanentFailure) && !(error is Snooze):
            return .fail(context, TaskFailure(atSoftLimit: error), .retry())
        case .timeLimit, .shutdown, nil: break
        }
        switch error {
        case let permanent as PermanentFailure: return .fail(context, permanent.failure, .exhaust)
        case let snooze as Snooze: return .snooze(context, min(max(snooze.delay, .zero), Limits.delay.upperBound))
        // The calling task itself was cancelled, not the work: it did nothing wrong.
        case _ where isCancelled && Task.isCancelled: return .release(context)
        default: return .fail(context, TaskFailure(error), .retry())
        }
    }

    var context: ClaimContext {
        switch self {
        case .complete(let context, _), .fail(let context, _, _), .snooze(let context, _), .release(let context),
            .drop(let context):
            context
        }
    }

    /// The word for metrics and logs.
    var outcome: String {
        switch self {
        case .complete: "succeeded"
        case .fail: "failed"
        case .snooze: "snoozed"
        case .release: "released"
        case .drop: "lost"
        }
    }
}

extension TaskFailure {
    /// What work threw that was asked to stop at its soft limit.
    fileprivate init(atSoftLimit error: any Error) {
        self.init(error)
        guard type != "softTimeout" else { return }
        if error is CancellationError { message = "stopped at the soft limit" } else { message = description }
        type = "softTimeout"
    }
}

extension Tracker {
    /// Writes ends, each sort in one call. Answers for each whether it was accepted.
    func settle(_ batch: [Settlement]) async throws(TrackerError) {
        var completed: [(handle: ClaimHandle, result: Body)] = []
        var failed: [(handle: ClaimHandle, failure: TaskFailure, disposition: FailureDisposition)] = []
        var snoozed: [(handle: ClaimHandle, delay: Duration)] = []
        var released: [ClaimHandle] = []
        for item in batch {
            switch item {
            case .complete(let context, let result): completed.append((context.claim.handle, result))
            case .fail(let context, let failure, let disposition):
                failed.append((context.claim.handle, failure, disposition))
            case .snooze(let context, let delay): snoozed.append((context.claim.handle, delay))
            case .release(let context): released.append(context.claim.handle)
            case .drop: break
            }
        }
        if !completed.isEmpty {
            for (item, outcome) in zip(completed, try await complete(completed)) where outcome != .accepted {
                logger.info("completion refused, the lock was lost", metadata: ["task-id": "\(item.handle.id)"])
            }
        }
        if !failed.isEmpty { _ = try await fail(failed) }
        if !snoozed.isEmpty { _ = try await perform(SnoozeTasks(items: snoozed)) }
        if !released.isEmpty { _ = try await release(released) }
    }
}
