/// An error reply of the server.
public struct RedisServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The whole text of the reply, first word included.
    public let message: String

    /// Creates an error from the text of an error reply, without its leading `-`.
    public init(message: String) {
        self.message = message
    }

    /// The first word of the reply: `WRONGTYPE`, `NOSCRIPT`, `ERR`.
    public var prefix: String { Self.firstWord(message) }

    /// The word that says what went wrong: ``prefix``, or the word of the error inside a script.
    ///
    /// Redis 6 wraps an error of a command inside a script: `ERR Error running script (call to f_…): @user_script:1:
    /// @user_script: 1: -OOM command not allowed …`; here the answer is `OOM`. Redis 7 answers with the inner error itself
    /// and appends `script: <sha>, on @user_script:1.`.
    public var reason: String {
        let prefix = prefix
        guard prefix == "ERR" else { return prefix }
        if let inner = Self.wrappedWord(message) { return inner }
        return message.hasPrefix("ERR max number of clients") ? "MAXCLIENTS" : prefix
    }

    /// The text of the reply.
    public var description: String { message }

    private static func firstWord(_ text: some StringProtocol) -> String {
        String(text.prefix { $0 != " " })
    }

    /// The upper-case word after `: -` in a message that quotes another error.
    private static func wrappedWord(_ message: String) -> String? {
        guard message.hasPrefix("ERR Error running script") else { return nil }
        let bytes = Array(message.utf8)
        let marker = Array(": -".utf8)
        for start in bytes.indices.dropLast(marker.count) where bytes[start...].starts(with: marker) {
            let word = bytes[(start + marker.count)...].prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
            if word.count > 1 { return String(decoding: word, as: UTF8.self) }
        }
        return nil
    }
}

extension RedisServerError {
    /// Refusals that pass by themselves: another try may succeed.
    ///
    /// `MOVED` and `ASK` reach a caller only after too many of them, or on a connection that stays where it is. A client
    /// of a single server makes another error of them, see `RedisError.forSingleServer`.
    private static let passing: Set<String> = [
        "ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MAXCLIENTS", "MOVED", "NOREPLICAS", "READONLY",
        "TRYAGAIN", "UNBLOCKED",
    ]

    /// Whether the server refuses only for now.
    var isRetriable: Bool { Self.passing.contains(reason) }

    /// Whether another connection may fare better: this one leads to a server that no longer is the master, or is no
    /// longer logged in.
    var callsForNewConnection: Bool { isUnauthorised || reason == "READONLY" }

    /// Whether the server does not know, or no longer accepts, who we are.
    var isUnauthorised: Bool { ["NOAUTH", "WRONGPASS"].contains(prefix) || isOldWrongPassword }

    /// Redis before 6 answers a wrong password with `ERR invalid password`.
    private var isOldWrongPassword: Bool { message.hasPrefix("ERR invalid password") }
}
