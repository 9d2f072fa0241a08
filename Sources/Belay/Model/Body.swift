/// Bytes with a content type: a payload or a result. Belay stores them as they are.
public struct Body: Sendable, Hashable {
    /// The bytes; may be empty.
    public var bytes: [UInt8]
    /// What they are; `application/json` unless said otherwise, at most 64 bytes.
    public var contentType: String

    /// JSON, the convention.
    public static let json = "application/json"
    /// No bytes.
    public static let empty = Body(bytes: [])

    /// Bytes of a type.
    public init(bytes: [UInt8], contentType: String = Body.json) {
        self.bytes = bytes
        self.contentType = contentType
    }

    /// UTF-8 text, `text/plain` unless said otherwise.
    public init(text: String, contentType: String = "text/plain") {
        self.init(bytes: Array(text.utf8), contentType: contentType)
    }

    /// The bytes as text; bytes that are not UTF-8 are replaced.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}
