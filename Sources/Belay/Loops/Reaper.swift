import Logging
import Metrics
public import ServiceLifecycle

/// Takes back tasks whose lease ran out, and deletes ended ones that were kept long enough.
///
/// Any number of reapers may run beside each other: every script looks again before it moves a task, so there is no leader
/// to elect and nothing to hand over. A tracker without a reaper still lives: claims take back a few expired leases.
public final class Reaper: Service, Sendable {
    /// How a reaper works.
    public struct Configuration: Sendable {
        /// The pause between sweeps. Default 1 s; 10 ms to 1 h.
        public var interval: Duration = .seconds(1)
        /// Tasks in one script. Default 50; 1 to 500.
        public var batch = Limits.step
        /// The pause between purges. Default 30 s; 10 ms to 24 h.
        public var purgeInterval: Duration = .seconds(30)
        /// The clock of its pauses.
        public var clock: any Clock<Duration> = ContinuousClock()

        /// All defaults.
        public init() {}
    }

    private let tracker: Tracker
    private let configuration: Configuration
    private let crashes = Counter(label: "belay.reaped")
    private let purges = Counter(label: "belay.purged")

    /// A reaper; nothing happens before ``run()`` or ``sweep()``.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a value out of range.
    public init(_ tracker: Tracker, configuration: Configuration = Configuration()) throws(TrackerError) {
        guard (.milliseconds(10) ... .seconds(3600)).contains(configuration.interval) else {
            throw .invalid("reaper interval", configuration.interval, allowed: "10 ms to 1 h")
        }
        guard (.milliseconds(10) ... .seconds(86_400)).contains(configuration.purgeInterval) else {
            throw .invalid("purge interval", configuration.purgeInterval, allowed: "10 ms to 24 h")
        }
        try HolderBatch.check(configuration.batch)
        self.tracker = tracker
        self.configuration = configuration
    }

    /// Sweeps until graceful shutdown or cancellation; an error of the server is logged and the next sweep tries again.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var untilPurge = Duration.zero
            var isAway = false
            while !Task.isCancelled {
                do throws(TrackerError) {
                    try await self.reapAll { _ in }
                    if untilPurge <= .zero {
                        // A million to delete take long, and nobody is to wait for a lease meanwhile.
                        if try await self.purge(steps: Self.purgeSteps, { _ in }) { continue }
                        untilPurge = self.configuration.purgeInterval
                    }
                    isAway = false
                } catch {
                    if !isAway, error.code != .cancelled {
                        self.tracker.logger.warning("cannot sweep, trying again", metadata: ["error": "\(error)"])
                    }
                    isAway = true
                }
                try? await self.configuration.clock.sleep(for: self.configuration.interval)
                untilPurge -= self.configuration.interval
            }
        }
    }

    /// One whole sweep: everything that is expired now, and everything that is to be deleted now.
    public func sweep() async throws(TrackerError) -> (reaped: [ReapedTask], purged: [PurgedTask]) {
        var (reaped, purged): ([ReapedTask], [PurgedTask]) = ([], [])
        try await reapAll { reaped += $0 }
        _ = try await purge(steps: .max) { purged += $0 }
        return (reaped, purged)
    }

    /// Steps of a purge before leases are looked at again.
    private static let purgeSteps = 100

    private func reapAll(_ each: ([ReapedTask]) -> Void) async throws(TrackerError) {
        while !Task.isCancelled {
            let step = try await tracker.reap(limit: configuration.batch)
            for task in step.items {
                tracker.logger.info(
                    "lease ran out",
                    metadata: [
                        "task-id": "\(task.id)", "kind": "\(task.kind)", "worker": "\(task.worker)",
                        "state": "\(task.state)",
                    ]
                )
            }
            crashes.increment(by: step.items.count)
            each(step.items)
            if !step.more || step.items.isEmpty { break }
        }
    }

    /// Answers whether there is more to delete.
    private func purge(steps: Int, _ each: ([PurgedTask]) -> Void) async throws(TrackerError) -> Bool {
        var left = steps
        while left > 0, !Task.isCancelled {
            let step = try await tracker.purge(limit: configuration.batch)
            purges.increment(by: step.items.count)
            each(step.items)
            if !step.more { return false }
            left -= 1
        }
        return true
    }
}
