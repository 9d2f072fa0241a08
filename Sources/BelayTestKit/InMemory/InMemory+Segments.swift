import Belay

/// What is registered of a segment.
struct StoredSegment: Sendable {
    var registration: SegmentRegistration
    /// Its place in the order of all segments, too: each has one of its own.
    let created: Timestamp
}

extension ChangeSegments: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> [Outcome] {
        let outcomes: [Outcome]
        switch change {
        case .register(let segments): outcomes = try register(segments, &state)
        case .tag(let instances, let tag):
            outcomes = instances.map { instance in
                guard state.segments[instance] != nil else { return .gone }
                state.segments[instance]?.registration.tag = tag
                return .kept
            }
        case .forget(let instances):
            let counts = Tags(tags: instances).apply(to: &state)
            outcomes = zip(instances, counts).map { instance, counts in
                guard state.segments[instance] != nil else { return .gone }
                return counts.total > 0 ? .inUse : .forgotten
            }
            for (instance, outcome) in zip(instances, outcomes) where outcome == .forgotten {
                state.segments[instance] = nil
            }
        }
        state.tick()
        return outcomes
    }

    private func register(
        _ segments: [SegmentRegistration],
        _ state: inout InMemoryState
    ) throws(TrackerError) -> [Outcome] {
        var fresh: Set<TaskTag> = []
        for segment in segments {
            guard segment.parameters.bytes.count <= Limits.parameterBytes else {
                throw .largeParameters(segment.instance)
            }
            for parent in segment.parents where state.segments[parent] == nil && !fresh.contains(parent) {
                throw .unknownSegment(parent.description, parentOf: segment.instance)
            }
            if state.segments[segment.instance] == nil { fresh.insert(segment.instance) }
        }
        guard fresh.isEmpty || state.segments.count + fresh.count <= Limits.segments else { throw .fullOfSegments() }
        var created = max(state.now, state.segments.values.map { $0.created + .microseconds(1) }.max() ?? state.now)
        for segment in segments {
            if fresh.remove(segment.instance) != nil {
                state.segments[segment.instance] = StoredSegment(registration: segment, created: created)
                created = created + .microseconds(1)
            } else if let tag = segment.tag {
                state.segments[segment.instance]?.registration.tag = tag
            }
        }
        return segments.map { _ in .kept }
    }
}

extension Segments: InMemoryVerb {
    func apply(to state: inout InMemoryState) throws(TrackerError) -> SegmentPage {
        var last: Timestamp?
        if let cursor, !cursor.isEmpty {
            guard cursor.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(cursor) else {
                throw unknownCursor()
            }
            last = Timestamp(microseconds: number)
        }
        let found = state.segments.values.sorted { $0.created > $1.created }.filter { segment in
            let registration = segment.registration
            if let last, segment.created >= last { return false }
            if let created, !created.contains(segment.created) { return false }
            if let instances, !instances.contains(registration.instance) { return false }
            return (name ?? registration.name) == registration.name && (tag ?? registration.tag) == registration.tag
        }
        let page = Array(found.prefix(limit))
        let counts = Tags(tags: page.map(\.registration.instance)).apply(to: &state)
        return SegmentPage(
            segments: zip(page, counts).map { SegmentRecord($0.registration, created: $0.created, counts: $1) },
            cursor: found.count > limit ? page.last.map { "\($0.created.microseconds)" } : nil
        )
    }
}
