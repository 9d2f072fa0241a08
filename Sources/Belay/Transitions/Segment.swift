import BelayScripts
package import RedisWire

/// Registers segments of pipelines, changes their tag, or forgets them.
package struct ChangeSegments: Verb {
    package enum Change: Sendable {
        /// Each behind its parents.
        case register([SegmentRegistration])
        /// Nil takes the tag away.
        case tag([TaskTag], TaskTag?)
        case forget([TaskTag])
    }

    package enum Outcome: String, Sendable {
        case kept = "KEPT"
        case forgotten = "FORGOTTEN"
        case inUse = "IN_USE"
        case gone = "GONE"
    }

    package static let script = RedisScript(.segment)
    package var change: Change

    private var count: Int {
        switch change {
        case .register(let segments): segments.count
        case .tag(let instances, _), .forget(let instances): instances.count
        }
    }

    package func validate() throws(TrackerError) {
        guard (1...Limits.segments).contains(count) else {
            throw .invalid("number of segments", count, allowed: "1 to \(Limits.segments)")
        }
    }

    package func encode(into call: inout ScriptCall) {
        call.keys()
        switch change {
        case .register(let segments):
            call.append("register")
            call.append(count)
            for segment in segments {
                call.append(segment.instance.description)
                call.append(segment.name)
                call.append(segment.key)
                call.append(segment.version)
                call.append(segment.kind.description)
                call.append(bytes: segment.parameters.bytes)
                call.append(segment.parents.map(\.description).joined(separator: "\n"))
                call.append(segment.rule)
                call.append(segment.tag?.description ?? "")
            }
        case .tag(let instances, let tag):
            call.append("tag")
            call.append(count)
            for instance in instances {
                call.append(instance.description)
                call.append(tag?.description ?? "")
            }
        case .forget(let instances):
            call.append("forget")
            call.append(count)
            for instance in instances { call.append(instance.description) }
        }
    }

    package func decode(_ reply: ScriptReply) throws(TrackerError) -> [Outcome] {
        switch reply.word {
        case "OK": break
        case "FULL": throw .fullOfSegments()
        case "TOO_LARGE": throw .largeParameters(try instance(reply))
        case "UNKNOWN_PARENT": throw .unknownSegment(try reply.string(3), parentOf: try instance(reply))
        default: throw reply.unexpected()
        }
        let words = try reply.list(2)
        guard words.count == count else { throw reply.malformed("\(words.count) answers for \(count) segments") }
        var outcomes: [Outcome] = []
        for word in words {
            guard let outcome = Outcome(rawValue: try reply.text(word)) else {
                throw reply.malformed("\(word) is no outcome")
            }
            outcomes.append(outcome)
        }
        return outcomes
    }

    private func instance(_ reply: ScriptReply) throws(TrackerError) -> TaskTag {
        let index = try reply.int(2)
        guard case .register(let segments) = change, segments.indices.contains(index - 1) else {
            throw reply.malformed("there is no segment \(index)")
        }
        return segments[index - 1].instance
    }

    /// Segments are registered in the first partition. Their tasks may lie in any.
    package func spread(over tracker: PartitionedBackend) async throws(TrackerError) -> [Outcome] {
        guard case .forget(let instances) = change else { return try await tracker.first(self) }
        var used: Set<TaskTag> = []
        for start in stride(from: 0, to: instances.count, by: Limits.tagsPerQuery) {
            let some = Array(instances[start..<min(start + Limits.tagsPerQuery, instances.count)])
            for counts in try await tracker.perform(Tags(tags: some)) where counts.total > 0 { used.insert(counts.tag) }
        }
        let unused = instances.filter { !used.contains($0) }
        var outcomes = unused.isEmpty ? [] : try await tracker.first(ChangeSegments(change: .forget(unused)))
        outcomes.reverse()
        return instances.map { used.contains($0) ? .inUse : outcomes.popLast() ?? .gone }
    }
}

extension TrackerError {
    package static func fullOfSegments() -> TrackerError {
        TrackerError(
            .full,
            "the tracker would have more than \(Limits.segments) segments, which is the limit; forget old ones"
        )
    }

    package static func largeParameters(_ instance: TaskTag) -> TrackerError {
        TrackerError(
            .tooLarge,
            "the parameters of segment “\(instance)” are over \(Limits.parameterBytes) bytes of JSON"
        )
    }

    package static func unknownSegment(_ parent: String, parentOf instance: TaskTag) -> TrackerError {
        TrackerError(
            .unknownParent,
            "segment “\(instance)” follows “\(parent)”, which is not registered; nothing was registered"
        )
    }
}
