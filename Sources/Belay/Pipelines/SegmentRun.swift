/// Where one segment stands in a run of its pipeline. It decides, and does nothing itself.
struct SegmentRun: Sendable {
    /// A task to be created.
    struct NewInput: Sendable {
        var id: TaskID
        var payload: Body
        var parents: [TaskID]
    }

    let segment: Segment
    let instance: TaskTag
    /// What keeps the tasks of its pipeline in one partition; nil on a tracker of one.
    let key: TaskTag?
    /// Its tasks in the order of their inputs.
    private(set) var tasks: [TaskID] = []
    private var known: Set<TaskID> = []
    /// Those of them that have not ended as far as was seen, in the same order.
    private(set) var pending: [TaskID] = []
    private(set) var products: [TaskID: Body] = [:]
    /// Whether no further tasks will come.
    private(set) var isClosed = false
    /// Whether somebody waits for its first products.
    var isWatchedClosely = false
    /// So many products of the parents were there when inputs were made last; -1 when none were made.
    private var seenProducts = -1
    private(set) var report: PipelineReport.Segment
    private var joined: Set<TaskID> = []
    /// The counts when its tasks were last looked at.
    var lastCounts: TagCounts?

    init(_ segment: Segment, instance: TaskTag, key: TaskTag? = nil) {
        self.segment = segment
        self.instance = instance
        self.key = key
        report = PipelineReport.Segment(instance: instance)
    }

    /// Whether all there will ever be has ended.
    var isOver: Bool { isClosed && pending.isEmpty }
    private var ended: Int { tasks.count - pending.count }

    // MARK: Inputs

    /// The tasks of an orphan's inputs; none when they were made already.
    mutating func inputs(given bodies: [Body]) throws(TrackerError) -> [NewInput] {
        guard !isClosed else { return [] }
        guard bodies.count <= Limits.products else {
            throw TrackerError(
                .tooLarge,
                "segment “\(segment.name)” has \(bodies.count) inputs; allowed: \(Limits.products)"
            )
        }
        isClosed = true
        return add(
            bodies.map { NewInput(id: SegmentTask.id(instance, input: [$0], key: key), payload: $0, parents: []) }
        )
    }

    /// The tasks that can be created now; none while the parents have not ended as far as it takes.
    mutating func inputs(from parents: [SegmentRun]) throws -> [NewInput] {
        guard !isClosed, isStarted(parents) else { return [] }
        let areOver = parents.allSatisfy(\.isOver)
        let available = parents.reduce(0) { $0 + $1.products.count }
        if available == 0, !areOver { return [] }
        // What gathers takes what there is once.
        isClosed = areOver || !segment.rule.isIncremental
        guard available != seenProducts else { return [] }
        seenProducts = available
        let inputs = try segment.rule.inputs(of: parents.map(\.inOrder), segment: segment.name)
        return add(
            try inputs.map { input in
                NewInput(
                    id: SegmentTask.id(instance, input: input.products.map(\.body), group: input.group, key: key),
                    payload: try Body(encoding: SegmentPayload(input)),
                    parents: input.products.count <= Limits.parents ? input.products.map(\.task) : []
                )
            }
        )
    }

    private func isStarted(_ parents: [SegmentRun]) -> Bool {
        if parents.allSatisfy(\.isOver) { return true }
        switch segment.start {
        case .all: return false
        case .any: return parents.contains { $0.ended > 0 }
        case .share(let share):
            let (ended, all) = parents.reduce((0, 0)) { ($0.0 + $1.ended, $0.1 + $1.tasks.count) }
            return parents.allSatisfy(\.isClosed) && Double(ended) >= (share * Double(all)).rounded(.up)
        }
    }

    private var inOrder: [Product?] {
        tasks.map { id in products[id].map { Product(segment: segment.name, task: id, body: $0) } }
    }

    /// The same input twice is one task.
    private mutating func add(_ inputs: [NewInput]) -> [NewInput] {
        let fresh = inputs.filter { known.insert($0.id).inserted }
        tasks += fresh.map(\.id)
        pending += fresh.map(\.id)
        return fresh
    }

    // MARK: Outcomes

    /// Notes what an enqueue did.
    mutating func note(_ outcome: EnqueueOutcome) {
        switch outcome {
        case .created: report.created += 1
        case .reused: report.reused += 1
        case .existing(let id), .duplicate(let id), .deduplicated(let id, _):
            report.joined += 1
            joined.insert(id)
        case .full: break
        }
    }

    /// Notes where tasks stand, in the order of `pending` from a place on.
    /// - Parameter retriesFailed: Whether tasks that another run left failed are to be tried again, once.
    /// - Returns: How many are pending still, and those to be retried.
    mutating func note(
        _ records: [TaskRecord?],
        from place: Int,
        retriesFailed: Bool
    ) -> (left: Int, retry: [TaskID]) {
        var (left, retry): ([TaskID], [TaskID]) = ([], [])
        for (id, record) in zip(pending[place...], records) {
            switch record.map({ SegmentStatus($0.state) }) {
            case .queued?, .running?: left.append(id)
            // Output counts only when it is done.
            case .done?: products[id] = record?.result ?? .empty
            case .failed? where retriesFailed && joined.remove(id) != nil:
                left.append(id)
                retry.append(id)
            case .failed?, nil: report.failed += 1
            }
        }
        pending.replaceSubrange(place..<place + records.count, with: left)
        return (left.count, retry)
    }

    /// What became of it.
    var finalReport: PipelineReport.Segment {
        var report = report
        report.tasks = tasks.count
        report.done = products.count
        return report
    }
}
