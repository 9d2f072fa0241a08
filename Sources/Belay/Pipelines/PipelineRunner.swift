import Logging
public import ServiceLifecycle

/// Drives a pipeline from its inputs to its last products: creates the tasks of each segment when its parents are so far.
///
/// It holds nothing that is not in the tracker: ids come from inputs, so a runner that was killed is started again and goes on
/// where it was, two may run at once, and products that exist are used again. The work itself is done by workers with a
/// ``Segment/handler(on:_:)`` for each segment.
public final class PipelineRunner: Service, Sendable {
    /// How a runner works.
    public struct Configuration: Sendable {
        /// The pause between looks at the tasks. Default 100 ms; 10 ms to 1 h.
        public var interval: Duration = .milliseconds(100)
        /// Whether tasks that an earlier run left without a product are tried again. Default false: they stay as they are.
        public var retriesFailed = false
        /// The clock of its pauses.
        public var clock: any Clock<Duration> = ContinuousClock()

        /// All defaults.
        public init() {}
    }

    private let tracker: Tracker
    private let pipeline: Pipeline
    private let inputs: [String: [Body]]
    private let configuration: Configuration

    /// A runner; nothing happens before ``run()`` or ``execute()``.
    /// - Parameters:
    ///   - inputs: What the orphans work on, by their names; at most 100,000 each. The same input twice is one task.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for inputs of a segment that has parents or that there is not.
    public init(
        _ tracker: Tracker,
        _ pipeline: Pipeline,
        inputs: [String: [Body]],
        configuration: Configuration = Configuration()
    ) throws(TrackerError) {
        guard (.milliseconds(10) ... .seconds(3600)).contains(configuration.interval) else {
            throw .invalid("pipeline interval", configuration.interval, allowed: "10 ms to 1 h")
        }
        let orphans = pipeline.segments.filter(\.parents.isEmpty).map(\.name)
        if let other = inputs.keys.sorted().first(where: { !orphans.contains($0) }) {
            let allowed = "segments without parents: \(orphans.joined(separator: ", "))"
            throw .invalid("inputs of segment", other, allowed: allowed)
        }
        self.tracker = tracker
        self.pipeline = pipeline
        self.inputs = inputs
        self.configuration = configuration
    }

