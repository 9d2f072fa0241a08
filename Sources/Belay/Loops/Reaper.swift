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
        /// Tasks in one script. Default 100; 1 to 500.
        public var batch = 100
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
                    _ = try await self.reapAll()
                    if untilPurge <= .zero {
                        _ = try await self.purgeAll()
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
        (try await reapAll(), try await purgeAll())
    }

    private func reapAll() async throws(TrackerError) -> [ReapedTask] {
        var all: [ReapedTask] = []
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
            all += step.items
            if !step.more || step.items.isEmpty { break }
        }
        return all
    }

    private func purgeAll() async throws(TrackerError) -> [PurgedTask] {
        var all: [PurgedTask] = []
        while !Task.isCancelled {
            let step = try await tracker.purge(limit: configuration.batch)
            purges.increment(by: step.items.count)
            all += step.items
            if !step.more { break }
        }
        return all
    }
}
