import Crypto

/// A Lua script: constant text, known to the server by the SHA-1 of its source.
///
/// Parameters travel as keys and arguments only; never build `source` from data.
public struct RedisScript: Sendable {
    /// A name for logs and errors.
    public let name: String
    /// The Lua source.
    public let source: String
    /// The SHA-1 of the source in lower-case hexadecimal (40 characters), as `EVALSHA` expects it.
    public let sha1: String

    /// Creates a script and computes its SHA-1 once.
    public init(name: String, source: String) {
        self.name = name
        self.source = source
        let hexadecimal = Array("0123456789abcdef".utf8)
        let digits = Insecure.SHA1.hash(data: Array(source.utf8)).flatMap { byte in
            [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
        }
        self.sha1 = String(decoding: digits, as: UTF8.self)
    }
}
