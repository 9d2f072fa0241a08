import Belay

/// What hangs together with tasks beside their places among those of their kinds: tags, those who wait for others, and
/// contents.
struct Kinship: Sendable {
    /// An end that somebody may wait for: the letter of the state after, `-` when the task is gone.
    struct End: Sendable {
        let parent: Dependencies.Parent
        var letter: Character
    }

    /// A parent that is waited for; or an end of it, whose rest is set aside, so that who joins the parent when it runs again is not
    /// told of that.
    struct Awaited: Sendable, Hashable {
        let parent: Dependencies.Parent
        var ended: Timestamp?
    }

    /// An end that some of those who wait for it have not been told of yet.
    struct RestOfEnd: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// As in ``End``, or `E`: the first bad end of a tag that goes on.
        let letter: Character
        let awaited: Awaited

        var description: String {
            "\(letter) \(awaited.parent)" + (awaited.ended.map { "\n\($0.microseconds)" } ?? "")
        }

        /// By bytes, as Redis orders members of equal score.
        static func < (a: RestOfEnd, b: RestOfEnd) -> Bool {
            "\(a)".utf8.lexicographicallyPrecedes("\(b)".utf8)
        }
    }

    /// The tasks of a tag in a state.
    struct TagIndex: Sendable, Hashable {
        let tag: TaskTag
        let letter: Character
    }

    /// Tasks by tag and state, in the order of their due times, or of when they moved there.
    var tagged: [TagIndex: ScoredSet<TaskID>] = [:]
    /// Who waits for a parent; score 1 when they want to know of the first bad end of a tag, 0 when of its last end only.
    var waiting: [Awaited: ScoredSet<TaskID>] = [:]
    /// Ends to tell of later, by when they happened.
    var rest = ScoredSet<RestOfEnd>()
    /// The task that has a content, the latest, by the content's hash.
    var contents: [KindName: [String: TaskID]] = [:]
    /// The one of that content that started last.
    var started: [KindName: [String: TaskID]] = [:]

    // Of the verb that is being applied.
    /// Ends to tell of, in their order.
    private(set) var ends: [End] = []
    private var places: [Dependencies.Parent: Int] = [:]
    /// So many more may be told of an end.
    var budget = Limits.childrenPerCall
    /// Whether a task became ready, now or within a second, that waited for others.
    var hasFreed = false

    /// Begins another verb.
    mutating func begin() {
        (ends, places, budget, hasFreed) = ([], [:], Limits.childrenPerCall, false)
    }

    /// Notes an end; of a tag that several of its tasks reach in one verb, the worst.
    mutating func end(_ parent: Dependencies.Parent, _ letter: Character) {
        if let place = places[parent] {
            if letter != "s" { ends[place].letter = letter }
        } else {
            places[parent] = ends.count
            ends.append(End(parent: parent, letter: letter))
        }
    }

    /// Forgets the ends of this verb: they were told.
    mutating func forgetEnds() { (ends, places) = ([], [:]) }

    /// An end by its place; one of the same parent that is noted from then on is another.
    mutating func end(at place: Int) -> End? {
        guard place < ends.count else { return nil }
        places[ends[place].parent] = nil
        return ends[place]
    }

    /// Whether any task of a tag is in one of these states.
    func holds(_ tag: TaskTag, _ letters: String) -> Bool {
        letters.contains { tagged[TagIndex(tag: tag, letter: $0)]?.first != nil }
    }

    /// Where a tag stands: nil while it goes on, else whether all of its tasks ended well.
    func isGood(_ tag: TaskTag) -> Bool? { holds(tag, "qrhpj") ? nil : !holds(tag, "xcn") }
}

/// What a task waits or waited for.
struct StoredWait: Sendable {
    var parents: [Dependencies.Parent]
    let condition: Dependencies.Condition
    /// So many ends it needed when it was enqueued.
    let number: Int
    /// So many more it needs.
    var needed: Int
    /// So many parents have not ended.
    var left: Int

    init(parents: [Dependencies.Parent], condition: Dependencies.Condition, number: Int) {
        (self.parents, self.condition, self.number) = (parents, condition, number)
        (needed, left) = (number, parents.count)
    }

