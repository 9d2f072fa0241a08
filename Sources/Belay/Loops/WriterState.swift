/// Tasks that go out in one call.
struct WriterBatch: Sendable {
    private(set) var tasks: [PreparedTask]
    private var size: Int
    private var own: Set<TaskID> = []
    /// When the first was put in.
    let began: ContinuousClock.Instant

    init(_ first: PreparedTask, at now: ContinuousClock.Instant) {
        tasks = []
        size = 0
        began = now
        add(first)
    }

    var isFull: Bool { tasks.count >= Limits.batch || size >= Limits.gatheredBytes }

    /// Whether a task may go with the others. Two of the caller's ids that are equal may not: the nonce of a request that is
    /// sent again could not tell which of them it made.
    func takes(_ task: PreparedTask) -> Bool {
        !isFull && size + task.bytes <= Limits.gatheredBytes && !(task.isOwn && own.contains(task.item.id))
    }

    mutating func add(_ task: PreparedTask) {
        tasks.append(task)
        size += task.bytes
        if task.isOwn { own.insert(task.item.id) }
    }
}

/// What a buffered writer decides by: a pure value.
struct WriterState {
    /// Somebody who waits: told true when what was waited for came.
    typealias Waiter = CheckedContinuation<Bool, Never>

    enum Step {
        case write(WriterBatch)
        /// More may come until then.
        case gather(Duration)
        case wait
        case end
    }

    enum Put: Hashable {
        /// It is in; whether the writing loop may have to act now.
        case accepted(isUrgent: Bool)
        case full
        case closed
    }

    let capacity: Int
    let capacityBytes: Int
    let flushInterval: Duration
    /// Tasks that were put in and have no outcome yet.
    private(set) var pending = 0
    private(set) var isClosed = false
    /// Nothing is written any more.
    private(set) var isOver = false
    private var isRunning = false
    private var bytes = 0
    private var batches: [WriterBatch] = []
    private var accepted = 0
    private var numbers = 0
    private var producers: [(number: Int, task: PreparedTask, waiter: Waiter)] = []
    /// Wait until so many tasks have their outcome; nil for all, also those of waiting producers.
    private var flushes: [(number: Int, count: Int?, waiter: Waiter)] = []

    init(capacity: Int, capacityBytes: Int, flushInterval: Duration) {
        self.capacity = capacity
        self.capacityBytes = capacityBytes
        self.flushInterval = flushInterval
    }

    private func hasRoom(for task: PreparedTask) -> Bool {
        pending == 0 || pending < capacity && bytes + task.bytes <= capacityBytes
    }

    /// Only the first may run.
    mutating func begin() -> Bool {
        defer { isRunning = true }
        return !isRunning
    }

    mutating func close() { isClosed = true }

    /// Takes a task when there is room, and nobody waits for it.
    mutating func put(_ task: PreparedTask, at now: ContinuousClock.Instant = .now) -> Put {
        if isClosed { return .closed }
        guard producers.isEmpty, hasRoom(for: task) else { return .full }
        accept(task, at: now)
        return .accepted(isUrgent: pending == 1 || batches.count > 1 || batches[0].isFull)
    }

    private mutating func accept(_ task: PreparedTask, at now: ContinuousClock.Instant) {
        if let last = batches.indices.last, batches[last].takes(task) {
            batches[last].add(task)
        } else {
            batches.append(WriterBatch(task, at: now))
        }
        pending += 1
        accepted += 1
        bytes += task.bytes
    }

    mutating func nextNumber() -> Int {
        numbers += 1
        return numbers
    }

    /// Lets a producer wait for room; answers at once when there is no need to.
    mutating func wait(_ number: Int, with task: PreparedTask, _ waiter: Waiter) -> Bool? {
        switch put(task) {
        case .accepted: return true
        case .closed: return false
        case .full:
            producers.append((number, task, waiter))
            return nil
        }
    }

    /// Lets somebody wait until all that is in now, or in the end, has its outcome; answers at once when it has.
    mutating func wait(_ number: Int, forEnd: Bool, _ waiter: Waiter) -> Bool? {
        if isOver || pending == 0 && (!forEnd || producers.isEmpty) { return true }
        flushes.append((number, forEnd ? nil : accepted, waiter))
        return nil
    }

    /// Somebody does not wait any longer.
    mutating func giveUp(_ number: Int) -> Waiter? {
        if let place = producers.firstIndex(where: { $0.number == number }) {
            return producers.remove(at: place).waiter
        }
        if let place = flushes.firstIndex(where: { $0.number == number }) { return flushes.remove(at: place).waiter }
        return nil
    }

    /// What to do now.
    mutating func next(at now: ContinuousClock.Instant = .now) -> Step {
        guard let first = batches.first else {
            guard isClosed, producers.isEmpty else { return .wait }
            isOver = true
            return .end
        }
        let isDue = isClosed || !flushes.isEmpty || !producers.isEmpty || batches.count > 1 || first.isFull
        let left = now.duration(to: first.began + flushInterval)
        guard isDue || left <= .zero else { return .gather(left) }
        return .write(batches.removeFirst())
    }

    /// Notes that tasks have their outcome. Answers who need not wait any longer.
    mutating func written(_ batch: WriterBatch) -> [Waiter] {
        pending -= batch.tasks.count
        bytes -= batch.tasks.reduce(0) { $0 + $1.bytes }
        var ready: [Waiter] = []
        while let first = producers.first, hasRoom(for: first.task) {
            accept(first.task, at: .now)
            ready.append(producers.removeFirst().waiter)
        }
        let done = accepted - pending
        flushes.removeAll { flush in
            let isDone = flush.count.map { $0 <= done } ?? (pending == 0 && producers.isEmpty)
            if isDone { ready.append(flush.waiter) }
            return isDone
        }
        return ready
    }
}

extension PreparedTask {
    fileprivate var bytes: Int { item.payload.bytes.count }
}
