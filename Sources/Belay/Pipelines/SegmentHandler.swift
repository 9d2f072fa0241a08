import Logging
import Synchronization

/// What a task of a segment works on.
public struct SegmentInputs: Sendable {
    /// The segment as it is registered.
    public let segment: SegmentRecord
    /// The products of the parents, in the order of the rule; of an orphan the one input that it was given.
    public let products: [Product]
    /// The key of the group, of a rule that groups.
    public let group: String?

    /// The segment's parameters.
    /// - Throws: ``TrackerError`` (`payload`) naming the type.
    public func parameters<T: Decodable>(as type: T.Type = T.self) throws(TrackerError) -> T {
        try segment.parameters.decoded()
    }

    /// The products as Swift values.
    /// - Parameter parent: Only those of that segment.
    /// - Throws: ``TrackerError`` (`payload`) naming the type.
    public func decoded<T: Decodable>(from parent: String? = nil, as type: T.Type = T.self) throws(TrackerError) -> [T]
    {
        var values: [T] = []
        for product in products where parent == nil || product.segment == parent {
            values.append(try product.decoded())
        }
        return values
    }

    /// The only product, or the only one of a segment, as a Swift value.
    /// - Throws: ``TrackerError`` (`payload`) naming the type, or how many there are when it is not one.
    public func one<T: Decodable>(from parent: String? = nil, as type: T.Type = T.self) throws(TrackerError) -> T {
        let values: [T] = try decoded(from: parent)
        guard let value = values.first, values.count == 1 else {
            let source = parent.map { " of segment “\($0)”" } ?? ""
            throw TrackerError(.payload, "there are \(values.count) products\(source), not one")
        }
        return value
    }
}

extension Segment {
    /// What a ``Worker`` does with the tasks of this segment: they are handed the outputs of their parents' tasks, read through
    /// the tracker, and the parameters as they are registered. What the body returns is stored as JSON, and is the product.
    ///
    /// A task of another version of the segment is put off for 10 s, for a worker of that version.
    public func handler<Output: Encodable & Sendable>(
        on tracker: Tracker,
        _ body: @escaping @Sendable (SegmentInputs, ClaimContext) async throws -> Output
    ) -> Handler {
        let (registry, version) = (SegmentRegistry(tracker), version)
        return Handler(kind, policy: policy) { context in
            do {
                let record = try await registry.segment(of: context.claim.id)
                guard record.version == version else {
                    context.logger.debug("task of segment \(record.instance), version \(record.version), is put off")
                    throw Snooze(for: .seconds(10))
                }
                let inputs = try await record.inputs(of: context.claim, on: tracker)
                let output = try await body(inputs, context)
                return output is NoOutput ? .empty : try Body(encoding: output)
            } catch let error as TrackerError where error.code == .cancelled {
                // A worker that shuts down hands the task back.
                throw CancellationError()
            }
        }
    }
}

extension SegmentRecord {
    /// What a claimed task works on.
    fileprivate func inputs(of claim: Claim, on tracker: Tracker) async throws -> SegmentInputs {
        guard !parents.isEmpty else {
            let input = Product(segment: name, task: claim.id, body: claim.payload)
            return SegmentInputs(segment: self, products: [input], group: nil)
        }
        let payload: SegmentPayload
        do throws(TrackerError) {
            payload = try claim.payload.decoded()
        } catch {
            throw PermanentFailure(TaskFailure(type: "payload", message: error.message))
        }
        let products =
            try await payload.from == nil
            ? Self.products(ofParentsOf: claim.id, tracker) : Self.products(of: payload.tasks, tracker)
        guard products.count == payload.inputs else {
            throw TaskFailure(type: "inputs", message: "\(products.count) of \(payload.inputs) products are there")
        }
        return SegmentInputs(segment: self, products: products, group: payload.group)
    }

    private static func products(ofParentsOf id: TaskID, _ tracker: Tracker) async throws -> [Product] {
        var products: [Product] = []
        for parent in try await tracker.parents(of: id) ?? [] {
            guard case .task(let task) = parent.parent else { continue }
            products.append(try product(of: task, parent.state, parent.result))
        }
        return products
    }

    private static func products(of ids: [TaskID], _ tracker: Tracker) async throws -> [Product] {
        var products: [Product] = []
        for start in stride(from: 0, to: ids.count, by: 100) {
            let some = Array(ids[start..<min(start + 100, ids.count)])
            for (id, record) in zip(some, try await tracker.get(some)) {
                products.append(try product(of: id, record?.state, record?.result))
            }
        }
        return products
    }

    private static func product(of task: TaskID, _ state: TaskState?, _ result: Body?) throws -> Product {
        guard state == .succeeded else {
            let what = state.map(\.description) ?? "gone"
            throw TaskFailure(type: "inputs", message: "the product of \(task) is not there: the task is \(what)")
        }
        let segment = SegmentTask.instance(of: task)?.description.split(separator: "@").first.map(String.init)
        return Product(segment: segment ?? "", task: task, body: result ?? .empty)
    }
}

/// What is registered of the segments whose tasks a worker runs; it does not change, so each is read once.
private final class SegmentRegistry: Sendable {
    private let tracker: Tracker
    private let known = Mutex<[TaskTag: SegmentRecord]>([:])

    init(_ tracker: Tracker) { self.tracker = tracker }

    func segment(of id: TaskID) async throws -> SegmentRecord {
        guard let instance = SegmentTask.instance(of: id) else {
            throw PermanentFailure("\(id) is no task of a segment: its id is not name@key/input")
        }
        if let segment = known.withLock({ $0[instance] }) { return segment }
        guard let segment = try await tracker.segments(instances: [instance]).segments.first else {
            throw TaskFailure(type: "segment", message: "segment “\(instance)” is not registered")
        }
        known.withLock { known in
            if known.count >= Limits.segments { known = [:] }
            known[instance] = segment
        }
        return segment
    }
}

extension Tracker {
    /// A page of the tasks of a segment, `name@key`, that are queued, running, done or failed.
    /// - Parameters:
    ///   - limit: Tasks in a page, 1 to 500.
    ///   - cursor: Where the page begins: nil, or what the page before returned.
    /// - Throws: ``TrackerError`` (`invalidArgument`, or of the server).
    public func tasks(
        ofSegment instance: TaskTag,
        _ status: SegmentStatus,
        limit: Int = 100,
        cursor: String? = nil
    ) async throws(TrackerError) -> TaskPage {
        try await find(states: status.states, limit: limit, cursor: cursor, tag: instance)
    }
}
