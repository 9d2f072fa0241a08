/// What a node of a cluster answers for a slot that is not, or not wholly, its own. Nothing has been executed.
struct Redirection: Equatable {
    enum Kind {
        /// `MOVED`: the slot belongs to that node.
        case moved
        /// `ASK`: the slot is on its way; that node answers this one call if it is told so by `ASKING`.
        case ask
    }

    let kind: Kind
    let slot: HashSlot
    let endpoint: RedisConfiguration.Endpoint

    /// Reads `MOVED 3999 host:port`; `nil` for every other error.
    ///
    /// - Parameter asked: The node that answered; it stands for a host that is left empty.
    init?(_ error: RedisServerError, asked: RedisConfiguration.Endpoint) {
        let words = error.message.split(separator: " ")
        guard words.count == 3, let slot = HashSlot(number: words[1]), let colon = words[2].lastIndex(of: ":"),
            let port = UInt16(words[2][words[2].index(after: colon)...]), port > 0
        else { return nil }
        switch words[0] {
        case "MOVED": kind = .moved
        case "ASK": kind = .ask
        default: return nil
        }
        let host = words[2][..<colon]
        guard host != "?" else { return nil }
        self.slot = slot
        endpoint = asked.naming(host: String(host), port: Int(port))
    }
}

extension RedisServerError {
    /// Whether a node of a cluster sends us to another node.
    var isRedirection: Bool { ["MOVED", "ASK"].contains(prefix) }
}

extension RedisError {
    /// In a client of a single server: a redirection says that the address belongs to a cluster.
    var forSingleServer: RedisError {
        guard let serverError, serverError.isRedirection else { return self }
        return RedisError(
            code: .invalidConfiguration,
            outcome: outcome,
            message: "the server belongs to a Redis Cluster: use cluster:// (clusters:// over TLS) "
                + "instead of redis:// in its URL; it answered: \(serverError.message)",
            serverError: serverError,
            endpoint: endpoint
        )
    }
}
