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
}
