package import Belay

/// A tracker as one value: the protocol of the scripts in `lua/` without Redis.
///
/// It is the backend of an in-memory `Tracker` and the reference that the scripts are
/// compared with: the same verbs at the same moments give the same answers. Every verb reads and checks first and changes
/// last, so one that throws has changed nothing.
package struct InMemoryState: Sendable {
    /// The largest payload or result, bytes.
    package let payloadLimit: Int
    var kinds: [KindName: StoredKind] = [:]
    private(set) var tasks: [TaskID: StoredTask] = [:]
    private var indexes: [TaskIndex: ScoredSet<TaskID>] = [:]
    /// Workers by when they were last seen.
    var workers = ScoredSet<String>()
    /// The last claim of each claim loop.
    var grants: [ClaimLane: Grant] = [:]
    /// Who waits for tasks of a kind, by the end of the wait.
    var idle: [KindName: ScoredSet<String>] = [:]
    /// Pauses of kinds; under nil that of the whole tracker.
    var gates: [KindName?: StoredGate] = [:]
    /// What workers told of themselves.
    var beats: [String: StoredBeat] = [:]
    /// Workers that take a kind, by until when they count as alive.
    var takers: [KindName: ScoredSet<String>] = [:]
    /// Finished hooks by name.
    var hooks: [String: DefinedHook] = [:]
    /// Registered segments of pipelines.
    var segments: [TaskTag: StoredSegment] = [:]
    /// How far consumers have read the events.
    var cursors: [String: TrackerEvent.Position] = [:]
    /// What is known of Celery's tasks and workers.
    var fleet = StoredFleet()
    /// Tags, those who wait for others, and contents.
    var kin = Kinship()
    /// What happened.
    var events = EventLog()
    /// How many listen on each worker's wake channel.
    var listeners: [String: Int] = [:]
    /// Messages to wake channels that the verb just applied has sent; whoever applies takes them out.
    package private(set) var messages: [WakeMessage] = []
    /// The moment of the verb that is being applied; it never runs backwards.
    private(set) var now = Timestamp(microseconds: 0)
    /// Whether leases that ran out must not be taken back, because the clock was seen to jump forwards.
    private(set) var isHeld = false
    private var lastTick: Timestamp?
    private var holdUntil = Timestamp(microseconds: 0)
    private var soonReady: [KindName: Int] = [:]

    /// An empty tracker.
    package init(payloadLimit: Int = Limits.defaultPayloadBytes) { self.payloadLimit = payloadLimit }

    /// Applies a verb at a moment and answers as its script would.
    package mutating func apply<V: Verb>(_ verb: V, now moment: Timestamp) throws(TrackerError) -> V.Response {
        guard let known = verb as? any InMemoryVerb else { throw .bug("the in-memory tracker does not know \(V.self)") }
        open(now: moment)
        now = max(moment, lastTick ?? moment)
        isHeld = now < holdUntil
        soonReady = [:]
        messages = []
        kin.begin()
        let answer = try run(known)
        settle()
        events.emit(at: now)
        wakeAll()
        guard let answer = answer as? V.Response else { throw .bug("\(V.self) answered a \(type(of: answer))") }
        return answer
    }

    /// Begins the tracker's time, as its first call does.
    package mutating func open(now: Timestamp) { if lastTick == nil { lastTick = now } }

    private mutating func run<V: InMemoryVerb>(_ verb: V) throws(TrackerError) -> any Sendable {
        try verb.apply(to: &self)
    }
}

/// A verb that the in-memory tracker knows.
protocol InMemoryVerb: Verb {
    /// Does in the state what the verb's script does on the server.
    func apply(to state: inout InMemoryState) throws(TrackerError) -> Response
}

/// One claim loop of one worker.
struct ClaimLane: Hashable, Sendable {
    let worker: String
    let lane: Int
}

/// What a claim gave, kept so that a repeat gives the same.
struct Grant: Sendable {
    let token: String
    let ids: [TaskID]
    /// When a claim of this loop last told that the worker lives.
    let seen: Timestamp
}

/// A message to a worker's wake channel.
package struct WakeMessage: Sendable, Hashable {
    package let worker: String
    package let event: WakeUp
}

// MARK: - Time

extension InMemoryState {
    /// Stores the time, as every script that writes does, once a second.
    mutating func tick() {
        if let last = lastTick, now - last >= .seconds(1) { lastTick = now }
    }

    /// Stores a time above a fence, so that the next task of a deleted id begins above all fences of the one before.
    mutating func tick(above fence: Int) { lastTick = max(now, Timestamp(microseconds: fence + 1)) }

    /// Notices a jump of the clock: it is more than 10 s ahead of what the caller expects.
    mutating func sawJump(from estimate: Timestamp?) -> Bool {
        guard let estimate, now > estimate + .seconds(10) else { return false }
        isHeld = true
        return true
    }

    /// Holds back expired leases for the longest lease of these kinds, at least a minute.
    mutating func hold(for kinds: [KindName]) {
        let leases = kinds.compactMap { self.kinds[$0]?.policy.lease }
        holdUntil = now + max(.seconds(60), leases.max() ?? .zero)
    }
}

// MARK: - Tasks and their places

