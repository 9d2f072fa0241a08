import BelayScripts
package import RedisWire

/// The tasks that a claim would take now, or the queue.
package struct Peek: Verb {
    package static let script = RedisScript(.peek)
    package var kinds: [KindName]
    package var limit: Int
    package var order: ClaimOrder
    package var scheduled: Bool

    package func validate() throws(TrackerError) {
        guard (1...Limits.batch).contains(limit) else {
            throw .invalid("number of tasks", limit, allowed: "1 to \(Limits.batch)")
        }
        guard (1...Limits.kindsPerClaim).contains(kinds.count) else {
            throw .invalid("number of kinds", kinds.count, allowed: "1 to \(Limits.kindsPerClaim)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
        call.append((order == .due ? "d" : "") + (scheduled ? "s" : ""))
        for kind in kinds { call.append(kind.description) }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [TaskRecord] {
        try reply.requireOK()
        var tasks: [TaskRecord] = []
        for row in try reply.list(2) { tasks.append(try TaskRecord(row: row, of: reply)) }
        return tasks
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [TaskRecord] {
        // Claims take from one partition after the other, so among them this order is what claims come near to.
        let all = try await tracker.all(self).joined().sorted { a, b in
            if order == .priority, a.priority != b.priority { return a.priority > b.priority }
            return a.due == b.due ? a.id < b.id : a.due < b.due
        }
        return Array(all.prefix(limit))
    }
}
