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
}
