import BelayScripts
package import RedisWire

/// Removes a kind, one bounded step of it.
package struct Undefine: Verb {
    package enum Response: Sendable, Hashable {
        /// So many tasks were deleted; more of them wait, or the kind is removed.
        case step(deleted: Int, more: Bool)
        case inUse(tasks: Int)
        case notFound
    }

    package static let script = RedisScript(.undefine)
    package var kind: KindName
    package var force: Bool
    package var limit = Limits.step

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(kind.description)
        call.append(force ? "force" : "")
        call.append(limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> Response {
        switch reply.word {
        case "OK": return .step(deleted: try reply.int(3), more: try reply.int(2) == 1)
        case "IN_USE": return .inUse(tasks: try reply.int(2))
        case "GONE": return .notFound
        default: throw reply.unexpected()
        }
    }

    /// It looks for tasks in all partitions before the kind is removed from any. A task that comes in between keeps the kind.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> Response {
        if !force {
            let stats = Stats.merged(try await tracker.all(Stats()))
            let tasks = stats.kinds.first { $0.kind == kind }?.total ?? 0
            if tasks > 0 { return .inUse(tasks: tasks) }
        }
        tracker.unsettle(kind)
        var (sum, used): (Response, Int) = (.notFound, 0)
        for answer in try await tracker.all(self) {
            switch (answer, sum) {
            case (.inUse(let tasks), _): used += tasks
            case (.notFound, _): break
            case (.step(let deleted, let more), .step(let before, let further)):
                sum = .step(deleted: before + deleted, more: further || more)
            case (.step, _): sum = answer
            }
        }
        guard used > 0 else { return sum }
        try await tracker.settle(kind, offered: nil)
        return .inUse(tasks: used)
    }
}
