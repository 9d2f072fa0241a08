extension RedisConfiguration {
    /// Creates a configuration from a URL; everything that the URL does not name has its default.
    ///
    /// ```
    /// redis://[[user]:password@]host[:port][/database][?query]          rediss:// the same over TLS
    /// cluster://[[user]:password@]host[:port][,host[:port]...][?query]   clusters:// the same over TLS
    /// unix://[[user]:password@]/path/of.sock[?query]                     also redis+unix:// and redis+socket://
    /// ```
    /// The hosts of a cluster are seeds: one that answers tells all nodes; each has its own port, 6379 by default. Several
    /// hosts after `redis` or `rediss` mean a cluster, too. User, password and TLS are the same for all nodes.
    ///
    /// Query names: `db`, `client_name`; with `rediss` and `clusters` also `ca_file`, `cert_file`, `key_file`, `insecure` (`true` or
    /// `false`). An IPv6 address stands in brackets. Special characters are percent-encoded. A user part without a colon
    /// is a user name, which needs a password.
    ///
    /// - Throws: ``RedisError/Code/invalidConfiguration``, naming the part that is wrong; the password is never shown.
    public init(url: String) throws(RedisError) {
        let parts = try URLParts(url)
        switch parts.scheme {
        case "redis", "rediss", "cluster", "clusters":
            let endpoints = try parts.tcpEndpoints()
            self.init(endpoint: endpoints[0])
            self.otherSeeds = Array(endpoints.dropFirst())
            self.isCluster = parts.scheme.hasPrefix("cluster") || !otherSeeds.isEmpty
            self.tls = ["rediss", "clusters"].contains(parts.scheme) ? TLS() : nil
            let path = parts.path.drop { $0 == "/" }
            if !path.isEmpty {
                database = try Self.database(path, part: "path")
            }
        case "unix", "redis+unix", "redis+socket":
            self.init(endpoint: try parts.unixEndpoint())
        default:
            throw .badURL("unknown scheme '\(parts.scheme)'; use redis, rediss, cluster, clusters or unix")
        }
        (username, password) = try parts.credentials()
        for (name, value) in try parts.queryItems() {
            try apply(query: name, value)
        }
        try validate()
    }

    private mutating func apply(query name: String, _ value: String) throws(RedisError) {
        switch (name, tls != nil) {
        case ("db", _): database = try Self.database(value, part: "query item 'db'")
        case ("client_name", _): clientName = value
        case ("ca_file", true): tls?.trustRootsFile = value
        case ("cert_file", true): tls?.certificateFile = value
        case ("key_file", true): tls?.privateKeyFile = value
        case ("insecure", true):
            guard let flag = Bool(value) else { throw .badURL("query item 'insecure' is not true or false") }
            tls?.isInsecure = flag
        case ("ca_file", false), ("cert_file", false), ("key_file", false), ("insecure", false):
            throw .badURL("query item '\(name)' needs the scheme rediss or clusters")
        default: throw .badURL("unknown query item '\(name)'")
        }
    }

    private static func database(_ text: some StringProtocol, part: String) throws(RedisError) -> Int {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
            throw .badURL("\(part) is not the number of a database")
        }
        return number
    }
}

extension RedisError {
    fileprivate static func badURL(_ problem: String) -> RedisError {
        RedisError(code: .invalidConfiguration, outcome: .notSent, message: "bad Redis URL: \(problem)")
    }
}

/// A URL cut into its raw parts: `scheme://userInfo@authority/path?query`.
///
/// Written by hand because Foundation is not linked, and because errors must name the part and hide the password.
private struct URLParts {
    let scheme: String
    private let userInfo: Substring?
    private let authority: Substring
    let path: Substring
    private let query: Substring?

    init(_ url: String) throws(RedisError) {
        guard let (scheme, afterScheme) = url[...].split(atFirst: "://") else {
            throw .badURL("no scheme; it begins with redis://, rediss://, cluster://, clusters:// or unix://")
        }
        self.scheme = scheme.lowercased()
        guard !afterScheme.contains("#") else { throw .badURL("'#' must be written as %23") }
        let (beforeQuery, query) = afterScheme.cut(atFirst: "?")
        self.query = query
        // The last '@' ends the user part: a password that holds '/' or '@' unencoded is still read as its owner meant.
        let place: Substring
        if let at = beforeQuery.lastIndex(of: "@") {
            userInfo = beforeQuery[..<at]
            place = beforeQuery[beforeQuery.index(after: at)...]
        } else {
            userInfo = nil
            place = beforeQuery
        }
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        authority = place[..<slash]
        path = place[slash...]
    }

    /// At least one.
    func tcpEndpoints() throws(RedisError) -> [RedisConfiguration.Endpoint] {
        var endpoints: [RedisConfiguration.Endpoint] = []
        for place in authority.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try tcpEndpoint(place))
        }
        return endpoints
    }

    private func tcpEndpoint(_ authority: Substring) throws(RedisError) -> RedisConfiguration.Endpoint {
        var host = authority
        var port: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { throw .badURL("host lacks its closing bracket") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw .badURL("port must follow the bracket after ':'") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let (name, number) = authority.split(atFirst: ":") {
            guard !number.contains(":") else { throw .badURL("an IPv6 host must stand in brackets") }
            (host, port) = (name, number)
        }
        guard !host.isEmpty else { throw .badURL("host is missing") }
        guard let port else { return .tcp(host: try decode(host, part: "host"), port: 6379) }
        guard let number = UInt16(port), number > 0 else { throw .badURL("port is not a number from 1 to 65535") }
        return .tcp(host: try decode(host, part: "host"), port: Int(number))
    }

    func unixEndpoint() throws(RedisError) -> RedisConfiguration.Endpoint {
        guard authority.isEmpty else { throw .badURL("a socket's path begins with '/'") }
        guard path.count > 1 else { throw .badURL("path of the socket is missing") }
        return .unix(path: try decode(path, part: "path"))
    }

    func credentials() throws(RedisError) -> (username: String?, password: String?) {
        guard let userInfo, !userInfo.isEmpty else { return (nil, nil) }
        let (rawUser, rawPassword) = userInfo.cut(atFirst: ":")
        let user = try decode(rawUser, part: "user name")
        guard let rawPassword, !rawPassword.isEmpty else { throw .badURL("password is missing") }
        let password = try decode(rawPassword, part: "password")
        return (user.isEmpty ? nil : user, password)
    }

    func queryItems() throws(RedisError) -> [(String, String)] {
        var items: [(String, String)] = []
        for item in (query ?? "").split(separator: "&") {
            guard let (name, value) = item.split(atFirst: "=") else { throw .badURL("query item '\(item)' lacks '='") }
            items.append((try decode(name, part: "query"), try decode(value, part: "query item '\(name)'")))
        }
        return items
    }

    /// Replaces each `%XX` by its byte.
    private func decode(_ text: Substring, part: String) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value != 0
            else { throw .badURL("\(part) holds a '%' without two hexadecimal digits") }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .badURL("\(part) is not UTF-8")
        }
        return decoded
    }
}

extension Substring {
    /// The text before and after the first occurrence of `separator`.
    fileprivate func split(atFirst separator: String) -> (Substring, Substring)? {
        guard let range = firstRange(of: separator) else { return nil }
        return (self[..<range.lowerBound], self[range.upperBound...])
    }

    /// The same, or the whole text and nothing.
    fileprivate func cut(atFirst separator: String) -> (Substring, Substring?) {
        split(atFirst: separator).map { ($0, $1) } ?? (self, nil)
    }
}
