extension Tracker {
    /// Registers all segments of a pipeline, with what follows what: all of them, or none. A segment that is registered
    /// already stays as it is, but for its tag when one is given. A ``PipelineRunner`` does this by itself.
    /// - Throws: ``TrackerError`` (`full` beyond 1,000 segments, or of the server).
    public func registerSegments(of pipeline: Pipeline) async throws(TrackerError) {
        _ = try await perform(ChangeSegments(change: .register(pipeline.registrations)))
    }

    /// A page of registered segments with their tasks by state, the newest first.
    /// - Parameters:
    ///   - name: Only those of that name, whatever their key.
    ///   - instances: Only these.
    ///   - tag: Only those with that tag of the user's.
    ///   - created: Only those first registered from then to before then.
    ///   - limit: Segments in a page, 1 to 100.
    ///   - cursor: Where the page begins: nil, or what the page before returned.
    /// - Throws: ``TrackerError`` (`invalidArgument`, or of the server).
    public func segments(
        named name: String? = nil,
        instances: [TaskTag]? = nil,
        tag: TaskTag? = nil,
        created: Range<Timestamp>? = nil,
        limit: Int = Limits.segmentsPerPage,
        cursor: String? = nil
    ) async throws(TrackerError) -> SegmentPage {
        if let instances, instances.isEmpty { return SegmentPage(segments: [], cursor: nil) }
        var query = Segments()
        query.name = name
        query.instances = instances
        query.tag = tag
        query.created = created
        query.limit = limit
        query.cursor = cursor
        return try await perform(query)
    }

    /// Gives segments (1 to 1,000) a tag of the user's, or takes it away. Tasks that exist keep the tags they have.
    /// - Returns: Those that there are not.
    /// - Throws: ``TrackerError`` (`invalidArgument`, or of the server).
    @discardableResult
    public func tagSegments(_ instances: [TaskTag], _ tag: TaskTag?) async throws(TrackerError) -> [TaskTag] {
        let outcomes = try await perform(ChangeSegments(change: .tag(instances, tag)))
        return zip(instances, outcomes).filter { $0.1 == .gone }.map(\.0)
    }

    /// Forgets a segment of which no tasks are left. To be rid of them: ``clean(tag:)`` and ``delete(_:force:)``.
    /// - Throws: ``TrackerError`` of the server.
    public func forgetSegment(_ instance: TaskTag) async throws(TrackerError) -> ForgetOutcome {
        switch try await perform(ChangeSegments(change: .forget([instance])))[0] {
        case .forgotten: return .forgotten
        case .inUse: return .inUse
        case .gone, .kept: return .notFound
        }
    }
}
