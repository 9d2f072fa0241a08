import Logging
import Metrics
public import ServiceLifecycle

/// Acts on the hooks of a tracker: reads the events, and for each end of a task that a rule is about creates the rule's task.
///
/// Any number of runners may run at once, and each may die at any moment: a task's id follows from the rule and the event,
/// so it is created once however often it is asked for, as long as tasks of its kind are kept. How far the events were read
/// is kept in the tracker. A webhook is a task of the kind ``Webhook/kind``, for which a worker must run.
///
/// A rule sees every end since it was defined, as long as the events are kept: about the last 10,000 calls. When a kind's
/// queue is full, the runner waits until there is room. An action that can never be done, such as a task of a kind that was
/// removed, is logged as an error and passed over.
public final class HookRunner: Service, Sendable {
    /// How a runner works.
    public struct Configuration: Sendable {
        /// How often to look while nothing happens. Default 250 ms; 10 ms to 60 s.
        public var pollInterval: Duration = .milliseconds(250)
        /// The clock of its pauses.
        public var clock: any Clock<Duration> = ContinuousClock()

        /// All defaults.
        public init() {}
    }

    /// The name under which the position of hooks is kept.
    package static let consumer = "hooks"

    private let tracker: Tracker
    private let configuration: Configuration
    private let describe: @Sendable (HookFiring) throws -> Body
    private let fired = Counter(label: "belay.hooks.fired")

    /// A runner; nothing happens before ``run()`` or ``catchUp()``.
    /// - Parameters:
    ///   - tracker: The tracker.
    ///   - configuration: How it works.
    ///   - describe: Makes the document that tells of an end: the payload of webhooks, and of tasks without one of their
    ///     own. The service library has one that writes JSON.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a value out of range.
    public init(
        _ tracker: Tracker,
        configuration: Configuration = Configuration(),
        describing describe: @escaping @Sendable (HookFiring) throws -> Body
    ) throws(TrackerError) {
        guard (.milliseconds(10) ... .seconds(60)).contains(configuration.pollInterval) else {
            throw .invalid("poll interval", configuration.pollInterval, allowed: "10 ms to 60 s")
        }
        self.tracker = tracker
        self.configuration = configuration
        self.describe = describe
    }

