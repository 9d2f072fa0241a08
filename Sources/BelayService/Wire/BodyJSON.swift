import Belay

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Bytes in an answer.
struct BodyJSON: Documented, Encodable {
    var base64: String
    var contentType: String

    static let docs = ["base64": "The bytes, in base64.", "contentType": "What they are."]

    init(_ body: Body) {
        base64 = Data(body.bytes).base64EncodedString()
        contentType = body.contentType
    }

    /// Nil where there are no bytes at all.
    init?(_ body: Body?) {
        guard let body, body != .empty else { return nil }
        self.init(body)
    }
}

/// Bytes in a request: exactly one of base64, text and JSON.
struct NewBodyJSON: Documented {
    var base64: String?
    var text: String?
    var json: JSONValue?
    var contentType: String?

    static let docs = [
        "base64": "The bytes, in base64. Exactly one of `base64`, `text` and `json` is given.",
        "text": "The bytes as text; `text/plain` unless `contentType` says otherwise.",
        "json": "The bytes as JSON, numbers and order of members as they stand here.",
        "contentType": "What the bytes are, at most 64 bytes; `application/json` unless said otherwise.",
    ]

    func body(_ field: String) throws -> Body {
        switch (base64, text, json) {
        case (let base64?, nil, nil):
            guard let data = Data(base64Encoded: base64) else {
                throw Problem(.invalidArgument, "\(field).base64 is no base64 (RFC 4648)", field: "\(field).base64")
            }
            return Body(bytes: Array(data), contentType: contentType ?? Body.json)
        case (nil, let text?, nil): return Body(text: text, contentType: contentType ?? "text/plain")
        case (nil, nil, let json?): return Body(bytes: Array(json.text.utf8), contentType: contentType ?? Body.json)
        default:
            throw Problem(
                .invalidArgument,
                "\(field) must have exactly one of base64, text and json",
                field: field,
                allowed: ["base64", "text", "json"]
            )
        }
    }
}

extension NewBodyJSON? {
    func body(_ field: String) throws -> Body { try self?.body(field) ?? .empty }
}
