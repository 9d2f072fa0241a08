import Belay

extension Find: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> TaskPage {
        let letters = Array(states.map(\.letters).joined())
        var start = try cursor.flatMap { $0.isEmpty ? nil : $0 }.map { text throws(TrackerError) in
            guard let place = Place(text), letters.contains(place.letter) else { throw Place.unknown(text) }
            return place
        }
        let names = state.kinds.keys.sorted().filter { kinds.isEmpty || kinds.contains($0) }
        var (tasks, looked): ([TaskRecord], Int) = ([], 0)
        var listed: Set<Character> = []
        for letter in letters where listed.insert(letter).inserted {
            if let start, start.letter != letter { continue }
            let all =
                tag.map { [state.kin.tagged[Kinship.TagIndex(tag: $0, letter: letter)] ?? ScoredSet()] }
                ?? names.flatMap { state.names(of: letter, $0) }.map { state.index($0) }
            let indexes = all.filter { $0.count > 0 }
            // Some of each index; what lies beyond the first end of these may have others before it that were not seen.
            let room = ((isFiltered ? 500 : 2000) - looked) / max(1, indexes.count)
            let chunk = max(1, isFiltered ? room : min(limit - tasks.count, room))
            var (found, horizon): ([Entry], Entry?) = ([], nil)
            for index in indexes {
                let page = self.page(of: index, after: start, chunk)
                found += page
                looked += page.count
                if page.count == chunk, let last = page.last, horizon.map({ precedes(last, $0) }) ?? true {
                    horizon = last
                }
            }
            for entry in found.sorted(by: precedes) {
                if let task = state.tasks[entry.member], matches(task.record) { tasks.append(task.row) }
                if tasks.count >= limit || entry.member == horizon?.member {
                    return .making(tasks, cursor: "\(letter) \(entry.score) \(entry.member)")
                }
            }
            start = nil
        }
        return .making(tasks, cursor: nil)
    }

    /// Whether more is asked for than the indexes tell apart.
    private var isFiltered: Bool {
        wantedWorker != nil || created != nil || tag != nil && !kinds.isEmpty
    }

    private var wantedWorker: String? { worker.flatMap { $0.isEmpty ? nil : $0 } }

    private func matches(_ record: TaskRecord) -> Bool {
        guard kinds.isEmpty || kinds.contains(record.kind) else { return false }
        if let wantedWorker, wantedWorker != record.worker { return false }
        return created.map { $0.contains(record.created) } ?? true
    }

    private typealias Entry = ScoredSet<TaskID>.Entry

    /// The next entries of an index, in the order wanted.
    private func page(of index: ScoredSet<TaskID>, after start: Place?, _ count: Int) -> [Entry] {
        let isNewest = order == .newestFirst
        let rank = start.map { index.rank(of: $0.score, $0.id, counting: !isNewest) }
        return isNewest
            ? index.entries[..<(rank ?? index.count)].suffix(count).reversed()
            : Array(index.entries[(rank ?? 0)...].prefix(count))
    }

    private func precedes(_ a: Entry, _ b: Entry) -> Bool {
        order == .newestFirst ? b.precedes(a) : a.precedes(b)
    }
}

/// A place in the order of a search, as a cursor tells it: `letter score id`.
private struct Place {
    let letter: Character
    let score: Int
    let id: TaskID

    init?(_ cursor: String) {
        // By bytes: an id may begin with a character that joins the space before it.
        let parts = cursor.utf8.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 1, let letter = parts[0].first,
            !parts[1].isEmpty, parts[1].allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        self.letter = Character(Unicode.Scalar(letter))
        // More digits than a moment has lie beyond every entry.
        score = Int(Substring(parts[1])) ?? .max
        id = TaskID(trusted: String(Substring(parts[2])))
    }

    static func unknown(_ cursor: String) -> TrackerError {
        TrackerError(.invalidArgument, "cursor “\(cursor)” is not what the page before of this search returned")
    }
}
