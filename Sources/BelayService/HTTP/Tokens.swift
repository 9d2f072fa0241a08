import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Who may do what: bearer tokens, kept and compared as digests, in a time that tells nothing of them.
struct Tokens: Sendable {
    /// A token: 16 to 512 printable ASCII characters without spaces.
    static let lengths = 16...512

    private let known: [(digest: SHA256.Digest, access: Dispatcher.Access)]

    var isEmpty: Bool { known.isEmpty }

    /// - Throws: ``Problem`` (`invalidArgument`) that does not show the token.
    init(readOnly: [String], readWrite: [String]) throws(Problem) {
        for token in readOnly + readWrite {
            guard Self.lengths.contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                throw Problem(
                    .invalidArgument,
                    "a token of \(token.utf8.count) bytes is not allowed; allowed: \(Self.lengths.lowerBound) to "
                        + "\(Self.lengths.upperBound) printable ASCII characters without spaces"
                )
            }
        }
        guard Set(readOnly).isDisjoint(with: readWrite) else {
            throw Problem(.invalidArgument, "a token cannot be both read-only and read-write")
        }
        known =
            readOnly.map { (Self.digest($0), .readOnly) } + readWrite.map { (Self.digest($0), .readWrite) }
    }

    private static func digest(_ token: String) -> SHA256.Digest { SHA256.hash(data: Data(token.utf8)) }

    /// What the sender of an `Authorization` field may do. Without tokens everybody may do everything.
    /// - Throws: ``Problem`` (`unauthenticated`).
    func access(_ authorization: String?) throws(Problem) -> Dispatcher.Access {
        guard !isEmpty else { return .readWrite }
        guard let authorization, authorization.prefix(7).lowercased() == "bearer " else {
            throw Problem(.unauthenticated, "send the field Authorization: Bearer TOKEN")
        }
        let digest = Self.digest(String(authorization.dropFirst(7).drop { $0 == " " }))
        var access: Dispatcher.Access?
        // Every digest is compared, the right one too, and each comparison takes the same time.
        for token in known where token.digest == digest { access = token.access }
        guard let access else { throw Problem(.unauthenticated, "the service does not know this token") }
        return access
    }
}