    /// Acts until graceful shutdown or cancellation; an error of the server is logged once, and tried again.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var reader = Reader()
            var isAway = false
            while !Task.isCancelled {
                do throws(TrackerError) {
                    let step = try await self.step(&reader)
                    isAway = false
                    if !step.isIdle { continue }
                } catch {
                    if !isAway, error.code != .cancelled {
                        self.tracker.logger.warning(
                            "cannot act on hooks, trying again",
                            metadata: ["error": "\(error)"]
                        )
                    }
                    isAway = true
                }
                try? await self.configuration.clock.sleep(for: self.configuration.pollInterval)
            }
        }
    }

    /// Acts on everything that has ended until now.
    /// - Returns: How many tasks were created.
    /// - Throws: ``TrackerError`` (`full` when the queue of a rule's kind is, or of the server).
    @discardableResult
    public func catchUp() async throws(TrackerError) -> Int {
        var reader = Reader()
        var count = 0
        while true {
            let step = try await step(&reader)
            count += step.fired
            if step.isIdle { return count }
        }
    }

    // MARK: Reading

    /// How far a runner has come.
    private struct Reader {
        /// The position that is kept in the tracker, as it was last seen.
        var stored: TrackerEvent.Position?
        /// Where to read on; nil before the position was read.
        var start: EventStart?

        mutating func go(on position: TrackerEvent.Position?) {
            stored = position
            start = position.map { .after($0) } ?? .oldest
        }
    }

    /// Entries of the stream, and ends of tasks, that are looked at together. Records may be large.
    private static let (entries, ends) = (200, 20)

    private func step(_ reader: inout Reader) async throws(TrackerError) -> (fired: Int, isIdle: Bool) {
        guard let start = reader.start else {
            reader.go(on: try await tracker.hooks().position)
            return (0, false)
        }
        let page = try await tracker.events(from: start, limit: Self.entries)
        if page.isLost {
            tracker.logger.warning(
                "events were dropped before hooks could act on them, going on with the oldest",
                metadata: ["position": "\(page.position.map(\.description) ?? "")"]
            )
            if page.events.isEmpty { reader.start = .oldest }
        }
        guard !page.events.isEmpty, let last = page.position else { return (0, true) }
        // Read after the events, so that no rule is missing that stood when one of them happened.
        let list = try await tracker.hooks()
        guard list.position == reader.stored else {
            reader.go(on: list.position)
            return (0, false)
        }
        let ends = Self.ends(in: page.events, list.hooks)
        var fired = 0
        for begin in stride(from: 0, to: ends.count, by: Self.ends) {
            let batch = ends[begin..<min(begin + Self.ends, ends.count)]
            fired += try await act(on: batch)
            guard try await advance(&reader, to: batch[batch.endIndex - 1].event.position) else {
                return (fired, false)
            }
        }
        _ = try await advance(&reader, to: last)
        return (fired, false)
    }

    /// Keeps how far the events were read. Answers false when another runner was faster; then it goes on where that one is.
    private func advance(_ reader: inout Reader, to position: TrackerEvent.Position) async throws(TrackerError) -> Bool
    {
        if reader.stored == position { return true }
        switch try await tracker.perform(Advance(consumer: Self.consumer, from: reader.stored, to: position)) {
        case .kept:
            reader.go(on: position)
            return true
        case .stale(let other):
            reader.go(on: other)
            return false
        }
    }

    // MARK: Acting

    /// An end of a task, and the rules that may be about it.
    private struct End {
        let event: TrackerEvent
        let id: TaskID
        let kind: KindName
        let state: TaskState
        let rules: [HookRule]
    }

    private static func ends(in events: [TrackerEvent], _ hooks: [DefinedHook]) -> [End] {
        events.compactMap { event in
            guard let state = event.endState, let id = event.task, let kind = event.kind, kind != Webhook.kind else {
                return nil
            }
            let rules = hooks.filter { $0.since <= event.time && $0.rule.condition.matches(state, of: kind) }.map(
                \.rule
            )
            return rules.isEmpty ? nil : End(event: event, id: id, kind: kind, state: state, rules: rules)
        }
    }

    private func act(on ends: ArraySlice<End>) async throws(TrackerError) -> Int {
        let records = try await tracker.get(ends.map(\.id))
        let limit = try await tracker.backend.payloadLimit
        var tasks: [NewTask] = []
        var webhooks: [NewTask] = []
        for (end, record) in zip(ends, records) {
            for rule in end.rules where rule.condition.matches(record) {
                let options = EnqueueOptions(id: Self.id(rule, end), ifExists: .returnExisting)
                let firing = HookFiring(hook: rule.name, event: end.event, state: end.state, task: record)
                switch rule.action {
                case .enqueue(let task):
                    let own = task.body(id: end.id, kind: end.kind, state: end.state)
                    guard let payload = own ?? document(firing, limit) else { continue }
                    tasks.append(NewTask(task.kind, payload: payload, options: options))
                case .webhook:
                    guard let payload = document(firing, limit) else { continue }
                    webhooks.append(NewTask(Webhook.kind, payload: payload, options: options))
                }
            }
        }
        return try await enqueue(tasks, nil) + enqueue(webhooks, Webhook.policy)
    }

    /// The id of a rule's task: the same for the same rule and event. The event alone tells ends apart, so the id of the
    /// task that ended may be shortened.
    private static func id(_ rule: HookRule, _ end: End) -> TaskID {
        let (head, tail) = ("hook/\(rule.name)/", "/\(end.event.position.own)")
        let room = Limits.idBytes - head.utf8.count - tail.utf8.count
        return TaskID(trusted: head + FailureText.shorten(end.id.description, to: room) + tail)
    }

    /// The document that tells of an end; without the task's bytes where they would be too many.
    private func document(_ firing: HookFiring, _ limit: Int) -> Body? {
        do {
            let body = try describe(firing)
            guard body.bytes.count > limit else { return body }
            var firing = firing
            firing.isShortened = true
            firing.task?.payload = nil
            firing.task?.result = nil
            firing.task?.data = nil
            return try describe(firing)
        } catch {
            report(TaskID(trusted: firing.event.task?.description ?? ""), "\(error)")
            return nil
        }
    }

    /// Creates tasks, at most 100 in one call. One that can never be created is reported, and the others are created.
    private func enqueue(_ tasks: [NewTask], _ policy: KindPolicy?) async throws(TrackerError) -> Int {
        var created = 0
        for begin in stride(from: 0, to: tasks.count, by: 100) {
            let batch = Array(tasks[begin..<min(begin + 100, tasks.count)])
            do {
                created += try await enqueueBatch(batch, policy)
            } catch {
                guard [.unknownKind, .tooLarge, .invalidArgument].contains(error.code) else { throw error }
                for task in batch {
                    do {
                        created += try await enqueueBatch([task], policy)
                    } catch {
                        guard [.unknownKind, .tooLarge, .invalidArgument].contains(error.code) else { throw error }
                        report(task.options.id ?? TaskID(trusted: ""), error.message)
                    }
                }
            }
        }
        return created
    }

    private func enqueueBatch(_ tasks: [NewTask], _ policy: KindPolicy?) async throws(TrackerError) -> Int {
        var created = 0
        for outcome in try await tracker.enqueue(tasks, policy: policy) {
            switch outcome {
            case .created: created += 1
            case .full(let id, let limit):
                throw TrackerError(
                    .full,
                    "task “\(id)” of a hook cannot be created: \(limit) tasks of its kind wait, which is the limit",
                    isRetriable: true
                )
            default: break
            }
        }
        fired.increment(by: created)
        return created
    }

    private func report(_ id: TaskID, _ reason: String) {
        tracker.logger.error(
            "a hook's task cannot be created, passed over",
            metadata: ["task-id": "\(id)", "error": "\(reason)"]
        )
    }
}
