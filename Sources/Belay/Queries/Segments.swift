import BelayScripts
package import RedisWire

/// Registered segments with their tasks by state.
package struct Segments: Verb {
    package static let script = RedisScript(.segments)
    package var limit = Limits.segmentsPerPage
    package var cursor: String?
    package var name: String?
    /// Nil for all.
    package var instances: [TaskTag]?
    package var tag: TaskTag?
    package var created: Range<Timestamp>?

    package init() {}

    package func validate() throws(TrackerError) {
        guard (1...Limits.segmentsPerPage).contains(limit) else {
            throw .invalid("page size", limit, allowed: "1 to \(Limits.segmentsPerPage)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        call.append(limit)
        call.append(cursor ?? "")
        call.append(name ?? "")
        call.append(instances?.map(\.description).joined(separator: "\n") ?? "")
        call.append(tag?.description ?? "")
        call.append(created.map { "\($0.lowerBound.microseconds)" } ?? "")
        call.append(created.map { "\($0.upperBound.microseconds)" } ?? "")
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> SegmentPage {
        if reply.word == "BAD_CURSOR" { throw unknownCursor() }
        try reply.requireOK()
        let cursor = try reply.string(2)
        var segments: [SegmentRecord] = []
        for item in try reply.list(3) { segments.append(try segment(try reply.items(item), reply)) }
        return SegmentPage(segments: segments, cursor: cursor.isEmpty ? nil : cursor)
    }

    package func unknownCursor() -> TrackerError {
        .invalid("cursor", cursor ?? "", allowed: "what the page before returned")
    }

    private func segment(_ parts: [RedisReply], _ reply: ScriptReply) throws(TrackerError) -> SegmentRecord {
        guard parts.count == 18 else { throw reply.malformed("a segment of \(parts.count) parts") }
        var texts: [String] = []
        for part in parts[..<10] { texts.append(try reply.text(part)) }
        guard let created = reply.optionalMoment(parts[9]) else { throw reply.malformed("a segment without a time") }
        let instance = TaskTag(trusted: texts[0])
        var numbers: [Int] = []
        for part in parts[10...] { numbers.append(try reply.number(part)) }
        let registration = SegmentRegistration(
            instance: instance,
            name: texts[1],
            version: texts[3],
            kind: KindName(trusted: texts[4]),
            parameters: Body(bytes: try reply.bytes(parts[5])),
            parents: texts[6].split(separator: "\n").map { TaskTag(trusted: String($0)) },
            rule: texts[7],
            tag: texts[8].isEmpty ? nil : TaskTag(trusted: texts[8])
        )
        return SegmentRecord(registration, created: created, counts: TagCounts(tag: instance, numbers: numbers))
    }

    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> SegmentPage {
        var page = try await tracker.first(self)
        guard !page.segments.isEmpty else { return page }
        let counts = try await tracker.perform(Tags(tags: page.segments.map(\.instance)))
        for (place, counts) in counts.enumerated() { page.segments[place].counts = counts }
        return page
    }
}

extension TagCounts {
    /// Counts in the order in which scripts tell them.
    fileprivate init(tag: TaskTag, numbers: [Int]) {
        self.init(tag: tag)
        (ready, running, paused, succeeded) = (numbers[0], numbers[1], numbers[2], numbers[3])
        (exhausted, cancelled, ignored, blocked) = (numbers[4], numbers[5], numbers[6], numbers[7])
    }
}
