import BelayTestKit
import Synchronization
import Testing

@testable import Belay

/// Pipelines from their inputs to their last products, on every backend, with real workers.
@Suite("pipelines", .timeLimit(.minutes(2)))
struct PipelineContract {
    /// What segments were run on, in any order.
    private final class Runs: Sendable {
        private let inputs = Mutex<[String]>([])
        func note(_ text: String) { inputs.withLock { $0.append(text) } }
        /// What was noted since the last call, in order.
        func take() -> [String] {
            inputs.withLock { inputs in
                defer { inputs = [] }
                return inputs.sorted()
            }
        }
    }

    /// Segments `a`, `b` (orphans) and `c`, which joins what they made; an input with `!` fails.
    private static func pipeline(
        _ rule: Multiplex = .crossProduct,
        start: Segment.Start = .all,
        version: String = "1",
        parameter: Int = 1,
        tag: TaskTag? = nil
    ) throws -> Pipeline {
        let policy = KindPolicy(lease: .seconds(10), attempts: 1)
        return try Pipeline([
            Segment("a", policy: policy), Segment("b", policy: policy),
            Segment(
                "c",
                version: version,
                parameters: ["factor": parameter],
                parents: ["a", "b"],
                rule: rule,
                start: start,
                tag: tag,
                policy: policy
            ),
        ])
    }

    private static func handlers(_ pipeline: Pipeline, on tracker: Tracker, _ runs: Runs) -> [Handler] {
        pipeline.segments.map { segment in
            segment.handler(on: tracker) { inputs, context in
                let texts: [String] = try inputs.decoded()
                let text = texts.joined(separator: "+") + (inputs.group.map { "|\($0)" } ?? "")
                runs.note("\(inputs.segment.name):\(text)")
                if text.contains("!") {
                    try await context.respond(try Body(encoding: "before it failed"))
                    throw PermanentFailure("as asked")
                }
                return text
            }
        }
    }

