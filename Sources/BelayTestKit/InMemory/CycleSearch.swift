import Belay

/// Looks for a task whose parents, theirs and so on wait for a tag of its own, among those of one call and those that wait.
struct CycleSearch {
    private var awaited: Set<Dependencies.Parent> = []
    private var parents: [TaskID: [Dependencies.Parent]] = [:]
    private var members: [TaskTag: [TaskID]] = [:]

    /// Notes a task of the call.
    mutating func add(_ id: TaskID, _ wishes: Enqueue.Wishes, isNew: Bool) {
        if isNew, let own = wishes.dependencies?.parents {
            parents[id] = own
            awaited.formUnion(own)
        }
        for tag in wishes.tags { members[tag, default: []].append(id) }
    }

    /// The tag through which the task would close a cycle; nil when none is found within 1,000 parents.
    func cycle(of wishes: Enqueue.Wishes, in state: InMemoryState) -> TaskTag? {
        guard var line = wishes.dependencies?.parents else { return nil }
        let isAwaited = wishes.tags.contains { tag in
            awaited.contains(.tag(tag)) || state.kin.waiting[Kinship.Awaited(parent: .tag(tag))]?.first != nil
        }
        guard isAwaited else { return nil }
        var (met, place): (Set<Dependencies.Parent>, Int) = ([], 0)
        while place < min(line.count, 1000) {
            let more: [Dependencies.Parent]
            switch line[place] {
            case .tag(let tag):
                if wishes.tags.contains(tag) { return tag }
                let blocked = state.kin.tagged[Kinship.TagIndex(tag: tag, letter: "j")]?.entries.prefix(100).map(
                    \.member
                )
                more = ((blocked ?? []) + (members[tag] ?? [])).map { .task($0) }
            case .task(let id):
                let task = state.tasks[id].flatMap { $0.record.state == .blocked ? $0 : nil }
                more = parents[id] ?? task?.wait?.parents ?? []
            }
            line += more.filter { met.insert($0).inserted }
            place += 1
        }
        return nil
    }
}
