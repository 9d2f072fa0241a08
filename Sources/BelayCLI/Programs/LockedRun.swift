import Belay
import Synchronization

/// The attempts of one `belay run`: takes the lock, runs the program, tries again, waits for another host.
final class LockedRun: Sendable {
    private enum Step {
        case succeeded
        case failed(code: Int32, attempt: Int)
        case refused(ClaimRefusal)
    }

    let id: TaskID
    let lock: Duration
    let attempts: Int
    let wait: Duration?
    let isAgain: Bool
    let program: Program
    let place: Program.Surroundings
    let tracker: Tracker
    let note: @Sendable (String) -> Void
    private let ended = Mutex(false)

    init(
        id: TaskID,
        lock: Duration,
        attempts: Int,
        wait: Duration?,
        isAgain: Bool,
        program: Program,
        place: Program.Surroundings,
        tracker: Tracker,
        note: @escaping @Sendable (String) -> Void
    ) {
        self.id = id
        self.lock = lock
        self.attempts = attempts
        self.wait = wait
        self.isAgain = isAgain
        self.program = program
        self.place = place
        self.tracker = tracker
        self.note = note
    }

    /// Whether it came to its own end, and was not ended.
    var hasEnded: Bool { ended.withLock { $0 } }

    /// Runs until an attempt succeeds or none is left. Answers the exit code of the last one.
    func run() async throws -> Int32 {
        let code = try await untilEnd()
        ended.withLock { $0 = true }
        return code
    }

    private func untilEnd() async throws -> Int32 {
        let patience = ContinuousClock.now + (wait ?? .zero)
        var options: AcquireOptions = [.restart, .ignoreDue]
        var (hasWaited, hasRun) = (false, false)
        while true {
            switch try await attempt(options) {
            case .succeeded: return 0
            case .failed(let code, let attempt):
                hasRun = true
                guard let next = try await pause(after: attempt, code) else { return code }
                options = next
            case .refused(.locked(let until, let holder)):
                guard ContinuousClock.now < patience else { throw locked(until, holder) }
                if !hasWaited { note("locked by \(holder) until \(until); waiting") }
                hasWaited = true
                options = isAgain ? [.restart] : []
                try await Task.sleep(for: .milliseconds(200))
            case .refused(.notDue(let due)):
                try await sleep(until: due)
            case .refused(.paused):
                throw Failure(.tryAgain, "task “\(name)” is paused; 'belay resume \(name)' lets it run")
            case .refused(.blocked):
                throw Failure(.tryAgain, "task “\(name)” waits for others; 'belay explain \(name)' tells for which")
            case .refused(.ended(.succeeded)):
                note("task “\(name)” was done by another host")
                return 0
            case .refused(.ended(.exhausted)) where !hasWaited && !hasRun,
                .refused(.ended(.ignored)) where !hasWaited && !hasRun:
                continue  // the claim ended the last attempt of a dead holder: now begin anew
            case .refused(.ended(let state)):
                options = try await takeOver(from: state)
            case .refused(.notFound):
                throw Failure(.notFound, "task “\(name)” was deleted meanwhile")
            }
        }
    }

    private var name: String { Escaping.line(id.description) }

    private func locked(_ until: Timestamp, _ holder: String) -> Failure {
        let waited = wait == nil ? "--wait waits for it" : "still so after --wait"
        return Failure(.tryAgain, "task “\(name)” is locked by \(holder) until \(until); \(waited)")
    }

    private func attempt(_ options: AcquireOptions) async throws -> Step {
        let last = Mutex<(code: Int32, attempt: Int)>((0, 0))
        let (program, place, attempts) = (program, place, attempts)
        do {
            let result = try await tracker.withClaim(on: id, for: lock, options: options, stopsItself: true) {
                context in
                let end = try await program.runInherited(context, in: place)
                last.withLock { $0 = (end.exitCode, context.claim.attempt) }
                guard let failure = end.failure(timeout: program.timeout) else { return NoOutput() }
                if context.claim.attempt >= attempts { throw PermanentFailure(failure) }
                throw failure
            }
            if case .refused(let refusal) = result { return .refused(refusal) }
            return .succeeded
        } catch let error where error is TaskFailure || error is PermanentFailure {
            let (code, attempt) = last.withLock { $0 }
            guard attempt > 0 else { throw Failure(.failed, "task “\(name)” was cancelled; its program was ended") }
            return .failed(code: code, attempt: attempt)
        }
    }

    /// Waits until the next attempt is due; answers how to claim it, nil when none is left.
    private func pause(after attempt: Int, _ code: Int32) async throws -> AcquireOptions? {
        guard attempt < attempts, let task = try await tracker.get(id) else {
            if attempts > 1 { note("exit code \(code); no attempt is left") }
            return nil
        }
        // A task that was made with fewer attempts than are wanted now is used up: it is taken all the same.
        let isDue = task.state == .ready
        guard isDue || task.state == .exhausted || task.state == .ignored else { return [] }
        let delay = isDue ? max(task.due - task.updated, .zero) : try await delay(after: task)
        note("exit code \(code); attempt \(attempt + 1) of \(attempts) in \(Span.text(delay))")
        try await Task.sleep(for: delay)
        return isDue ? [] : [.force]
    }

    /// The delay of the kind's policy, without jitter.
    private func delay(after task: TaskRecord) async throws -> Duration {
        guard let retry = try await tracker.kinds().first(where: { $0.name == task.kind })?.policy.retry else {
            return .zero
        }
        switch retry.backoff {
        case .fixed(let delay): return delay
        case .list(let delays): return delays[min(max(task.failures, 1), delays.count) - 1]
        case .exponential(let base, let factor, let cap):
            var delay = base
            for _ in 1..<max(task.failures, 1) where delay < cap { delay = delay * factor }
            return min(delay, cap)
        }
    }

    /// How to claim a task that another host has ended: only what died with its host is taken over.
    private func takeOver(from state: TaskState) async throws -> AcquireOptions {
        let isUsedUp = state == .exhausted || state == .ignored
        if isUsedUp, try await tracker.get(id)?.lastFailure?.outcome == .crashed { return [.force] }
        throw Failure(.failed, "task “\(name)” is \(state) on another host; 'belay attempts' shows why")
    }

    private func sleep(until due: Timestamp) async throws {
        let now = try await tracker.stats().now
        try await Task.sleep(for: min(max(due - now, .milliseconds(1)), .seconds(1)))
    }
}
