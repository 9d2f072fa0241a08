/// Segments that feed one another.
///
/// ```swift
/// let pipeline = try Pipeline([
///     Segment("scan", version: "2"),
///     Segment("checksum", parents: ["scan"]),
///     Segment("report", parents: ["checksum"], rule: .gather),
/// ])
/// let runner = PipelineRunner(tracker, pipeline, inputs: ["scan": paths])
/// print(try await runner.execute())
/// ```
///
/// On a tracker of several partitions all tasks of a pipeline lie in one, that of the first by name of its segments without
/// parents; pipelines that differ there share no products.
public struct Pipeline: Sendable {
    /// The segments, each behind its parents.
    public let segments: [Segment]
    private let instances: [String: TaskTag]

    /// A pipeline. Declared files are read, to know their content.
    /// - Throws: ``TrackerError`` (`invalidArgument`, also of a cycle, which is named as in `a -> b -> a`, and of a file that
    ///   cannot be read; `unknownParent`; `tooLarge`).
    public init(_ segments: [Segment]) throws(TrackerError) {
        guard (1...Limits.segments).contains(segments.count) else {
            throw .invalid("number of segments", segments.count, allowed: "1 to \(Limits.segments)")
        }
        for segment in segments { try segment.validate() }
        let order = try Topology.sort(segments.map { ($0.name, $0.parents) }, what: "segment")
        var sorted: [Segment] = []
        var keys: [String: String] = [:]
        for place in order {
            let segment = segments[place]
            keys[segment.name] = try segment.key(parentKeys: segment.parents.compactMap { keys[$0] })
            sorted.append(segment)
        }
        self.segments = sorted
        instances = keys.reduce(into: [:]) { $0[$1.key] = TaskTag(trusted: "\($1.key)@\($1.value)") }
    }

    /// The name of a segment together with its key, `name@key`: the tag of all its tasks.
    /// - Returns: Nil when there is no such segment.
    public func instance(of segment: String) -> TaskTag? { instances[segment] }

    /// What is registered of the segments.
    var registrations: [SegmentRegistration] {
        segments.map { segment in
            SegmentRegistration(
                instance: tag(of: segment),
                name: segment.name,
                version: segment.version,
                kind: segment.kind,
                parameters: segment.parameters,
                parents: segment.parents.compactMap { instances[$0] },
                rule: segment.rule.description,
                tag: segment.tag
            )
        }
    }

    /// What all tasks of the pipeline have in braces on a tracker of several partitions, so that they lie in one: the first by
    /// name of its segments without parents. Pipelines that share it share products as on a tracker of one partition.
    var key: TaskTag? { segments.filter(\.parents.isEmpty).map { tag(of: $0) }.min { $0.description < $1.description } }

    func tag(of segment: Segment) -> TaskTag { instances[segment.name] ?? TaskTag(trusted: segment.name) }
}

/// Names of what a pipeline creates.
enum SegmentTask {
    /// The id of the task for an input: the same input of the same segment is the same task.
    /// - Parameter key: What keeps the tasks of a pipeline in one partition; nil on a tracker of one.
    static func id(_ instance: TaskTag, input: [Body], group: String? = nil, key: TaskTag? = nil) -> TaskID {
        var parts = ["input", group == nil ? "-" : "+", group ?? ""].map { Array($0.utf8) }
        for body in input { parts += [Array(body.contentType.utf8), body.bytes] }
        let head = key.map { "{\($0)}" } ?? ""
        return TaskID(trusted: "\(head)\(instance)/\(Digest.hex(of: parts, count: 24))")
    }

    /// The segment `name@key` of a task; nil for a task of no segment.
    static func instance(of id: TaskID) -> TaskTag? {
        guard var text = split(id)?.head[...] else { return nil }
        if text.hasPrefix("{"), let brace = text.firstIndex(of: "}") { text = text[brace...].dropFirst() }
        return text.contains("@") ? TaskTag(trusted: String(text)) : nil
    }

    /// What the ids of all tasks of a segment begin with, and what tells one from the others.
    static func split(_ id: TaskID) -> (head: String, tail: String)? {
        let text = id.description
        guard let slash = text.lastIndex(of: "/") else { return nil }
        return (String(text[..<slash]), String(text[slash...].dropFirst()))
    }
}

/// What a task of a segment with parents has as its payload: which products it works on, as far as its parents do not say.
struct SegmentPayload: Codable, Sendable {
    /// How many products.
    var inputs: Int
    /// The key of its group.
    var group: String?
    /// The tasks that made the products when they are more than 100: what their ids begin with, then the last part of each.
    var from: [[String]]?

    init(_ input: Multiplex.Input) {
        inputs = input.products.count
        group = input.group
        guard inputs > Limits.parents else { return }
        var runs: [[String]] = []
        for product in input.products {
            guard let (head, tail) = SegmentTask.split(product.task) else { continue }
            if runs.last?.first != head { runs.append([head]) }
            runs[runs.count - 1].append(tail)
        }
        from = runs
    }

    /// The tasks that `from` names.
    var tasks: [TaskID] {
        (from ?? []).flatMap { run in run.dropFirst().map { TaskID(trusted: "\(run[0])/\($0)") } }
    }
}
