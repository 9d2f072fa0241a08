import BelayScripts
package import RedisWire

/// Foreign workers.
package struct Fleet: Verb {
    package static let script = RedisScript(.fleet)
    package var limit: Int

    package init(limit: Int) { self.limit = limit }

    package func validate() throws(TrackerError) { try HolderBatch.check(limit) }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [ForeignWorker] {
        try reply.requireOK()
        let now = try reply.moment()
        var workers: [ForeignWorker] = []
        for row in try reply.list(2) {
            let (hostname, fields) = try reply.named(row)
            workers.append(
                ForeignWorker(
                    hostname: hostname,
                    beats: (fields["b"] ?? "").split(separator: " ").compactMap { ScriptReply.moment($0) },
                    left: fields["off"].flatMap { ScriptReply.moment($0) },
                    drift: fields["drift"].flatMap { ScriptReply.exact($0) }.map { .microseconds($0) },
                    fields: fields,
                    interval: fields["freq"].flatMap { ScriptReply.exact($0) }.map { .microseconds($0) },
                    now: now
                )
            )
        }
        return workers
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [ForeignWorker] {
        try await tracker.first(self)
    }
}

extension ScriptReply {
    /// A row of a name, and fields with their values.
    func named(_ row: RedisReply) throws(TrackerError) -> (name: String, fields: [String: String]) {
        let parts = try items(row)
        guard parts.count % 2 == 1 else { throw malformed("a row of \(parts.count) parts") }
        var fields: [String: String] = [:]
        for i in stride(from: 1, to: parts.count, by: 2) { fields[try text(parts[i])] = try text(parts[i + 1]) }
        return (try text(parts[0]), fields)
    }

    /// A whole number of at most 2^53.
    static func exact(_ text: some StringProtocol) -> Int? {
        Int(text).flatMap { $0.magnitude <= 1 << 53 ? $0 : nil }
    }

    static func moment(_ text: some StringProtocol) -> Timestamp? { exact(text).map(Timestamp.init(microseconds:)) }
}
