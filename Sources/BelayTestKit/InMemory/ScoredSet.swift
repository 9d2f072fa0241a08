/// Members in the order of their scores, then of their own order: what a sorted set is to Redis.
struct ScoredSet<Member: Hashable & Comparable & Sendable>: Sendable {
    struct Entry: Sendable {
        let score: Int
        let member: Member

        func precedes(_ other: Entry) -> Bool {
            score < other.score || score == other.score && member < other.member
        }
    }

    private(set) var entries: [Entry] = []
    private var scores: [Member: Int] = [:]

    var count: Int { entries.count }
    var first: Entry? { entries.first }

    mutating func insert(_ member: Member, score: Int) {
        remove(member)
        let entry = Entry(score: score, member: member)
        entries.insert(entry, at: place { $0.precedes(entry) })
        scores[member] = score
    }

    @discardableResult
    mutating func remove(_ member: Member) -> Bool {
        guard let score = scores.removeValue(forKey: member) else { return false }
        let entry = Entry(score: score, member: member)
        entries.remove(at: place { $0.precedes(entry) })
        return true
    }

    mutating func removeFirst() -> Entry? {
        guard let first = entries.first else { return nil }
        remove(first.member)
        return first
    }

    /// Entries with at most this score.
    func upTo(_ score: Int) -> ArraySlice<Entry> { entries[..<place { $0.score <= score }] }

    /// How many entries come before a place in the order, whether or not a member stands there; one that does is counted
    /// when asked.
    func rank(of score: Int, _ member: Member, counting isCounted: Bool) -> Int {
        let here = Entry(score: score, member: member)
        return place { isCounted ? !here.precedes($0) : $0.precedes(here) }
    }

    /// The first place where `isBefore` no longer holds, by halving.
    private func place(where isBefore: (Entry) -> Bool) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(entries[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