    /// Runs the pipeline to its end, or until graceful shutdown or cancellation.
    /// - Throws: As ``execute()``.
    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                let report = try await self.execute()
                self.tracker.logger.info(
                    "pipeline ended",
                    metadata: [
                        "created": "\(report.created)", "reused": "\(report.reused)", "done": "\(report.done)",
                        "failed": "\(report.failed)",
                    ]
                )
            } catch {
                guard Task.isCancelled else { throw error }
            }
        }
    }

    /// Runs the pipeline to its end: until each segment has all of its tasks, and these have ended. A server that is away is
    /// waited for.
    /// - Returns: What it came to; failed tasks are told there.
    /// - Throws: ``TrackerError`` (`tooLarge` for a segment with too many inputs, before anything of it is created; or of the
    ///   server), `CancellationError`, or what the functions of rules throw.
    public func execute() async throws -> PipelineReport {
        var runs: [SegmentRun] = []
        let partitions = try await patiently { try await self.tracker.backend.partitions }
        let key = partitions > 1 ? pipeline.key : nil
        for segment in pipeline.segments {
            runs.append(SegmentRun(segment, instance: pipeline.tag(of: segment), key: key))
        }
        for (place, run) in runs.enumerated() {
            let children = runs.filter { $0.segment.parents.contains(run.segment.name) }
            runs[place].isWatchedClosely = children.contains { $0.segment.start != .all }
        }
        try await patiently { try await self.tracker.registerSegments(of: self.pipeline) }
        var round = 0
        while true {
            for place in runs.indices { runs[place] = try await advanced(runs[place], among: runs) }
            if runs.allSatisfy(\.isOver) { break }
            try await configuration.clock.sleep(for: configuration.interval)
            round += 1
            // Counts that are the same may hide a task that ended and another that was deleted.
            try await look(&runs, whateverCounts: round.isMultiple(of: 50))
        }
        return PipelineReport(segments: runs.map(\.finalReport))
    }

    /// Deletes all tasks of the pipeline's segments that have not ended, running ones too; products stay. Their holders are
    /// refused from then on. Not while another runner works on the same segments.
    public func clean() async throws(TrackerError) -> TagChange {
        var change = TagChange()
        for segment in pipeline.segments {
            change.changed += try await tracker.clean(tag: pipeline.tag(of: segment)).changed
        }
        return change
    }

    /// Takes running tasks of the pipeline's segments from their holders and makes them ready: after a crash of everything,
    /// without waiting for the leases.
    public func recover() async throws(TrackerError) -> TagChange {
        var change = TagChange()
        for segment in pipeline.segments {
            change.changed += try await tracker.recover(tag: pipeline.tag(of: segment)).changed
        }
        return change
    }

    // MARK: One round

    /// Creates what a segment can have by now.
    private func advanced(_ run: SegmentRun, among runs: [SegmentRun]) async throws -> SegmentRun {
        var run = run
        let fresh: [SegmentRun.NewInput]
        if run.segment.parents.isEmpty {
            fresh = try run.inputs(given: inputs[run.segment.name] ?? [])
        } else {
            let parents = run.segment.parents.compactMap { name in runs.first { $0.segment.name == name } }
            fresh = try run.inputs(from: parents)
        }
        for batch in Self.batches(fresh) {
            for outcome in try await enqueue(batch, of: run) { run.note(outcome) }
        }
        return run
    }

    /// In pieces of at most 500 tasks, 5,000 parents and about 8 MiB.
    static func batches(_ inputs: [SegmentRun.NewInput]) -> [[SegmentRun.NewInput]] {
        var batches: [[SegmentRun.NewInput]] = []
        var (parents, bytes) = (0, 0)
        for input in inputs {
            (parents, bytes) = (parents + input.parents.count, bytes + input.payload.bytes.count)
            let isFull = batches.last.map { $0.count == Limits.batch || parents > 5000 || bytes > 8 << 20 } ?? true
            if isFull {
                batches.append([])
                (parents, bytes) = (input.parents.count, input.payload.bytes.count)
            }
            batches[batches.count - 1].append(input)
        }
        return batches
    }

    /// Creates tasks; what a full queue refuses is sent again when there is room.
    private func enqueue(_ inputs: [SegmentRun.NewInput], of run: SegmentRun) async throws -> [EnqueueOutcome] {
        let segment = run.segment
        var left: [PreparedTask] = []
        for input in inputs {
            let options = EnqueueOptions(
                id: input.id,
                ifExists: .returnExisting,
                tags: [run.instance] + (segment.tag.map { [$0] } ?? []),
                after: input.parents.isEmpty ? nil : Dependencies(input.parents.map { .task($0) }),
                reuse: true
            )
            let task = NewTask(segment.kind, payload: input.payload, options: options)
            left.append(try await tracker.prepare(task, policy: segment.policy, trace: tracker.currentTrace()))
        }
        var outcomes: [EnqueueOutcome] = []
        while !left.isEmpty {
            let (tasks, nonce) = (left, Host.nonce())
            let answers = try await patiently { try await self.tracker.enqueue(tasks, nonce: nonce, message: "") }
            left = zip(left, answers).filter { if case .full = $0.1 { true } else { false } }.map(\.0)
            outcomes += answers.filter { if case .full = $0 { false } else { true } }
            if !left.isEmpty { try await configuration.clock.sleep(for: configuration.interval) }
        }
        return outcomes
    }

    /// Looks where the tasks of all segments stand that have any which had not ended.
    private func look(_ runs: inout [SegmentRun], whateverCounts isForced: Bool) async throws {
        let places = runs.indices.filter { !runs[$0].pending.isEmpty }
        for start in stride(from: 0, to: places.count, by: Limits.tagsPerQuery) {
            let some = places[start..<min(start + Limits.tagsPerQuery, places.count)]
            let tags = some.map { runs[$0].instance }
            let counts = try await patiently { try await self.tracker.counts(ofTags: tags) }
            for (place, counts) in zip(some, counts) where isForced || runs[place].lastCounts != counts {
                runs[place] = try await looked(at: runs[place])
                runs[place].lastCounts = counts
            }
        }
    }

    /// Looks at the tasks of a segment from the first on that had not ended; not further than where work goes on, unless
    /// somebody waits for first products.
    private func looked(at run: SegmentRun) async throws -> SegmentRun {
        var (run, place) = (run, 0)
        while place < run.pending.count {
            let ids = Array(run.pending[place..<min(place + 100, run.pending.count)])
            let records = try await patiently { try await self.tracker.get(ids) }
            let (left, retry) = run.note(records, from: place, retriesFailed: configuration.retriesFailed)
            if !retry.isEmpty { _ = try await patiently { try await self.tracker.retry(retry) } }
            place += left
            if left == ids.count, !run.isWatchedClosely { break }
        }
        return run
    }

    /// Waits for a server that is away.
    private func patiently<T>(_ call: () async throws -> T) async throws -> T {
        var isAway = false
        while true {
            do {
                return try await call()
            } catch {
                try Task.checkCancellation()
                guard let error = error as? TrackerError, error.isRetriable else { throw error }
                if !isAway { tracker.logger.warning("pipeline waits for the server", metadata: ["error": "\(error)"]) }
                isAway = true
            }
            try await configuration.clock.sleep(for: max(configuration.interval, .milliseconds(100)))
        }
    }
}
