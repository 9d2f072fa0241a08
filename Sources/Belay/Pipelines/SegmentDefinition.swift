import Crypto

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension Limits {
    /// Segments in one tracker, and in one pipeline: 1,000.
    public static let segments = 1000
    /// Bytes of a segment's name: 1 to 49 of `A-Z a-z 0-9 . _ : -`, so that it and the key are a tag.
    public static let segmentNameBytes = 49
    /// Bytes of a segment's parameters as JSON: 4 KiB.
    public static let parameterBytes = 4 << 10
    /// Tasks, and so products, of one segment in one run of a pipeline: 100,000.
    public static let products = 100_000
    /// Combinations of products that the rules of one segment look at: 10,000,000.
    public static let combinations = 10_000_000
    /// Segments in a page of a listing: 100.
    public static let segmentsPerPage = 100
}

/// One kind of step of a pipeline: what does the work, in which version and with which parameters, and what it works on.
///
/// Each of its tasks turns one input into one product. What a product depends on beside its input goes into the segment's key:
/// name, version, parameters, the content of declared files, the rule, and the keys of the parents. As long as the key is the
/// same, the product of an input is made once and used again by all later runs.
public struct Segment: Sendable {
    /// When tasks of a segment are created: when so many tasks of its parents have ended. Failed ones count as ended; their
    /// products are missing.
    public enum Start: Sendable, Hashable {
        /// All of them. The default, as pipelet has it.
        case all
        /// One of them; then for each product as it comes.
        case any
        /// So large a share of them, above 0 to 1, once all of them exist; then for each product as it comes.
        case share(Double)
    }

    /// Its name: 1 to 49 of `A-Z a-z 0-9 . _ : -`.
    public var name: String
    /// The version of its code: any text up to 64 bytes.
    public var version: String
    /// Its parameters as JSON, with the names of objects in order.
    public var parameters: Body
    /// Files beside the code that it depends on, by path; their content goes into the key.
    public var files: [String]
    /// The same by the SHA-256 of the content, in hexadecimal.
    public var fileHashes: [String]
    /// The segments whose products it works on, in the order of their products in an input. Without any it is an orphan,
    /// whose inputs the caller gives.
    public var parents: [String]
    /// How the products of its parents become inputs.
    public var rule: Multiplex
    /// When its tasks are created.
    public var start: Start
    /// A tag of the user's own for it and its tasks.
    public var tag: TaskTag?
    /// The kind of its tasks; the name unless given.
    public var kind: KindName
    /// What the kind is defined with where the tracker does not know it.
    public var policy: KindPolicy

    /// A segment without parameters.
    /// - Throws: ``TrackerError`` (`invalidArgument`) for what is not allowed.
    public init(
        _ name: String,
        version: String = "1",
        files: [String] = [],
        parents: [String] = [],
        rule: Multiplex = .crossProduct,
        start: Start = .all,
        tag: TaskTag? = nil,
        kind: KindName? = nil,
        policy: KindPolicy = .default
    ) throws(TrackerError) {
        self.name = name
        self.version = version
        parameters = Body(bytes: Array("{}".utf8))
        self.files = files
        fileHashes = []
        self.parents = parents
        self.rule = rule
        self.start = start
        self.tag = tag
        if let kind { self.kind = kind } else { self.kind = try KindName(name) }
        self.policy = policy
        try validate()
    }

    /// A segment with parameters, which are kept as JSON.
    /// - Throws: ``TrackerError`` (`payload`, `tooLarge`, `invalidArgument`).
    public init(
        _ name: String,
        version: String = "1",
        parameters: some Encodable,
        files: [String] = [],
        parents: [String] = [],
        rule: Multiplex = .crossProduct,
        start: Start = .all,
        tag: TaskTag? = nil,
        kind: KindName? = nil,
        policy: KindPolicy = .default
    ) throws(TrackerError) {
        try self.init(
            name,
            version: version,
            files: files,
            parents: parents,
            rule: rule,
            start: start,
            tag: tag,
            kind: kind,
            policy: policy
        )
        self.parameters = try Body(encoding: parameters)
        try validate()
    }

    func validate() throws(TrackerError) {
        guard Names.isName(name, extra: ".:_-", limit: Limits.segmentNameBytes) else {
            let allowed =
                "1 to \(Limits.segmentNameBytes) of A-Z a-z 0-9 . _ : -, beginning with a letter or digit"
            throw .invalid("segment", name, allowed: allowed)
        }
        try Names.checkNote("version of segment “\(name)”", version)
        try Names.checkNote("rule of segment “\(name)”", rule.description)
        guard parameters.bytes.count <= Limits.parameterBytes else {
            throw TrackerError(
                .tooLarge,
                "the parameters of segment “\(name)” are \(parameters.bytes.count) bytes of JSON; allowed: "
                    + "\(Limits.parameterBytes)"
            )
        }
        if case .share(let share) = start, !(share > 0 && share <= 1) {
            throw .invalid("share of the parents' tasks", share, allowed: "above 0 to 1")
        }
        for hash in fileHashes
        where hash.utf8.count != 64 || !hash.utf8.allSatisfy("0123456789abcdef".utf8.contains) {
            throw .invalid("hash of a file", hash, allowed: "SHA-256 in 64 hexadecimal digits, small letters")
        }
        try policy.validate()
    }

    /// The key: what the segment's products depend on beside their inputs, as 12 hexadecimal digits.
    func key(parentKeys: [String]) throws(TrackerError) -> String {
        var parts = ["segment", name, version, parameters.text, rule.description, "\(parentKeys.count)"]
        parts += parentKeys
        parts += fileHashes
        for file in files { parts.append(try Self.hash(ofFile: file, segment: name)) }
        return Digest.hex(of: parts.map { Array($0.utf8) }, count: 12)
    }

    private static func hash(ofFile path: String, segment: String) throws(TrackerError) -> String {
        do {
            return Digest.hex(SHA256.hash(data: try Data(contentsOf: URL(filePath: path))), count: 64)
        } catch {
            throw TrackerError(
                .invalidArgument,
                "file “\(path)”, which segment “\(segment)” declares, cannot be read: \(error)",
                cause: error
            )
        }
    }
}

/// SHA-256 in hexadecimal.
enum Digest {
    /// Of some bytes after others, each with their number in front, so that no two lists look the same.
    static func hex(of parts: [[UInt8]], count: Int) -> String {
        var hash = SHA256()
        for part in parts {
            hash.update(data: Array("\(part.count):".utf8))
            hash.update(data: part)
        }
        return hex(hash.finalize(), count: count)
    }

    /// The first digits of a digest.
    static func hex(_ digest: SHA256.Digest, count: Int) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest where text.count < count { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text.prefix(count), as: UTF8.self)
    }
}
