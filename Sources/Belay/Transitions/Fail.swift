import BelayScripts
package import RedisWire

/// What a holder wants after a failure.
public enum FailureDisposition: Sendable, Hashable {
    /// Try again as the kind's policy says, or after a delay of the holder's choice.
    case retry(after: Duration? = nil)
    /// Do not try again: the task is exhausted, or ignored where its kind's policy says so.
    case exhaust
    /// The task was cancelled, and its holder has stopped.
    case cancelled
}

/// Ends held tasks' attempts with an error.
package struct Fail: Verb {
    package struct Item: Sendable {
        package var handle: ClaimHandle
        package var failure: TaskFailure
        package var disposition: FailureDisposition

        package init(handle: ClaimHandle, failure: TaskFailure, disposition: FailureDisposition) {
            self.handle = handle
            self.failure = failure
            self.disposition = disposition
        }
    }

    package static let script = RedisScript(.fail)
    package var items: [Item]

    package func validate() throws(TrackerError) {
        try HolderBatch.check(items.count)
        for item in items {
            if case .retry(let delay?) = item.disposition, !Limits.delay.contains(delay) {
                throw .invalid("retry delay", delay, allowed: "0 s to 3,650 days")
            }
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys(items.lazy.map(\.handle.id))
        for item in items {
            call.append(item.handle)
            switch item.disposition {
            case .retry(let delay):
                call.append("r")
                call.append(delay)
            case .exhaust:
                call.append("x")
                call.append("")
            case .cancelled:
                call.append("c")
                call.append("")
            }
            let stored = FailureText.encode(item.failure)
            call.append(bytes: stored.error)
            call.append(bytes: stored.backtrace)
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [HandBackOutcome] {
        if reply.word == "TOO_LARGE" {
            let item = items[try reply.place(reply.element(2), of: items.count)]
            throw TrackerError(.tooLarge, "error of task “\(item.handle.id)” is over \(try reply.int(3)) bytes")
        }
        try reply.requireOK()
        return try reply.handBacks(items.count)
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [HandBackOutcome] {
        try await tracker.split(items, by: { $0.handle.id }) { part, some throws(TrackerError) in
            try await part.perform(Fail(items: some))
        }
    }
}
