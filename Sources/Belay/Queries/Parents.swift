import BelayScripts
package import RedisWire

/// What a task waits or waited for, and what came of it.
package struct Parents: Verb {
    package static let script = RedisScript(.parents)
    package var id: TaskID

    package func encode(into call: inout ScriptCall) {
        call.keys(CollectionOfOne(id))
        call.append(Limits.parents)
        call.append(0)
    }

    /// Nil when there is no such task.
    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [ParentOutcome]? {
        if reply.word == "GONE" { return nil }
        try reply.requireOK()
        var parents: [ParentOutcome] = []
        for item in try reply.list(3) {
            let parts = try reply.items(item)
            guard parts.count == 4, let parent = Dependencies.Parent(try reply.text(parts[0])) else {
                throw reply.malformed("\(item) is not a parent")
            }
            let letter = try reply.text(parts[1])
            let bytes = try reply.bytes(parts[2])
            let type = try reply.text(parts[3])
            parents.append(
                ParentOutcome(
                    parent: parent,
                    state: letter.isEmpty ? nil : try reply.state(letter),
                    result: bytes.isEmpty ? nil : Body(bytes: bytes, contentType: type.isEmpty ? Body.json : type)
                )
            )
        }
        return parents
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [ParentOutcome]? {
        try await tracker.one(self, of: id)
    }
}
