/// Where the server is and how the client behaves. Every property has a default.
public struct RedisConfiguration: Sendable {
    /// The address of a server.
    public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// A host name or address, and a port.
        case tcp(host: String, port: Int)
        /// The path of a unix socket.
        case unix(path: String)

        /// The address as text, without user and password.
        public var description: String {
            switch self {
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            }
        }
    }

    /// How TLS is spoken.
    public struct TLS: Sendable, Hashable {
        /// A PEM file with the certificates to trust; `nil`, the default, trusts those of the system.
        public var trustRootsFile: String?
        /// A PEM file with the client's certificate chain, for servers that ask for one. `nil` by default.
        public var certificateFile: String?
        /// A PEM file with the private key that belongs to ``certificateFile``. `nil` by default.
        public var privateKeyFile: String?
        /// The name that the server's certificate must carry; `nil`, the default, means the host of the endpoint.
        public var serverName: String?
        /// Accepts any certificate. `false` by default; anyone on the path can then read and change everything.
        public var isInsecure = false

        /// TLS with full verification against the system's trust roots.
        public init() {}
    }

    /// Pauses between tries: a random time between zero and a limit that doubles with each failure ("full jitter").
    public struct Backoff: Sendable, Hashable {
        /// The limit after the first failure. 20 ms by default.
        public var base: Duration = .milliseconds(20)
        /// The largest limit. 2 s by default.
        public var cap: Duration = .seconds(2)

        /// The default pauses.
        public init() {}
    }

    /// The server's address; in a cluster that of the first seed.
    public var endpoint: Endpoint
    /// Whether the address leads to a Redis Cluster, whose nodes tell each other's addresses. `false` by default: a
    /// single server. A cluster has no unix sockets, and database 0 only.
    public var isCluster = false
    /// Further nodes of the cluster, asked for the others when the first does not answer. Empty by default, and without
    /// ``isCluster``.
    public var otherSeeds: [Endpoint] = []
    /// The addresses at which the cluster is asked for its nodes: ``endpoint``, then ``otherSeeds``.
    public var seeds: [Endpoint] { [endpoint] + otherSeeds }
    /// The ACL user; `nil`, the default, means the server's default user.
    public var username: String?
    /// The password; `nil`, the default, sends no `AUTH`.
    public var password: String?
    /// The number of the database, from 0. 0 by default.
    public var database = 0
    /// The name that `CLIENT LIST` shows, without spaces; `nil`, the default, sets none.
    public var clientName: String?
    /// TLS settings; `nil`, the default, speaks plain text.
    public var tls: TLS?

    /// Time for connecting, TLS and log-in together. 1 s by default.
    public var connectTimeout: Duration = .seconds(1)
    /// Time for one command from the call to its reply, waiting for a connection or for room included. 2 s by default.
    public var commandTimeout: Duration = .seconds(2)
    /// Time for one call of ``RedisClient/evaluate(_:routedBy:keyCount:arguments:retryingUnknown:)`` with all its tries.
    /// 10 s by default.
    public var evaluateTimeout: Duration = .seconds(10)
    /// The shared connection is closed after this time without a command, and opened again by the next. 60 s by default.
    public var idleTimeout: Duration = .seconds(60)
    /// A subscription sends `PING` after this time without a message and reconnects when no answer comes within
    /// ``commandTimeout``. 10 s by default.
    public var pingInterval: Duration = .seconds(10)

    /// The most bytes of requests that may wait for replies on one connection, above which callers wait for room.
    /// 8 MiB by default. A single larger request is sent alone.
    public var maxBytesInFlight = 8 << 20
    /// The most commands that may wait for replies on one connection, above which callers wait for room.
    /// 16,384 by default.
    public var maxWaiting = 16_384
    /// The largest reply in bytes, counting 24 bytes for each element. 64 MiB by default. A larger one closes the
    /// connection.
    public var maxReplyBytes = 64 << 20
    /// The most elements of one reply, nested ones included. 1,048,576 by default. More close the connection.
    public var maxReplyElements = 1 << 20
    /// The deepest nesting of arrays in a reply, 1...8. 8 by default, which is the most that hiredis 0.14 reads.
    public var maxReplyDepth = 8

    /// Pauses between tries to connect.
    public var reconnectBackoff = Backoff()
    /// Pauses between tries of one call of ``RedisClient/evaluate(_:routedBy:keyCount:arguments:retryingUnknown:)``.
    public var retryBackoff = Backoff()

    /// Creates a configuration with defaults for everything but the address.
    public init(endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    /// Creates a configuration for a host and a port.
    ///
    /// - Parameters:
    ///   - host: Name or address; `127.0.0.1` by default.
    ///   - port: Port, 6379 by default.
    public init(host: String = "127.0.0.1", port: Int = 6379) {
        self.init(endpoint: .tcp(host: host, port: port))
    }
}

extension RedisConfiguration {
    /// Creates a configuration for a Redis Cluster with defaults for everything but the addresses.
    ///
    /// - Parameters:
    ///   - endpoint: One node of the cluster, a host and a port.
    ///   - otherSeeds: Further nodes, asked for the others when the first does not answer. Not all need to be named.
    public init(cluster endpoint: Endpoint, otherSeeds: [Endpoint] = []) {
        self.init(endpoint: endpoint)
        isCluster = true
        self.otherSeeds = otherSeeds
    }
}

extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The addresses, user and database. Never the password.
    public var description: String {
        let scheme = tls == nil ? "" : "tls:"
        let user = username.map { "\($0)@" } ?? ""
        if isCluster { return "cluster:\(scheme)\(user)" + seeds.map(\.description).joined(separator: ",") }
        return "\(scheme)\(user)\(endpoint)/\(database)"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// Shows ``description`` only, so that a dump does not print the password.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension RedisConfiguration {
    /// Checks ranges once, when a client is made, so that later failures are the network's.
    func validate() throws(RedisError) {
        let durations = [connectTimeout, commandTimeout, evaluateTimeout, idleTimeout, pingInterval]
        let limits = [maxBytesInFlight, maxWaiting, maxReplyBytes, maxReplyElements, maxReplyDepth]
        let problem: String? =
            if durations.contains(where: { $0 <= .zero }) {
                "times must be positive"
            } else if limits.contains(where: { $0 < 1 }) {
                "limits must be at least 1"
            } else if maxReplyDepth > 8 {
                "replies cannot be read deeper than 8 arrays"
            } else if database < 0 {
                "database must not be negative"
            } else if isCluster && database != 0 {
                "database must be 0 in a cluster, not \(database)"
            } else if isCluster && seeds.contains(where: { if case .unix = $0 { true } else { false } }) {
                "a node of a cluster has a host and a port, not a unix socket"
            } else if !isCluster && !otherSeeds.isEmpty {
                "several servers must be a cluster"
            } else if let clientName, clientName.utf8.contains(where: { !(0x21...0x7E).contains($0) }) {
                "client name must be printable and without spaces"
            } else if username != nil && password == nil {
                "a user name needs a password"
            } else {
                nil
            }
        guard let problem else { return }
        throw RedisError(
            code: .invalidConfiguration,
            outcome: .notSent,
            message: problem,
            endpoint: endpoint.description
        )
    }
}
