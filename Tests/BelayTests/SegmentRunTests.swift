import Testing

@testable import Belay

@Suite("A segment's run")
struct SegmentRunTests {
    private static func record(_ id: TaskID, _ state: TaskState, _ result: String? = nil) -> TaskRecord {
        var record = TaskRecord(id: id, kind: "k", state: state, created: Timestamp(microseconds: 0))
        record.result = result.map { Body(text: $0) }
        return record
    }

    /// A parent with so many inputs, the first of which have come to these states.
    private static func parent(_ count: Int, _ states: [TaskState]) throws -> SegmentRun {
        var run = SegmentRun(try Segment("p"), instance: "p@0")
        let inputs = try run.inputs(given: (0..<count).map { Body(text: "\($0)") })
        #expect(inputs.count == count)
        let records = zip(run.pending, states).map { record($0, $1, "product of \($0)") }
        _ = run.note(records, from: 0, retriesFailed: false)
        return run
    }

    private static func child(_ start: Segment.Start, _ rule: Multiplex = .crossProduct) throws -> SegmentRun {
        SegmentRun(try Segment("c", parents: ["p"], rule: rule, start: start), instance: "c@0")
    }

    @Test("takes the same input twice as one task")
    func twice() throws {
        var run = SegmentRun(try Segment("p"), instance: "p@0")
        #expect(try run.inputs(given: [Body(text: "a"), Body(text: "a"), Body(text: "b")]).count == 2)
        #expect(try run.inputs(given: [Body(text: "c")]).isEmpty, "its inputs were made")
    }

    @Test("waits until all tasks of its parents ended, and goes without the products of those that failed")
    func all() throws {
        var child = try Self.child(.all)
        #expect(try child.inputs(from: [Self.parent(3, [.succeeded, .running])]).isEmpty)
        #expect(!child.isClosed)
        let inputs = try child.inputs(from: [Self.parent(3, [.succeeded, .exhausted, .succeeded])])
        #expect(inputs.count == 2)
        #expect(inputs.allSatisfy { $0.parents.count == 1 })
        #expect(child.isClosed && !child.isOver)
    }

    @Test("begins with the first product when any is enough, and follows as they come")
    func any() throws {
        var child = try Self.child(.any)
        #expect(try child.inputs(from: [Self.parent(3, [])]).isEmpty)
        #expect(try child.inputs(from: [Self.parent(3, [.succeeded])]).count == 1)
        #expect(try child.inputs(from: [Self.parent(3, [.succeeded])]).isEmpty)
        #expect(!child.isClosed)
        #expect(try child.inputs(from: [Self.parent(3, [.succeeded, .succeeded, .cancelled])]).count == 1)
        #expect(child.isClosed)
    }

    @Test("begins with a share of the tasks; what gathers takes what is there once")
    func share() throws {
        var child = try Self.child(.share(0.5), .gather)
        #expect(try child.inputs(from: [Self.parent(4, [.succeeded])]).isEmpty)
        let inputs = try child.inputs(from: [Self.parent(4, [.succeeded, .succeeded])])
        #expect(inputs.map(\.parents.count) == [2])
        #expect(child.isClosed)
        #expect(try child.inputs(from: [Self.parent(4, [.succeeded, .succeeded, .succeeded])]).isEmpty)
    }

    @Test("ends without tasks when its parents have no products")
    func nothing() throws {
        var child = try Self.child(.all)
        #expect(try child.inputs(from: [Self.parent(2, [.exhausted, .ignored])]).isEmpty)
        #expect(child.isOver)
        #expect(child.finalReport.tasks == 0)
    }

    @Test("counts a product only of a task that is done; a task that is gone has none")
    func outputs() throws {
        var run = SegmentRun(try Segment("p"), instance: "p@0")
        let ids = try run.inputs(given: (0..<4).map { Body(text: "\($0)") }).map(\.id)
        let records = [
            Self.record(ids[0], .exhausted, "said before it failed"), nil, Self.record(ids[2], .running, "so far"),
            Self.record(ids[3], .succeeded),
        ]
        #expect(run.note(records, from: 0, retriesFailed: false).left == 1)
        #expect(run.products == [ids[3]: .empty])
        #expect(run.pending == [ids[2]])
        #expect((run.finalReport.done, run.finalReport.failed) == (1, 2))
    }

    @Test("tries tasks that another run left failed again when asked to, once")
    func failedBefore() throws {
        var run = SegmentRun(try Segment("p"), instance: "p@0")
        let ids = try run.inputs(given: [Body(text: "a"), Body(text: "b")]).map(\.id)
        run.note(.existing(ids[0]))
        run.note(.created(ids[1]))
        let first = run.note(ids.map { Self.record($0, .exhausted) }, from: 0, retriesFailed: true)
        #expect(first.retry == [ids[0]])
        #expect(run.note([Self.record(ids[0], .exhausted)], from: 0, retriesFailed: true).retry.isEmpty)
        #expect(run.finalReport.failed == 2)
    }

    @Test("sends tasks in batches of 500, and of fewer when they have many parents or large payloads")
    func batches() {
        func batches(_ count: Int, parents: Int, bytes: Int) -> [Int] {
            let parents = (0..<parents).map { TaskID(trusted: "p\($0)") }
            let payload = Body(bytes: [UInt8](repeating: 1, count: bytes))
            let input = SegmentRun.NewInput(id: "a", payload: payload, parents: parents)
            return PipelineRunner.batches([SegmentRun.NewInput](repeating: input, count: count)).map(\.count)
        }
        #expect(batches(1001, parents: 1, bytes: 1) == [500, 500, 1])
        #expect(batches(120, parents: 100, bytes: 1) == [50, 50, 20])
        #expect(batches(20, parents: 1, bytes: 1 << 20) == [8, 8, 4])
        #expect(batches(0, parents: 1, bytes: 1) == [])
    }
}
