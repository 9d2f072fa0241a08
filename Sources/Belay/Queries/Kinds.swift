import BelayScripts
package import RedisWire

/// A kind as it is stored.
public struct DefinedKind: Sendable, Hashable, Codable {
    /// Its name.
    public var name: KindName
    /// Its policy.
    public var policy: KindPolicy

    /// A kind from its parts.
    public init(name: KindName, policy: KindPolicy) {
        self.name = name
        self.policy = policy
    }
}

/// All kinds with their policies.
package struct Kinds: Verb {
    package static let script = RedisScript(.kinds)

    package init() {}

    package func encode(into call: inout ScriptCall) { call.keys() }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [DefinedKind] {
        try reply.requireOK()
        var kinds: [DefinedKind] = []
        for item in try reply.list(2) {
            let parts = try reply.items(item)
            guard parts.count == 2 else { throw reply.malformed("a kind of \(parts.count) parts") }
            kinds.append(
                DefinedKind(
                    name: KindName(trusted: try reply.text(parts[0])),
                    policy: try PolicyText.decode(reply.text(parts[1]))
                )
            )
        }
        return kinds
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [DefinedKind] {
        Self.merged(try await tracker.all(self))
    }

    /// The kinds of all partitions by name. The shares of a queue limit together are the limit.
    package static func merged(_ answers: [[DefinedKind]]) -> [DefinedKind] {
        Dictionary(grouping: answers.joined(), by: \.name).sorted { $0.key < $1.key }.map { _, shares in
            var kind = shares[0]
            let limits = shares.compactMap(\.policy.queueLimit)
            // A partition that does not know the kind yet would hold as much as the others.
            if !limits.isEmpty { kind.policy.queueLimit = limits.reduce(0, +) * answers.count / limits.count }
            return kind
        }
    }
}