    private static func execute(
        _ pipeline: Pipeline,
        a: [String],
        b: [String] = [],
        on tracker: Tracker,
        _ runs: Runs,
        retriesFailed: Bool = false
    ) async throws -> PipelineReport {
        var configuration = PipelineRunner.Configuration()
        configuration.interval = .milliseconds(10)
        configuration.retriesFailed = retriesFailed
        let inputs = ["a": try a.map { try Body(encoding: $0) }, "b": try b.map { try Body(encoding: $0) }]
        let runner = try PipelineRunner(tracker, pipeline, inputs: inputs, configuration: configuration)
        let worker = try Worker(tracker, handlers: handlers(pipeline, on: tracker, runs))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await worker.run() } catch { guard Task.isCancelled else { throw error } }
            }
            let report = try await runner.execute()
            group.cancelAll()
            try await group.waitForAll()
            return report
        }
    }

    /// Runs a worker until something is so.
    private static func work(
        _ pipeline: Pipeline,
        on tracker: Tracker,
        _ runs: Runs,
        until isDone: () async throws -> Bool
    ) async throws {
        let worker = try Worker(tracker, handlers: handlers(pipeline, on: tracker, runs))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await worker.run() } catch { guard Task.isCancelled else { throw error } }
            }
            while try await !isDone() { try await Task.sleep(for: .milliseconds(5)) }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private static func products(_ pipeline: Pipeline, _ segment: String, on tracker: Tracker) async throws -> [String]
    {
        let instance = try #require(pipeline.instance(of: segment))
        let ids = try await tracker.tasks(ofSegment: instance, .done).tasks.map(\.id)
        guard !ids.isEmpty else { return [] }
        return try await tracker.get(ids).compactMap { try $0?.result?.decoded(as: String.self) }.sorted()
    }

    @Test("products of the parents become inputs as the rule says", arguments: TestedBackend.spread)
    func rules(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let runs = Runs()
            let rules: [(Multiplex, [String])] = [
                (.crossProduct, ["1+x", "1+y", "2+x", "2+y"]), (.union, ["1", "2", "x", "y"]), (.zip, ["1+x", "2+y"]),
                (.gather, ["1+2+x+y"]),
                (.group(by: "digits") { $0.body.text < #""a""# ? "digit" : "letter" }, ["1+2|digit", "x+y|letter"]),
                (
                    .crossProduct.only(where: "not 1y") { $0.map(\.body.text) != [#""1""#, #""y""#] },
                    ["1+x", "2+x", "2+y"]
                ),
            ]
            for (rule, wanted) in rules {
                let pipeline = try Self.pipeline(rule)
                let report = try await Self.execute(pipeline, a: ["1", "2"], b: ["x", "y"], on: tracker, runs)
                #expect(try await Self.products(pipeline, "c", on: tracker) == wanted, "\(rule)")
                #expect(report.segments[2].done == wanted.count)
            }
            // The orphans were run once for all of them.
            #expect(runs.take().filter { !$0.hasPrefix("c:") } == ["a:1", "a:2", "b:x", "b:y"])
        }
    }

    @Test(
        "a failed task has no product, and does not keep the segments after it from theirs",
        arguments: TestedBackend.spread
    )
    func failed(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            let report = try await Self.execute(pipeline, a: ["1", "!", "3"], b: ["x"], on: tracker, runs)
            #expect(try await Self.products(pipeline, "c", on: tracker) == ["1+x", "3+x"])
            #expect((report.segments[0].done, report.segments[0].failed) == (2, 1))
            let instance = try #require(pipeline.instance(of: "a"))
            #expect(try await tracker.tasks(ofSegment: instance, .failed).tasks.count == 1)
            #expect(try await tracker.tasks(ofSegment: instance, .done).tasks.count == 2)
            // Nothing at all is an end, too.
            let none = try await Self.execute(pipeline, a: ["!"], b: ["x"], on: tracker, runs)
            #expect(none.segments[2].tasks == 0)
        }
    }

    @Test(
        "a second run uses every product again whose input did not change, and says so",
        arguments: TestedBackend.spread
    )
    func memoised(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            let first = try await Self.execute(pipeline, a: ["1", "2"], b: ["x"], on: tracker, runs)
            #expect((first.created, first.reused) == (5, 0))
            #expect(runs.take().count == 5)
            let second = try await Self.execute(pipeline, a: ["1", "2"], b: ["x"], on: tracker, runs)
            #expect((second.created, second.reused, second.done) == (0, 5, 5))
            #expect(runs.take() == [])
            let third = try await Self.execute(pipeline, a: ["1", "new"], b: ["x"], on: tracker, runs)
            #expect((third.created, third.reused, third.done) == (2, 3, 5))
            #expect(runs.take() == ["a:new", "c:new+x"])
            let instance = try #require(pipeline.instance(of: "b"))
            let id = try #require(try await tracker.tasks(ofSegment: instance, .done).tasks.first?.id)
            #expect(try await tracker.get(id)?.reuses == 2)
            #expect(try await tracker.told([.reused]).count { $0 == "reused \(id)" } == 2)
        }
    }

    @Test(
        "another parameter or version is another segment; what it does not touch is used again",
        arguments: TestedBackend.spread
    )
    func changedParameter(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let runs = Runs()
            var instances: Set<TaskTag> = []
            for pipeline in [
                try Self.pipeline(), try Self.pipeline(parameter: 2), try Self.pipeline(version: "2"),
                try Self.pipeline(),
            ] {
                _ = try await Self.execute(pipeline, a: ["1"], b: ["x"], on: tracker, runs)
                instances.insert(try #require(pipeline.instance(of: "c")))
            }
            #expect(instances.count == 3)
            #expect(runs.take() == ["a:1", "b:x", "c:1+x", "c:1+x", "c:1+x"])
            let page = try await tracker.segments(named: "c")
            #expect(Set(page.segments.map(\.instance)) == instances)
            #expect(page.segments.allSatisfy { $0.counts.count(.done) == 1 && $0.counts.total == 1 })
            #expect(Set(page.segments.map(\.parameters.text)) == [#"{"factor":1}"#, #"{"factor":2}"#])
            #expect(page.segments.map(\.version).sorted() == ["1", "1", "2"])
        }
    }

    @Test(
        "a task of a version that the worker does not have is put off, and not spent",
        arguments: TestedBackend.spread
    )
    func otherVersion(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, old, new) = (Runs(), try Self.pipeline(), try Self.pipeline(version: "2"))
            try await tracker.registerSegments(of: new)
            let instance = try #require(new.instance(of: "c"))
            let id = SegmentTask.id(instance, input: [])
            let options = EnqueueOptions(id: id, tags: [instance])
            let payload = try Body(encoding: SegmentPayload(Multiplex.Input(products: [])))
            try await tracker.define("c")
            try await tracker.enqueue([NewTask("c", payload: payload, options: options)])
            try await Self.work(old, on: tracker, runs) { try await tracker.get(id)?.snoozes == 1 }
            let task = try #require(try await tracker.get(id))
            #expect((task.state, task.attempts, task.snoozes) == (.ready, 0, 1))
            #expect(runs.take() == [])
        }
    }

    @Test("a task whose parent is gone fails and says so, and is not run on less", arguments: TestedBackend.spread)
    func parentGone(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            _ = try await Self.execute(pipeline, a: ["1"], b: ["x"], on: tracker, runs)
            _ = runs.take()
            func only(_ segment: String) async throws -> TaskID {
                let instance = try #require(pipeline.instance(of: segment))
                return try #require(try await tracker.find(tag: instance).tasks.first?.id)
            }
            let (parent, id) = (try await only("a"), try await only("c"))
            _ = try await tracker.delete([parent])
            #expect(try await tracker.retry([id]) == [.ready])
            try await Self.work(pipeline, on: tracker, runs) { try await tracker.state(of: id)?.isTerminal == true }
            let task = try #require(try await tracker.get(id))
            #expect(task.state == .exhausted)
            #expect(task.lastFailure?.failure?.type == "inputs")
            #expect(task.lastFailure?.failure?.message.contains(parent.description) == true)
            #expect(runs.take() == [])
        }
    }

    @Test("a segment that may begin early makes the same products in the end", arguments: TestedBackend.spread)
    func early(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for start in [Segment.Start.any, .share(0.5)] {
                let (runs, pipeline) = (Runs(), try Self.pipeline(.union, start: start))
                let inputs = (0..<20).map { "\($0) \(start)" }
                let report = try await Self.execute(pipeline, a: inputs, b: ["x"], on: tracker, runs)
                #expect(report.segments[2].done == 21)
                #expect(report.segments[2].tasks == 21)
            }
        }
    }

    @Test("a task of more than 100 products reads them all, in order", arguments: TestedBackend.spread)
    func wideFanIn(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline(.gather))
            let inputs = (0..<150).map { "\($0)" }
            let report = try await Self.execute(pipeline, a: inputs, b: ["x"], on: tracker, runs)
            #expect(report.done == 152)
            #expect(try await Self.products(pipeline, "c", on: tracker) == [(inputs + ["x"]).joined(separator: "+")])
        }
    }

    @Test("two runners at once make each product once", arguments: TestedBackend.spread)
    func twoRunners(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            let inputs = (0..<10).map { "\($0)" }
            async let one = Self.execute(pipeline, a: inputs, b: ["x", "y"], on: tracker, runs)
            async let two = Self.execute(pipeline, a: inputs, b: ["x", "y"], on: tracker, runs)
            let reports = try await [one, two]
            #expect(reports.map(\.done) == [32, 32])
            #expect(reports.reduce(0) { $0 + $1.created } == 32)
            let all = runs.take()
            #expect(all.count == 32)
            #expect(Set(all).count == 32)
        }
    }

    @Test("tasks that an earlier run left failed are tried again only when asked to", arguments: TestedBackend.spread)
    func failedBefore(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            for retries in [false, false, true] {
                let report = try await Self.execute(pipeline, a: ["!"], on: tracker, runs, retriesFailed: retries)
                #expect(report.segments[0].failed == 1)
            }
            #expect(runs.take() == ["a:!", "a:!"])
        }
    }

    @Test(
        "clean deletes what has not ended, recover queues what runs, products stay",
        arguments: TestedBackend.spread
    )
    func cleanAndRecover(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline(tag: "nightly"))
            _ = try await Self.execute(pipeline, a: ["done"], b: ["x"], on: tracker, runs)
            let instance = try #require(pipeline.instance(of: "a"))
            for text in ["queued", "running"] {
                let body = try Body(encoding: text)
                let options = EnqueueOptions(id: SegmentTask.id(instance, input: [body]), tags: [instance])
                try await tracker.enqueue([NewTask("a", payload: body, options: options)])
            }
            let claim = try await tracker.take(SegmentTask.id(instance, input: [try Body(encoding: "running")]))
            let runner = try PipelineRunner(tracker, pipeline, inputs: [:])
            func counts() async throws -> [Int] {
                let counts = try await tracker.counts(ofTags: [instance])[0]
                return SegmentStatus.allCases.map { counts.count($0) }
            }
            #expect(try await counts() == [1, 1, 1, 0])
            #expect(try await runner.recover().changed == 1)
            #expect(try await counts() == [2, 0, 1, 0])
            #expect(try await tracker.complete(claim.handle) == .stale)
            #expect(try await runner.clean().changed == 2)
            #expect(try await counts() == [0, 0, 1, 0])
            // The user's tag is the segment's and its tasks'.
            #expect(try await tracker.segments(tag: "nightly").segments.map(\.name) == ["c"])
            #expect(try await tracker.counts(ofTags: ["nightly"])[0].succeeded == 1)
            #expect(try await tracker.forgetSegment(instance) == .inUse)
        }
    }

    @Test("too many inputs are refused before anything of that segment is created", arguments: TestedBackend.spread)
    func limits(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            let some = (0..<350).map { "\($0)" }
            let refused = await code { _ = try await Self.execute(pipeline, a: some, b: some, on: tracker, runs) }
            #expect(refused == .tooLarge)
            let instance = try #require(pipeline.instance(of: "c"))
            #expect(try await tracker.counts(ofTags: [instance])[0].total == 0)
            let inputs = ["c": [Body.empty]]
            #expect(await code { _ = try PipelineRunner(tracker, pipeline, inputs: inputs) } == .invalidArgument)
        }
    }

    @Test("a full queue is waited for", arguments: TestedBackend.spread)
    func fullQueue(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.define("a", policy: KindPolicy(lease: .seconds(10), attempts: 1, queueLimit: 3))
            let (runs, pipeline) = (Runs(), try Self.pipeline(.union))
            let report = try await Self.execute(pipeline, a: (0..<20).map { "\($0)" }, on: tracker, runs)
            #expect(report.segments[0].done == 20)
            #expect(report.segments[2].done == 20)
        }
    }

    @Test("registering again changes only the tag", arguments: TestedBackend.spread)
    func registered(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.registerSegments(of: try Self.pipeline())
            let before = try await tracker.segments().segments
            #expect(before.map(\.name) == ["c", "b", "a"])
            #expect(before[0].parents == [before[2].instance, before[1].instance])
            clock.advance(by: .seconds(60))
            try await tracker.registerSegments(of: try Self.pipeline(tag: "mine"))
            var wanted = before
            wanted[0].tag = "mine"
            #expect(try await tracker.segments().segments == wanted)
            try await tracker.registerSegments(of: try Self.pipeline())
            #expect(try await tracker.segments().segments == wanted, "without a tag it stays")
            #expect(try await tracker.tagSegments([before[1].instance, "nobody@0"], "other") == ["nobody@0"])
            #expect(try await tracker.segments(tag: "other").segments.map(\.name) == ["b"])
            #expect(try await tracker.segments(created: clock.now..<clock.now + .seconds(1)).segments.isEmpty)
            let page = try await tracker.segments(limit: 2)
            #expect(try await tracker.segments(limit: 2, cursor: page.cursor).segments.map(\.name) == ["a"])
            #expect(await code { _ = try await tracker.segments(cursor: "x") } == .invalidArgument)
            #expect(try await tracker.forgetSegment(before[0].instance) == .forgotten)
            #expect(try await tracker.forgetSegment(before[0].instance) == .notFound)
        }
    }

    @Test("the events of a run come to the counts of the stats", arguments: TestedBackend.spread)
    func replay(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (runs, pipeline) = (Runs(), try Self.pipeline())
            for inputs in [["1", "2", "!"], ["1", "3"]] {
                _ = try await Self.execute(pipeline, a: inputs, b: ["x", "y"], on: tracker, runs)
            }
            try await tracker.add("aside")
            _ = try await tracker.pause(["aside"])
            var replay = EventReplay()
            replay.apply(try await tracker.events(from: .oldest))
            #expect(replay.isComplete)
            #expect(replay.differences(from: try await tracker.stats()) == [])
            #expect(replay.counts["c"] == [.succeeded: 6])
            #expect(replay.counts["a"] == [.succeeded: 3, .exhausted: 1])
        }
    }
}
