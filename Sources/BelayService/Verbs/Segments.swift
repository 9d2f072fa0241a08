import Belay

extension VerbTable {
    static let segments = [
        VerbEntry(
            "registerSegments",
            "Registers all segments of a pipeline, or none; what is registered already stays as it is, but for its tag.",
            isWrite: true,
            errors: [.unknownParent, .tooLarge, .full]
        ) { (call, request: RegisterSegmentsRequest) in
            var segments: [Segment] = []
            for (place, segment) in request.segments.enumerated() {
                segments.append(try segment.segment("segments[\(place)]"))
            }
            let pipeline = try Pipeline(segments)
            try await call.tracker.registerSegments(of: pipeline)
            return RegisterSegmentsResponse(instances: segments.compactMap { pipeline.instance(of: $0.name) })
        },
        VerbEntry(
            "segments",
            "A page of registered segments with their tasks by status, the newest first.",
            isWrite: false
        ) { (call, request: SegmentsRequest) in
            let page = try await call.tracker.segments(
                named: request.name,
                instances: request.instances,
                tag: request.tag,
                created: try request.created(),
                limit: request.limit ?? Limits.segmentsPerPage,
                cursor: request.cursor
            )
            return SegmentsResponse(segments: page.segments.map(SegmentJSON.init), cursor: page.cursor)
        },
        VerbEntry(
            "tagSegments",
            "Gives segments a tag of the user's, or takes it away; tasks that exist keep their tags.",
            isWrite: true
        ) { (call, request: TagSegmentsRequest) in
            TagSegmentsResponse(notFound: try await call.tracker.tagSegments(request.instances, request.tag))
        },
        VerbEntry("forgetSegment", "Forgets a segment of which no tasks are left.", isWrite: true) {
            (call, request: ForgetSegmentRequest) in
            ForgetSegmentResponse(outcome: try await call.tracker.forgetSegment(request.instance))
        },
    ]
}

extension ForgetOutcome: Words {}

struct RegisterSegmentsRequest: Documented {
    var segments: [NewSegmentJSON]

    static let docs = ["segments": "The segments (1 to 1,000), in any order; they follow one another without a cycle."]
}

struct RegisterSegmentsResponse: Documented, Encodable {
    var instances: [TaskTag]

    static let docs = [
        "instances":
            "Each segment's `name@key`, in their order: the tag that its tasks are to have, and the begin of their ids."
    ]
}

struct SegmentsRequest: Documented, CreatedWithin {
    var name: String?
    var instances: [TaskTag]?
    var tag: TaskTag?
    var createdFrom: Timestamp?
    var createdTo: Timestamp?
    var limit: Int?
    var cursor: String?

    static let docs = [
        "name": "Only those of that name.", "instances": "Only these, `name@key`.",
        "tag": "Only those with that tag of the user's.", "createdFrom": "Only those first registered from then on.",
        "createdTo": "Only those first registered before then.",
        "limit": "Segments in a page, 1 to 100. Default 100.",
        "cursor": "Where the page begins: what the page before returned.",
    ]
}

struct SegmentsResponse: Documented, Encodable {
    var segments: [SegmentJSON]
    var cursor: String?

    static let docs = ["segments": "The segments.", "cursor": "Where the next page begins; absent on the last."]
}

struct TagSegmentsRequest: Documented {
    var instances: [TaskTag]
    var tag: TaskTag?

    static let docs = [
        "instances": "The segments (1 to 1,000), `name@key`.", "tag": "The tag; absent to take it away.",
    ]
}

struct TagSegmentsResponse: Documented, Encodable {
    var notFound: [TaskTag]

    static let docs = ["notFound": "Those that there are not."]
}

struct ForgetSegmentRequest: Documented {
    var instance: TaskTag

    static let docs = ["instance": "The segment, `name@key`."]
}

struct ForgetSegmentResponse: Documented, Encodable {
    var outcome: ForgetOutcome

    static let docs = ["outcome": "What became of it; `inUse` while tasks of it exist."]
}
