import BelayScripts
package import RedisWire

/// Pages through tasks by kind, state, tag, worker and time.
package struct Find: Verb {
    package static let script = RedisScript(.find)
    package var kinds: [KindName]
    package var states: [TaskState]
    package var order: FindOrder
    package var limit: Int
    package var cursor: String?
    package var tag: TaskTag?
    package var worker: String?
    package var created: Range<Timestamp>?

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(limit) else {
            throw .invalid("page size", limit, allowed: "1 to \(Limits.batch)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
        call.append(kinds.map(\.description).joined(separator: "\n"))
        call.append(states.map(\.letters).joined())
        call.append(order == .newestFirst ? "new" : "old")
        call.append(cursor ?? "")
        call.append(tag?.description ?? "")
        call.append(worker ?? "")
        if let created {
            call.append(created.lowerBound.microseconds)
            call.append(created.upperBound.microseconds)
        } else {
            call.append("")
            call.append("")
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> TaskPage {
        if reply.word == "BAD_CURSOR" {
            throw .invalid(
                "cursor",
                cursor ?? "",
                allowed: "what the page before returned, with the same kinds and states"
            )
        }
        try reply.requireOK()
        let cursor = try reply.string(2)
        var tasks: [TaskRecord] = []
        for row in try reply.list(3) { tasks.append(try TaskRecord(row: row, of: reply)) }
        return TaskPage(tasks: tasks, cursor: cursor.isEmpty ? nil : cursor)
    }

    /// Merges the pages of all partitions by their order, running tasks by when they began. Each partition is asked a second time
    /// for just as many tasks as are told of it, so that its cursor stands behind them and none is told twice or missed.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> TaskPage {
        guard let places = PartitionCursor(cursor, count: tracker.parts.count) else {
            throw .invalid(
                "cursor",
                cursor ?? "",
                allowed: "what the page before returned, with the same kinds and states"
            )
        }
        let open = tracker.parts.indices.filter { places.places[$0] != .over }
        let first = try await tracker.each(open) { place, part throws(TrackerError) in
            try await part.perform(self.from(places.places[place]))
        }
        let counts = merged(first.map(\.tasks), first.map { $0.cursor != nil }).reduce(
            into: Array(repeating: 0, count: open.count)
        ) { $0[$1] += 1 }
        var (pages, next) = (first, places)
        let cut = open.indices.filter { counts[$0] > 0 && counts[$0] < first[$0].tasks.count }
        let again = try await tracker.each(cut.map { open[$0] }) { place, part throws(TrackerError) in
            var verb = self.from(places.places[place])
            verb.limit = counts[open.firstIndex(of: place) ?? 0]
            return try await part.perform(verb)
        }
        for (number, page) in zip(cut, again) { pages[number] = page }
        for (number, place) in open.enumerated() {
            if counts[number] == 0, !first[number].tasks.isEmpty {
                pages[number].tasks = []
            } else {
                next.places[place] = pages[number].cursor.map { .at($0) } ?? .over
            }
        }
        let tasks = merged(pages.map(\.tasks), pages.map { _ in false }).reduce(
            into: (rows: [TaskRecord](), taken: Array(repeating: 0, count: open.count))
        ) { sum, number in
            sum.rows.append(pages[number].tasks[sum.taken[number]])
            sum.taken[number] += 1
        }
        return TaskPage(tasks: tasks.rows, cursor: next.isOver ? nil : next.description)
    }

    private func from(_ place: PartitionCursor.Place) -> Find {
        var verb = self
        if case .at(let cursor) = place { verb.cursor = cursor } else { verb.cursor = nil }
        return verb
    }

    /// From which list the next task is taken, again and again, until there are as many as asked for, or a list has run out that
    /// may go on.
    private func merged(_ lists: [[TaskRecord]], _ mayGoOn: [Bool]) -> [Int] {
        var (taken, order) = (Array(repeating: 0, count: lists.count), [Int]())
        while order.count < limit {
            var best: Int?
            for (number, list) in lists.enumerated() {
                guard taken[number] < list.count else {
                    if mayGoOn[number] { return order }
                    continue
                }
                if let known = best, !precedes(list[taken[number]], lists[known][taken[known]]) { continue }
                best = number
            }
            guard let best else { return order }
            order.append(best)
            taken[best] += 1
        }
        return order
    }

    private func precedes(_ a: TaskRecord, _ b: TaskRecord) -> Bool {
        let (first, second) = (states.firstIndex(of: a.state) ?? 0, states.firstIndex(of: b.state) ?? 0)
        if first != second { return first < second }
        let (x, y) = (Self.moment(of: a), Self.moment(of: b))
        if x == y { return a.id != b.id && (a.id < b.id) == (order == .oldestFirst) }
        return (x < y) == (order == .oldestFirst)
    }

    private static func moment(of task: TaskRecord) -> Timestamp {
        switch task.state {
        case .ready, .blocked: task.due
        case .running: task.began ?? task.updated
        case .paused, .succeeded, .exhausted, .cancelled, .ignored: task.updated
        }
    }
}

/// Where a search stands in each partition: `-` before it began, `.` when it is over, else the partition's own cursor with the
/// number of its bytes and a colon in front.
struct PartitionCursor: Equatable, CustomStringConvertible {
    enum Place: Equatable {
        case start
        case over
        case at(String)
    }

    var places: [Place]
    var isOver: Bool { places.allSatisfy { $0 == .over } }

    /// Reads a cursor; nil when it is none of so many partitions. No text is the start.
    init?(_ text: String?, count: Int) {
        places = []
        var rest = Array((text ?? "").utf8)[...]
        if rest.isEmpty {
            places = Array(repeating: .start, count: count)
            return
        }
        while let byte = rest.first {
            if byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") {
                places.append(byte == UInt8(ascii: ".") ? .over : .start)
                rest = rest.dropFirst()
                continue
            }
            guard let colon = rest.firstIndex(of: UInt8(ascii: ":")),
                let bytes = Int(String(decoding: rest[..<colon], as: UTF8.self)), bytes > 0, bytes <= 1 << 10,
                rest.endIndex - colon > bytes
            else { return nil }
            places.append(.at(String(decoding: rest[(colon + 1)...].prefix(bytes), as: UTF8.self)))
            rest = rest[(colon + 1 + bytes)...]
        }
        guard places.count == count else { return nil }
    }

    var description: String {
        places.map { place in
            switch place {
            case .start: "-"
            case .over: "."
            case .at(let cursor): "\(cursor.utf8.count):\(cursor)"
            }
        }.joined()
    }
}
