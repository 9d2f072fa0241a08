/// Which node owns which slot, as far as is known. A pure value.
struct SlotMap: Sendable {
    typealias Endpoint = RedisConfiguration.Endpoint

    private static let nobody = UInt16.max

    /// The primaries that own slots.
    private(set) var owners: [Endpoint] = []
    /// The replicas: they know the map, and own nothing.
    private(set) var replicas: [Endpoint] = []
    /// Per slot the index of its owner. Empty as long as nothing is known.
    private var indexes: [UInt16] = []

    /// A map that knows nothing.
    init() {}

    /// Whether nothing is known.
    var isEmpty: Bool { owners.isEmpty }

    subscript(slot: HashSlot) -> Endpoint? {
        guard !indexes.isEmpty, indexes[slot.number] != Self.nobody else { return nil }
        return owners[Int(indexes[slot.number])]
    }

    /// Notes the owner of one slot.
    mutating func setOwner(_ owner: Endpoint, of slot: HashSlot) {
        setOwner(owner, of: slot.number...slot.number)
    }

    private mutating func setOwner(_ owner: Endpoint, of slots: ClosedRange<Int>) {
        if indexes.isEmpty { indexes = Array(repeating: Self.nobody, count: HashSlot.count) }
        let index = owners.firstIndex(of: owner) ?? owners.endIndex
        if index == owners.endIndex { owners.append(owner) }
        for slot in slots { indexes[slot] = UInt16(index) }
    }
}

extension SlotMap {
    /// Reads the answer to `CLUSTER SLOTS`: entries of first slot, last slot, primary, replicas.
    ///
    /// - Parameter asked: The node that gave the answer; it stands for a host that is left empty.
    init(_ reply: RedisReply, asked: Endpoint) throws(RedisError) {
        self.init()
        guard let entries = reply.elements else { throw .badMap(asked) }
        for entry in entries {
            guard let parts = entry.elements, parts.count >= 3, let first = parts[0].int, let last = parts[1].int,
                (0..<HashSlot.count).contains(first), (first..<HashSlot.count).contains(last)
            else { throw .badMap(asked) }
            if let owner = try Self.endpoint(parts[2], asked: asked) { setOwner(owner, of: first...last) }
            for part in parts.dropFirst(3) {
                if let replica = try Self.endpoint(part, asked: asked), !replicas.contains(replica) {
                    replicas.append(replica)
                }
            }
        }
    }

    /// A node's address: host, port, id, further names for the host. `nil` when the server does not know it.
    private static func endpoint(_ node: RedisReply, asked: Endpoint) throws(RedisError) -> Endpoint? {
        guard let parts = node.elements, parts.count >= 2, let port = parts[1].int else { throw .badMap(asked) }
        guard (1...65_535).contains(port) else { return nil }
        var host = parts[0].string ?? ""
        if host == "?" {
            // A node that shall be called by a host name and was given none. Its address follows as "ip", address.
            let names = parts.count > 3 ? parts[3].elements ?? [] : []
            guard let index = names.firstIndex(where: { $0.string == "ip" }), index + 1 < names.count else {
                return nil
            }
            host = names[index + 1].string ?? ""
        }
        return asked.naming(host: host, port: port)
    }
}

extension RedisConfiguration.Endpoint {
    /// An address that this node told: an empty host means its own.
    func naming(host: String, port: Int) -> Self {
        guard host.isEmpty, case .tcp(let own, _) = self else { return .tcp(host: host, port: port) }
        return .tcp(host: own, port: port)
    }
}

extension RedisError {
    fileprivate static func badMap(_ asked: RedisConfiguration.Endpoint) -> RedisError {
        RedisError(
            code: .protocolViolation,
            outcome: .refused,
            message: "an answer to CLUSTER SLOTS that is no slot map",
            endpoint: asked.description
        )
    }
}