    /// What the end of one more parent means: the state after.
    mutating func weigh(isGood: Bool) -> TaskState {
        left -= 1
        switch condition {
        case .endedOrFirstFailure where !isGood: needed = 0
        case .ended, .endedOrFirstFailure: needed -= 1
        case .succeeded: needed -= isGood ? 1 : 0
        case .failed: needed -= isGood ? 0 : 1
        }
        return needed <= 0 ? .ready : left < needed ? .cancelled : .blocked
    }
}

extension InMemoryState {
    private static func isOver(_ letter: Character) -> Bool { "sxcn-".contains(letter) }

    /// Keeps the tags' indexes and notes ends when a task moves: from nil when it is new, to `-` when it is deleted. A task that
    /// does not wait any more is taken out from those who do, unless no parent is left.
    mutating func moved(_ task: StoredTask, from: Character?, to: Character, at moment: Timestamp) {
        let id = task.record.id
        let isEnd = Self.isOver(to) && !(from.map(Self.isOver) ?? false)
        for tag in task.record.tags {
            if let from { kin.tagged[Kinship.TagIndex(tag: tag, letter: from)]?.remove(id) }
            if to != "-" {
                let index = Kinship.TagIndex(tag: tag, letter: to)
                kin.tagged[index, default: ScoredSet()].insert(id, score: moment.microseconds)
            }
            if isEnd, kin.waiting[Kinship.Awaited(parent: .tag(tag))]?.first != nil { kin.end(.tag(tag), to) }
        }
        if isEnd, task.hasChildren { kin.end(.task(id), to) }
        if from == "j", let wait = task.wait, wait.left > 0 {
            for parent in wait.parents { kin.waiting[Kinship.Awaited(parent: parent)]?.remove(id) }
        }
        guard to == "-", let hash = task.content?.hash else { return }
        let kind = task.record.kind
        if kin.contents[kind]?[hash] == id { kin.contents[kind]?[hash] = nil }
        if kin.started[kind]?[hash] == id { kin.started[kind]?[hash] = nil }
    }

    /// Tells those who wait for the ends that the verb noted, and for those that these bring about.
    mutating func settle() {
        var place = 0
        while let end = kin.end(at: place) {
            place += 1
            let awaited = Kinship.Awaited(parent: end.parent)
            switch end.parent {
            case .task: tell(awaited, end.letter)
            case .tag(let tag):
                if let isGood = kin.isGood(tag) {
                    tell(awaited, end.letter == "s" && isGood ? "s" : "x")
                } else if end.letter != "s" {
                    tell(awaited, "x", goesOn: true)
                }
            }
        }
        kin.forgetEnds()
    }

    /// The same, and before it tells those whom verbs before had no room to tell.
    mutating func settleRest() {
        for entry in kin.rest.entries.prefix(10) {
            let (letter, awaited) = (entry.member.letter, entry.member.awaited)
            kin.rest.remove(entry.member)
            tell(awaited, letter == "E" ? "x" : letter, goesOn: letter == "E")
        }
        settle()
    }

    /// Tells those who wait for a parent that it ended; of a tag that goes on, only those who want to know of a bad end.
    private mutating func tell(_ awaited: Kinship.Awaited, _ letter: Character, goesOn: Bool = false) {
        let waiting = kin.waiting[awaited]?.entries.filter { $0.score >= (goesOn ? 1 : 0) }.map(\.member) ?? []
        let told = waiting.prefix(max(0, kin.budget))
        for id in told { kin.waiting[awaited]?.remove(id) }
        kin.budget -= told.count
        for id in told {
            guard let child = tasks[id], child.record.state == .blocked, var wait = child.wait else { continue }
            if let ended = awaited.ended, child.record.updated > ended { continue }
            let state = wait.weigh(isGood: letter == "s")
            change(id) { $0.wait = wait }
            if state != .blocked { unblock(child, to: state, awaited.parent) }
        }
        guard kin.budget <= 0, waiting.count > told.count else { return }
        var rest = awaited
        if !goesOn, awaited.ended == nil {
            var moment = now
            repeat {
                rest.ended = moment
                moment = moment + .microseconds(1)
            } while kin.waiting[rest]?.first != nil
            kin.waiting[rest] = kin.waiting.removeValue(forKey: awaited)
        }
        kin.rest.insert(Kinship.RestOfEnd(letter: goesOn ? "E" : letter, awaited: rest), score: now.microseconds)
    }

