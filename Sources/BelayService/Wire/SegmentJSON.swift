package import Belay

/// A registered segment of a pipeline.
package struct SegmentJSON: Documented, Encodable {
    var instance: TaskTag
    var name: String
    var key: String
    var version: String
    var kind: KindName
    var parameters: String
    var parents: [TaskTag]
    var rule: String
    var tag: TaskTag?
    var created: Timestamp
    var counts: SegmentCountsJSON

    static let docs = [
        "instance": "`name@key`: the tag of all its tasks.", "name": "Its name.",
        "key": "The digest of what its products depend on beside their inputs.", "version": "The version of its code.",
        "kind": "The kind of its tasks.", "parameters": "Its parameters, JSON as text.",
        "parents": "The segments whose products it works on.", "rule": "How these become inputs.",
        "tag": "The user's tag; absent when there is none.", "created": "When it was first registered.",
        "counts": "Its tasks.",
    ]

    package init(_ segment: SegmentRecord) {
        instance = segment.instance
        name = segment.name
        key = segment.key
        version = segment.version
        kind = segment.kind
        parameters = segment.parameters.text
        parents = segment.parents
        rule = segment.rule
        tag = segment.tag
        created = segment.created
        counts = SegmentCountsJSON(segment.counts)
    }
}

/// The tasks of a segment by status.
struct SegmentCountsJSON: Documented, Encodable {
    var queued: Int
    var running: Int
    var done: Int
    var failed: Int

    static let docs = [
        "queued": "Those that wait: ready, blocked or paused.", "running": "Those that a worker holds.",
        "done": "Those that have a product.", "failed": "Those that ended without one.",
    ]

    init(_ counts: TagCounts) {
        queued = counts.count(.queued)
        running = counts.count(.running)
        done = counts.count(.done)
        failed = counts.count(.failed)
    }
}

/// A segment to register.
struct NewSegmentJSON: Documented {
    var name: String
    var version: String?
    var parameters: JSONValue?
    var fileHashes: [String]?
    var parents: [String]?
    var rule: String?
    var tag: TaskTag?
    var kind: KindName?

    static let docs = [
        "name": "Its name, 1 to 49 of A-Z a-z 0-9 . _ : -.", "version": "The version of its code. Default `1`.",
        "parameters": "Its parameters, at most 4,096 bytes. Default `{}`.",
        "fileHashes": "SHA-256 of the files that it depends on, in hexadecimal.",
        "parents": "The names of the segments of this call whose products it works on.",
        "rule": "What the rule is called that makes inputs of products; it goes into the key. Default `cross`.",
        "tag": "A tag of the user's. Default: as it is stored.",
        "kind": "The kind of its tasks. Default: the name.",
    ]

    func segment(_ place: String) throws -> Segment {
        var segment = try Segment(
            name,
            version: version ?? "1",
            parents: parents ?? [],
            rule: rule.map(Multiplex.init(named:)) ?? .crossProduct,
            tag: tag,
            kind: kind
        )
        if let parameters { segment.parameters = Body(bytes: Array(parameters.text.utf8)) }
        segment.fileHashes = fileHashes ?? []
        return segment
    }
}
