import Belay

/// The events of a tracker as its stream keeps them: one entry for each verb and (name, kind, worker), which names every
/// task that the verb moved.
struct EventLog: Sendable {
    /// How an entry is told from others.
    struct Key: Sendable, Hashable {
        let name: TrackerEvent.Name
        let kind: KindName?
        let worker: String?
    }

    /// One entry of the stream.
    struct Entry: Sendable {
        let key: Key
        let time: Timestamp
        let tasks: [(id: TaskID?, detail: String)]
        fileprivate let milliseconds: UInt64
        fileprivate let number: UInt64

        /// Its id in the stream.
        var id: String { "\(milliseconds)-\(number)" }

        /// An event for each task, or one that concerns none.
        var events: [TrackerEvent] {
            tasks.enumerated().map { place, task in
                TrackerEvent(
                    position: TrackerEvent.Position(entry: id, place: place),
                    name: key.name,
                    time: time,
                    kind: key.kind,
                    task: task.id,
                    detail: task.detail,
                    worker: key.worker
                )
            }
        }
    }

    /// A stream forgets its oldest entries a hundred at a time.
    private static let (kept, block) = (10_000, 100)

    private(set) var entries: [Entry] = []
    /// What the verb that is being applied has noted, in the order of the first note.
    private var noted: [(key: Key, tasks: [(id: TaskID?, detail: String)])] = []
    private var places: [Key: Int] = [:]
    private var last: (milliseconds: UInt64, number: UInt64) = (0, 0)

    mutating func note(_ key: Key, _ id: TaskID?, _ detail: String) {
        let place = places[key] ?? noted.count
        if place == noted.count {
            places[key] = place
            noted.append((key, []))
        }
        noted[place].tasks.append((id, detail))
    }

    /// Keeps what was noted. Ids grow although the time may stand still.
    mutating func emit(at now: Timestamp) {
        guard !noted.isEmpty else { return }
        for (key, tasks) in noted {
            let moment = UInt64(max(0, now.microseconds / 1000))
            last = moment > last.milliseconds ? (moment, 0) : (last.milliseconds, last.number + 1)
            let (milliseconds, number) = last
            entries.append(
                Entry(key: key, time: now, tasks: tasks, milliseconds: milliseconds, number: number)
            )
        }
        (noted, places) = ([], [:])
        let blocks = (entries.count - Self.kept) / Self.block
        if blocks > 0 { entries.removeFirst(blocks * Self.block) }
    }

    /// Forgets everything but how far the ids went: an id of a destroyed tracker names no entry of the next.
    mutating func empty() { entries = [] }

    /// The entries from an id on, with that of the id itself.
    func entries(from id: Substring, limit: Int) -> ArraySlice<Entry> {
        let parts = id.split(separator: "-").compactMap { UInt64($0) }
        guard parts.count == 2 else { return [] }
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            let entry = entries[middle]
            if (entry.milliseconds, entry.number) < (parts[0], parts[1]) { low = middle + 1 } else { high = middle }
        }
        return entries[low...].prefix(limit)
    }
}