    private mutating func unblock(_ child: StoredTask, to state: TaskState, _ parent: Dependencies.Parent) {
        let id = child.record.id
        if state == .ready {
            let due = max(now, child.record.due)
            move(id, to: .ready, at: due)
            note(.unblocked, child, "\(due.microseconds)")
            if due <= now + .seconds(1) { kin.hasFreed = true }
        } else {
            change(id) { $0.record.cause = .parentFailed(parent) }
            move(id, to: .cancelled)
            note(.parentFailed, child, parent.description)
        }
    }

    /// Where a task stands that is to wait for its parents: blocked, having joined those who wait for them; ready or cancelled
    /// when it is decided already, and the parent that decided it.
    mutating func judge(_ id: TaskID, _ wait: inout StoredWait) -> (state: TaskState, decisive: Dependencies.Parent?) {
        var open: [Dependencies.Parent] = []
        let isFirstWanted = wait.condition != .ended
        for parent in wait.parents {
            guard let isGood = end(of: parent, isFirstWanted: isFirstWanted) else {
                open.append(parent)
                continue
            }
            let state = wait.weigh(isGood: isGood)
            if state != .blocked { return (state, parent) }
        }
        for parent in open {
            let awaited = Kinship.Awaited(parent: parent)
            kin.waiting[awaited, default: ScoredSet()].insert(id, score: isFirstWanted ? 1 : 0)
            if case .task(let task) = parent { change(task) { $0.hasChildren = true } }
        }
        return (.blocked, nil)
    }

    /// Whether a parent ended well; nil when it has not ended, for one who wants to know of the first bad end of a tag or not.
    private func end(of parent: Dependencies.Parent, isFirstWanted: Bool) -> Bool? {
        switch parent {
        case .task(let id):
            guard let task = tasks[id] else { return false }
            return task.record.state.isTerminal ? task.record.state == .succeeded : nil
        case .tag(let tag):
            if isFirstWanted, kin.holds(tag, "xcn") { return false }
            return kin.isGood(tag)
        }
    }
}

extension InMemoryState {
    /// The tasks that a verb is to work on, and whether more of the tag may follow: those of a tag in the order of the letters,
    /// its held ones that were seen before passed over.
    func ids(of targets: TaskTargets, letters: String? = nil) -> (ids: [TaskID], more: Bool) {
        switch targets {
        case .tasks(let ids): return (ids, false)
        case .tag(let tag, let states, let limit, let passed):
            var (ids, skip): ([TaskID], Int) = ([], letters == nil ? 0 : passed)
            for letter in letters ?? states.map(\.letters).joined() {
                let entries = kin.tagged[Kinship.TagIndex(tag: tag, letter: letter)]?.entries ?? []
                let from = "rh".contains(letter) ? min(skip, entries.count) : 0
                if "rh".contains(letter) { skip = max(0, skip - entries.count) }
                ids += entries[from...].prefix(limit - ids.count).map(\.member)
            }
            return (ids, ids.count >= limit)
        }
    }
}

extension Parents: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [ParentOutcome]? {
        guard let task = state.tasks[id] else { return nil }
        return (task.wait?.parents ?? []).map { parent in
            switch parent {
            case .task(let id):
                let record = state.tasks[id]?.record
                let result = record?.result.flatMap { $0.bytes.isEmpty ? nil : $0 }
                return ParentOutcome(parent: parent, state: record?.state, result: result)
            case .tag(let tag):
                let end = state.kin.isGood(tag)
                let state: TaskState = end.map { $0 ? .succeeded : .exhausted } ?? .blocked
                return ParentOutcome(parent: parent, state: state, result: nil)
            }
        }
    }
}

extension Tags: InMemoryVerb {
    func apply(to state: inout InMemoryState) -> [TagCounts] {
        tags.map { tag in
            func count(_ letter: Character) -> Int {
                state.kin.tagged[Kinship.TagIndex(tag: tag, letter: letter)]?.count ?? 0
            }
            var counts = TagCounts(tag: tag)
            (counts.ready, counts.blocked, counts.running) = (count("q"), count("j"), count("r"))
            counts.paused = count("p") + count("h")
            (counts.succeeded, counts.exhausted) = (count("s"), count("x"))
            (counts.cancelled, counts.ignored) = (count("c"), count("n"))
            return counts
        }
    }
}
