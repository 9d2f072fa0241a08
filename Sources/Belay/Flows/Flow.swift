/// Tasks that follow one another, created in one call: chains, fan-outs and fan-ins, and groups with callbacks.
///
/// ```swift
/// var flow = try Flow()
/// let fetch = try flow.add(fetching, Source(url: url))
/// let pages = try flow.group(rendering, pageNumbers, after: [fetch], when: .success)
/// try flow.add(binding, Book(id: 7), after: [pages], when: .success)
/// try flow.add(alarms, "a page failed", after: [pages], when: .exhausted)
/// try await tracker.enqueue(flow)
/// print(try await tracker.counts(ofTags: [flow.tag])[0].progress)
/// ```
///
/// All of its tasks carry ``tag``, so the whole is counted, cancelled and retried by it. A step may be named and followed
/// by its name before it is added; a cycle or an unknown name is refused before anything is sent.
public struct Flow: Sendable {
    /// A step, or a group of tasks, that others may follow: by the name it was added with, as a literal too.
    public struct Step: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
        /// Its name.
        public let description: String

        /// The step of that name, which may be added later.
        public init(_ name: String) { description = name }
        /// The step of that name.
        public init(stringLiteral name: String) { description = name }
    }

    /// What must have become of the steps before, so that a step runs.
    public enum Trigger: String, Sendable, Hashable, Codable, CaseIterable {
        /// They have ended; failures are ignored. The default.
        case complete
        /// They succeeded; when that is not possible any more, the step is cancelled, and so fails for those that follow it.
        case success
        /// One of them failed; when none can any more, the step is cancelled.
        case exhausted
        /// They have ended, or one of them failed while the others go on.
        case completeOrFailure

        var condition: Dependencies.Condition {
            switch self {
            case .complete: .ended
            case .success: .succeeded
            case .exhausted: .failed
            case .completeOrFailure: .endedOrFirstFailure
            }
        }
    }

    /// The name of the whole: 1 to 20 of `A-Z a-z 0-9 . _ -`, made up unless given.
    public let id: String
    /// The tag of all its tasks: `flow/` and the id.
    public let tag: TaskTag
    private var entries: [Entry] = []

    /// One step, or one group.
    private struct Entry: Sendable {
        var name: String
        var tasks: [NewTask]
        var policy: KindPolicy?
        var isGroup: Bool
        var after: [Step]
        var trigger: Trigger
        var quorum: Dependencies.Quorum
    }

    /// A flow without steps.
    /// - Parameter id: Its name; a flow of the same name that is sent again creates nothing that exists already.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for a name that is not allowed.
    public init(_ id: String? = nil) throws(TrackerError) {
        self.id = id ?? Host.nonce()
        guard Names.isName(self.id, extra: "._-", limit: 20) else {
            throw .invalid("flow", self.id, allowed: "1 to 20 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")
        }
        tag = TaskTag(trusted: "flow/\(self.id)")
    }

    // MARK: Describing

    /// Adds a step of a Swift kind.
    /// - Parameters:
    ///   - name: Its name, 1 to 36 of `A-Z a-z 0-9 . _ : -`; made of the kind's unless given.
    ///   - steps: What it follows, at most 100. A step that is followed by many is a fan-out, one that follows many a fan-in.
    ///   - trigger: What must have become of them.
    ///   - quorum: How many of them it takes; all, and of failures one, unless said otherwise.
    ///   - options: As of any task, but for what it follows.
    /// - Throws: ``TrackerError`` (`payload`, `invalidArgument`).
    @discardableResult
    public mutating func add<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ payload: Payload,
        as name: String? = nil,
        after steps: [Step] = [],
        when trigger: Trigger = .complete,
        quorum: Dependencies.Quorum? = nil,
        options: EnqueueOptions = EnqueueOptions()
    ) throws(TrackerError) -> Step {
        let task = NewTask(kind.name, payload: try Body(encoding: payload), options: options)
        return try add(task, as: name, after: steps, when: trigger, quorum: quorum, policy: kind.policy)
    }

    /// Adds a step of any kind.
    /// - Parameter policy: What to define the kind with where the tracker does not know it; nil to refuse that.
    /// - Throws: ``TrackerError`` (`invalidArgument`).
    @discardableResult
    public mutating func add(
        _ task: NewTask,
        as name: String? = nil,
        after steps: [Step] = [],
        when trigger: Trigger = .complete,
        quorum: Dependencies.Quorum? = nil,
        policy: KindPolicy? = nil
    ) throws(TrackerError) -> Step {
        try append([task], false, name, steps, trigger, quorum, policy)
    }

    /// Adds a group: tasks of a Swift kind, one for each payload. A step that follows the group is called back once for all of
    /// them: when they are complete, when all succeeded, or when one failed.
    /// - Throws: ``TrackerError`` (`payload`; `invalidArgument`, for a group of none, too).
    @discardableResult
    public mutating func group<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ payloads: [Payload],
        as name: String? = nil,
        after steps: [Step] = [],
        when trigger: Trigger = .complete,
        quorum: Dependencies.Quorum? = nil,
        options: EnqueueOptions = EnqueueOptions()
    ) throws(TrackerError) -> Step {
        var tasks: [NewTask] = []
        for payload in payloads {
            tasks.append(NewTask(kind.name, payload: try Body(encoding: payload), options: options))
        }
        return try group(tasks, as: name, after: steps, when: trigger, quorum: quorum, policy: kind.policy)
    }

    /// Adds a group of tasks of any kinds.
    /// - Throws: ``TrackerError`` (`invalidArgument`).
    @discardableResult
    public mutating func group(
        _ tasks: [NewTask],
        as name: String? = nil,
        after steps: [Step] = [],
        when trigger: Trigger = .complete,
        quorum: Dependencies.Quorum? = nil,
        policy: KindPolicy? = nil
    ) throws(TrackerError) -> Step {
        try append(tasks, true, name, steps, trigger, quorum, policy)
    }

    /// Adds steps of a Swift kind that follow one another, one for each payload.
    /// - Returns: The last of them.
    /// - Throws: ``TrackerError`` (`payload`; `invalidArgument`, for a chain of none, too).
    @discardableResult
    public mutating func chain<Payload, Output>(
        _ kind: TaskKind<Payload, Output>,
        _ payloads: [Payload],
        after steps: [Step] = [],
        when trigger: Trigger = .success
    ) throws(TrackerError) -> Step {
        var last: Step?
        for payload in payloads {
            last = try add(kind, payload, after: last.map { [$0] } ?? steps, when: trigger)
        }
        guard let last else { throw .invalid("number of steps of a chain", 0, allowed: "at least 1") }
        return last
    }

    /// The tag of a group's tasks, for its progress; every task carries ``tag`` besides.
    public func tag(of group: Step) -> TaskTag { TaskTag(trusted: "\(tag)/\(group)") }

    /// The ids of a step's task, or of a group's tasks in their order; none when there is no such step.
    public func tasks(of step: Step) -> [TaskID] {
        guard let entry = entries.first(where: { $0.name == step.description }) else { return [] }
        return entry.tasks.indices.map { id(of: entry, $0) }
    }

    private mutating func append(
        _ tasks: [NewTask],
        _ isGroup: Bool,
        _ name: String?,
        _ steps: [Step],
        _ trigger: Trigger,
        _ quorum: Dependencies.Quorum?,
        _ policy: KindPolicy?
    ) throws(TrackerError) -> Step {
        guard let first = tasks.first else { throw .invalid("number of tasks of a group", 0, allowed: "at least 1") }
        let name = name ?? unusedName(first.kind)
        guard Names.isName(name, extra: ".:_-", limit: 36) else {
            throw .invalid("step", name, allowed: "1 to 36 of A-Z a-z 0-9 . _ : -, beginning with a letter or digit")
        }
        if let task = tasks.first(where: { $0.options.after != nil }), let after = task.options.after {
            let parents = after.parents.map(\.description).joined(separator: ", ")
            throw .invalid("dependencies of step “\(name)”", parents, allowed: "steps of the flow")
        }
        if isGroup, let id = tasks.lazy.compactMap(\.options.id).first, tasks.count > 1 {
            throw .invalid("id of the tasks of group “\(name)”", id, allowed: "none; the flow makes them")
        }
        entries.append(
            Entry(
                name: name,
                tasks: tasks,
                policy: policy,
                isGroup: isGroup,
                after: steps,
                trigger: trigger,
                quorum: quorum ?? (trigger == .exhausted ? .any : .all)
            )
        )
        return Step(name)
    }

    private func unusedName(_ kind: KindName) -> String {
        let taken = Set(entries.map(\.name))
        let base = String(kind.description.map { $0 == "/" ? "-" : $0 }.prefix(32))
        if !taken.contains(base) { return base }
        var number = 2
        while taken.contains("\(base)-\(number)") { number += 1 }
        return "\(base)-\(number)"
    }

    // MARK: Sending

    private func id(of entry: Entry, _ place: Int) -> TaskID {
        if let own = entry.tasks[place].options.id { return own }
        return TaskID(trusted: entry.isGroup ? "\(tag)/\(entry.name)/\(place + 1)" : "\(tag)/\(entry.name)")
    }

    /// The tasks in the order in which they can be sent, each with what to define its kind with, and its place in the order
    /// in which they were added.
    func compiled() throws(TrackerError) -> [(task: NewTask, policy: KindPolicy?, place: Int)] {
        let count = entries.reduce(0) { $0 + $1.tasks.count }
        guard (1...Limits.batch).contains(count) else {
            throw .invalid("number of tasks of a flow", count, allowed: "1 to \(Limits.batch)")
        }
        let order = try Topology.sort(entries.map { ($0.name, $0.after.map(\.description)) }, what: "step")
        var starts: [Int] = []
        var byName: [String: Entry] = [:]
        for entry in entries {
            starts.append((starts.last ?? 0) + (starts.isEmpty ? 0 : entries[starts.count - 1].tasks.count))
            byName[entry.name] = entry
        }
        var compiled: [(task: NewTask, policy: KindPolicy?, place: Int)] = []
        for place in order {
            let entry = entries[place]
            let parents = entry.after.compactMap { byName[$0.description] }.map { parent in
                parent.isGroup ? .tag(tag(of: Step(parent.name))) : Dependencies.Parent.task(id(of: parent, 0))
            }
            for (number, var task) in entry.tasks.enumerated() {
                task.options.id = id(of: entry, number)
                task.options.ifExists = .returnExisting
                task.options.tags.append(tag)
                if entry.isGroup { task.options.tags.append(tag(of: Step(entry.name))) }
                if !parents.isEmpty {
                    let condition = entry.trigger.condition
                    task.options.after = Dependencies(parents, condition: condition, quorum: entry.quorum)
                }
                compiled.append((task, entry.policy, starts[place] + number))
            }
        }
        return compiled
    }
}
