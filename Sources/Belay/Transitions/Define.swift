import BelayScripts
package import RedisWire

/// Stores a kind's policy.
package struct Define: Verb {
    package static let script = RedisScript(.define)
    package var kind: KindName
    package var policy: KindPolicy
    package var replace: Bool

    package init(kind: KindName, policy: KindPolicy, replace: Bool) {
        self.kind = kind
        self.policy = policy
        self.replace = replace
    }

    package func validate() throws(TrackerError) { try policy.validate() }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(kind.description)
        call.append(PolicyText.encode(policy))
        call.append(replace ? "replace" : "create")
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) {
        switch reply.word {
        case "OK": return
        case "CONFLICT": throw .conflict(kind, stored: try PolicyText.decode(reply.string(2)), offered: policy)
        case "FULL": throw .fullOfKinds()
        default: throw reply.unexpected()
        }
    }

    /// The first partition decides first, so that a policy that is refused there is stored nowhere. Each holds its share of a
    /// queue limit. A repeat completes what was cut short.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) {
        let count = tracker.parts.count
        @Sendable func define(_ place: Int, _ part: any TrackerBackend) async throws(TrackerError) {
            let share = policy.share(of: place, among: count)
            try await part.perform(Define(kind: kind, policy: share, replace: replace))
        }
        do {
            try await define(0, tracker.parts[0])
            _ = try await tracker.each(1..<count, define)
        } catch {
            let stored = error.code == .kindConflict ? try await tracker.kinds().first { $0.name == kind } : nil
            guard let stored else { throw error }
            throw .conflict(kind, stored: stored.policy, offered: policy)
        }
    }
}

extension TrackerError {
    package static func conflict(_ kind: KindName, stored: KindPolicy, offered: KindPolicy) -> TrackerError {
        TrackerError(
            .kindConflict,
            "kind “\(kind)” is stored with another policy (\(PolicyText.encode(stored))) than offered "
                + "(\(PolicyText.encode(offered))); define it with `replacing: true` to change it for all hosts"
        )
    }

    package static func fullOfKinds() -> TrackerError {
        TrackerError(.full, "the tracker has \(Limits.kinds) kinds, which is the limit; use another namespace")
    }

    package static func cycle(through tag: String, of id: TaskID) -> TrackerError {
        .invalid(
            "tag of task \(id)",
            tag,
            allowed:
                "tags that none of its parents waits for, theirs included; with this one none of them could ever begin"
        )
    }

    package static func unknownParent(_ parent: String, of id: TaskID) -> TrackerError {
        TrackerError(
            .unknownParent,
            "task “\(id)” is to wait for “\(parent)” (t: a task, g: a tag), which does not exist; enqueue that one before, or "
                + "earlier in the same call"
        )
    }

    package static func unknownKind(_ kind: some CustomStringConvertible) -> TrackerError {
        TrackerError(
            .unknownKind,
            "kind “\(kind)” is not defined in this tracker; define it first (belay kinds define \(kind), or Tracker.define)"
        )
    }
}