extension InMemoryState {
    /// An index by the letter of a state, empty when nothing ever stood in it.
    func index(_ letter: Character, _ kind: KindName, _ priority: Int? = nil) -> ScoredSet<TaskID> {
        index(TaskIndex(letter: letter, kind: kind, priority: priority))
    }

    func index(_ index: TaskIndex) -> ScoredSet<TaskID> { indexes[index] ?? ScoredSet() }

    /// The names of the indexes of the tasks of a kind in a state, by its letter.
    func names(of letter: Character, _ kind: KindName) -> [TaskIndex] {
        guard letter == "q" else { return [TaskIndex(letter: letter, kind: kind)] }
        return (kinds[kind]?.priorities ?? []).map { TaskIndex(letter: "q", kind: kind, priority: $0) }
    }

    /// The indexes of the ready tasks of a kind.
    func readyIndexes(_ kind: KindName) -> [ScoredSet<TaskID>] { names(of: "q", kind).map { index($0) } }

    /// Puts a new task in its place: ready or blocked, or ended before it began.
    mutating func create(_ task: StoredTask) {
        let place = task.record.state.isTerminal ? now : task.record.due
        tasks[task.record.id] = task
        indexes[task.index, default: ScoredSet()].insert(task.record.id, score: place.microseconds)
        moved(task, from: nil, to: task.index.letter, at: place)
        if task.record.state == .ready { becameReady(task.record) }
    }

    /// Changes a task in its place.
    mutating func change(_ id: TaskID, _ change: (inout StoredTask) -> Void) {
        if tasks[id] != nil { change(&tasks[id]!) }
    }

    /// Moves a task to a state. The moment is when it is due (ready), its lease's end (running, or paused by its holder), or
    /// now: when it was paused or ended.
    mutating func move(_ id: TaskID, to state: TaskState, at moment: Timestamp? = nil) {
        guard var task = tasks[id] else { return }
        let place = moment ?? now
        let before = task.index
        indexes[before]?.remove(id)
        task.record.state = state
        task.record.leaseExpires = state == .running ? place : state == .paused ? moment : nil
        if state == .ready || state == .blocked { task.record.due = place }
        if state != .running { task.record.updated = now }
        indexes[task.index, default: ScoredSet()].insert(id, score: place.microseconds)
        tasks[id] = task
        moved(task, from: before.letter, to: task.index.letter, at: state == .ready ? place : now)
        if state == .ready { becameReady(task.record) }
    }

    /// Moves the end of a held task's lease.
    mutating func extend(_ id: TaskID, to end: Timestamp) {
        guard let task = tasks[id] else { return }
        indexes[task.index]?.insert(id, score: end.microseconds)
        change(id) { $0.record.leaseExpires = end }
    }

    /// Gives a task another priority; a ready one changes its line.
    mutating func prioritise(_ task: StoredTask, _ priority: Int) {
        let id = task.record.id
        if task.record.state == .ready { indexes[task.index]?.remove(id) }
        kinds[task.record.kind]?.use(priority)
        change(id) { $0.record.priority = priority }
        guard let changed = tasks[id], changed.record.state == .ready else { return }
        indexes[changed.index, default: ScoredSet()].insert(id, score: changed.record.due.microseconds)
        becameReady(changed.record)
    }

    /// Adds a line to a task's log, at this moment.
    mutating func log(
        _ id: TaskID,
        _ event: String,
        _ state: TaskState? = nil,
        by actor: String,
        _ message: String,
        nonce: String = "-"
    ) {
        let line = LogLine(time: now, event: event, state: state, actor: actor, message: message)
        change(id) { $0.log(line, nonce: nonce) }
    }

    /// Deletes everything; who listens still listens.
    mutating func empty() {
        var (listeners, events) = (listeners, events)
        events.empty()
        self = InMemoryState(payloadLimit: payloadLimit)
        (self.listeners, self.events) = (listeners, events)
    }

    /// Deletes a task.
    mutating func delete(_ id: TaskID) {
        guard let task = tasks.removeValue(forKey: id) else { return }
        indexes[task.index]?.remove(id)
        moved(task, from: task.index.letter, to: "-", at: now)
    }
}

// MARK: - Wake-ups

extension InMemoryState {
    private mutating func becameReady(_ record: TaskRecord) {
        if record.due <= now + .seconds(1) { soonReady[record.kind, default: 0] += 1 }
    }

    /// Tells everybody who waits for tasks of a kind, at most 500.
    mutating func wakeIdle(_ kind: KindName) { soonReady[kind] = 500 }

    /// Tells a worker that a task it holds was cancelled.
    mutating func tellCancelled(_ worker: String) { publish(.cancel, to: worker) }

    @discardableResult
    private mutating func publish(_ event: WakeUp, to worker: String) -> Bool {
        messages.append(WakeMessage(worker: worker, event: event))
        return listeners[worker, default: 0] > 0
    }

    /// One task wakes one worker; one that no longer listens is passed over, at most 8 times a kind.
    private mutating func wakeAll() {
        for (kind, count) in soonReady {
            var (left, passed) = (count, 0)
            while left > 0, passed < 8, let worker = idle[kind]?.removeFirst()?.member {
                if publish(.ready, to: worker) { left -= 1 } else { passed += 1 }
            }
        }
    }
}
