import Belay

/// One verb, called a few times in each tracker. The steps go on from each other: what one leaves, the next takes.
struct GrowthStep {
    /// Nil for a step that only prepares.
    var name: String?
    /// Tasks that a call's cost is divided by.
    var tasks = Site.batch
    var prepare: (Site) async throws -> Void = { _ in }
    /// What comes before each call and does not count.
    var arrange: (Site, Int) async throws -> Void = { _, _ in }
    /// The call, and its number among the calls in this tracker.
    var call: (Site, Int) async throws -> Void = { _, _ in }

    /// A step whose cost is told per task.
    static func each(_ name: String, _ call: @escaping (Site, Int) async throws -> Void) -> GrowthStep {
        GrowthStep(name: name, call: call)
    }

    /// A step whose cost is told per call.
    static func one(_ name: String, _ call: @escaping (Site, Int) async throws -> Void) -> GrowthStep {
        GrowthStep(name: name + " *", tasks: 1, call: call)
    }

    static func before(_ prepare: @escaping (Site) async throws -> Void) -> GrowthStep {
        GrowthStep(name: nil, prepare: prepare)
    }

    static var all: [GrowthStep] { ready + held + leases + ended + tagged + others }

    /// The hot path, in trackers that are too large to remember their ids. A table of the server that doubles moves what it
    /// holds bit by bit, in the commands that use it, and that of 10,000,000 tasks is in the middle of it: what it costs then,
    /// and once that is over.
    static var hot: [GrowthStep] {
        let enqueue: (Site, Int) async throws -> Void = { site, _ in _ = try await site.enqueue(Site.batch) }
        return [
            each("enqueue", enqueue),
            before { try await $0.endRehash("q:5") },
            each("enqueue, tables at rest", enqueue),
            each("claim") { site, _ in try await site.claim() },
            each("complete, of few running") { site, call in try await complete(site, call) },
            before { try await $0.claimAll() },
            each("complete") { site, call in try await complete(site, call) },
            before { try await $0.endRehash("r") },
            each("complete, tables at rest") { site, call in try await complete(site, call + site.calls) },
            before { $0.clock.advance(by: .seconds(40)) },
            each("reap") { site, _ in _ = try await site.tracker.reap(limit: Site.batch) },
        ]
    }

    /// Of waiting tasks.
    private static var ready: [GrowthStep] {
        [
            each("enqueue") { site, _ in site.ready += try await site.enqueue(Site.batch) },
            each("get") { site, _ in _ = try await site.tracker.get(site.neighbours()) },
            each("peek") { site, _ in _ = try await site.tracker.peek([Bench.kind], limit: Site.batch) },
            each("find, first page") { site, _ in
                _ = try await site.tracker.find(states: [.ready], order: .newestFirst, limit: Site.batch)
            },
            each("find, deep cursor") { site, _ in try await find(site, .oldestFirst) },
            each("find, deep cursor, newest first") { site, _ in try await find(site, .newestFirst) },
            one("find, by worker (500 looked at)") { site, _ in try await find(site, .oldestFirst, worker: "nobody") },
            one("stats") { site, _ in _ = try await site.tracker.stats() },
            one("kinds") { site, _ in _ = try await site.tracker.kinds() },
            one("explain") { site, _ in _ = try await site.tracker.explain(site.neighbours(1)[0]) },
            one("log of a task") { site, _ in _ = try await site.tracker.log(of: site.neighbours(1)[0]) },
            one("attempts of a task") { site, _ in _ = try await site.tracker.attempts(of: site.neighbours(1)[0]) },
            one("parents of a task") { site, _ in _ = try await site.tracker.parents(of: site.neighbours(1)[0]) },
            one("note") { site, _ in _ = try await site.tracker.note(site.neighbours(1)[0], "seen") },
            one("events, newest") { site, _ in _ = try await site.tracker.events(from: .newest, limit: 2) },
            one("beat") { site, _ in try await site.tracker.beat(kinds: [Bench.kind]) },
            one("workers") { site, _ in _ = try await site.tracker.workers() },
            one("pause and resume a kind") { site, _ in
                try await site.tracker.pauseKind(Bench.kind)
                try await site.tracker.resumeKind(Bench.kind)
            },
            one("claim of a named task") { site, _ in
                _ = try await site.tracker.claim(site.neighbours(1, taking: true)[0])
            },
            each("delete, never begun") { site, _ in _ = try await site.tracker.delete(site.neighbours(taking: true)) },
            before { site in site.picked = (0..<site.calls).map { _ in site.neighbours(taking: true) } },
            each("pause") { site, call in _ = try await site.tracker.pause(site.picked[call]) },
            each("resume") { site, call in _ = try await site.tracker.resume(site.picked[call]) },
            each("prioritise") { site, call in _ = try await site.tracker.prioritise(site.picked[call], 7) },
            each("cancel") { site, call in _ = try await site.tracker.cancel(site.picked[call]) },
            each("retry") { site, call in _ = try await site.tracker.retry(site.picked[call]) },
            each("ignore") { site, call in _ = try await site.tracker.ignore(site.picked[call]) },
            each("delete, with a log") { site, call in _ = try await site.tracker.delete(site.picked[call]) },
            each("claim") { site, _ in try await site.claim() },
            each("complete, of few running") { site, call in try await complete(site, call) },
            before { $0.held = [] },
            GrowthStep(call: { site, _ in try await site.claim() }),
            each("release") { site, call in _ = try await site.tracker.release(site.held[call].map(\.handle)) },
        ]
    }

    /// With all tasks running.
    private static var held: [GrowthStep] {
        [
            before { try await $0.claimAll() },
            each("renew") { site, call in _ = try await site.tracker.renew(site.held[call]) },
            one("progress") { site, call in _ = try await site.tracker.progress(site.held[call][0].handle, 0.5) },
            one("save") { site, call in
                _ = try await site.tracker.save(site.held[call][0].handle, data: Body(bytes: Array("{}".utf8)))
            },
            each("complete") { site, call in try await complete(site, call) },
            each("fail") { site, call in
                _ = try await site.tracker.fail(
                    site.held[site.calls + call].map { ($0.handle, TaskFailure(type: "t", message: "m"), .retry()) }
                )
            },
            each("cancel, running") { site, call in
                _ = try await site.tracker.cancel(site.held[2 * site.calls + call].map(\.id))
            },
            each("snooze") { site, call in
                _ = try await site.tracker.snooze(site.held[3 * site.calls + call].map(\.handle), for: .seconds(3600))
            },
        ]
    }

    /// With the leases of all tasks over.
    private static var leases: [GrowthStep] {
        [
            before { $0.clock.advance(by: .seconds(40)) },
            each("reap") { site, _ in _ = try await site.tracker.reap(limit: Site.batch) },
        ]
    }

    /// With all tasks ended.
    private static var ended: [GrowthStep] {
        [
            before { site in
                for start in stride(from: 0, to: site.rest.count, by: 500) {
                    let part = site.rest[start..<min(start + 500, site.rest.count)]
                    _ = try await site.tracker.complete(part.map { ($0.handle, .empty) })
                }
            },
            each("find, ended, newest first") { site, _ in
                _ = try await site.tracker.find(states: [.succeeded], order: .newestFirst, limit: Site.batch)
            },
            one("stats, ended") { site, _ in _ = try await site.tracker.stats() },
            before { site in
                var policy = Bench.policy
                (policy.keepSucceeded, policy.keepOther) = (.seconds(1), .seconds(1))
                try await site.tracker.define(Bench.kind, policy: policy, replacing: true)
                site.clock.advance(by: .seconds(1000))
            },
            each("purge") { site, _ in _ = try await site.tracker.purge(limit: Site.batch) },
        ]
    }

    /// With as many tasks again, all of one tag.
    private static var tagged: [GrowthStep] {
        [
            before { try await $0.fillTagged() },
            each("enqueue, of a tag") { site, _ in _ = try await site.enqueue(Site.batch, tag: Site.tag) },
            one("tags") { site, _ in _ = try await site.tracker.counts(ofTags: [Site.tag]) },
            each("find, of a tag, deep cursor") { site, _ in try await find(site, .oldestFirst, tag: Site.tag) },
            before { site in site.picked = (0..<site.calls).map { _ in site.neighbours(taking: true) } },
            each("cancel, of a tag") { site, call in _ = try await site.tracker.cancel(site.picked[call]) },
            each("retry, of a tag") { site, call in _ = try await site.tracker.retry(site.picked[call]) },
            each("delete, of a tag") { site, call in _ = try await site.tracker.delete(site.picked[call]) },
            before { $0.held = [] },
            each("claim, of a tag") { site, _ in try await site.claim() },
            each("complete, of a tag") { site, call in try await complete(site, call) },
            each("enqueue, waiting for one") { site, call in
                let options = EnqueueOptions(after: Dependencies([.task(site.ready[site.ready.count - 1 - call])]))
                _ = try await site.tracker.enqueue(
                    [NewTask](repeating: NewTask(Bench.kind, options: options), count: Site.batch)
                )
            },
        ]
    }

    private static func hook(_ number: Int) -> HookRule {
        HookRule("h\(number)", action: .webhook(Webhook(url: "http://host/", secret: "s")))
    }

    private static func pipeline(_ number: Int) throws -> Pipeline {
        try Pipeline([Segment("a\(number)"), Segment("b\(number)", parents: ["a\(number)"])])
    }

    /// What is beside the tasks.
    private static var others: [GrowthStep] {
        [
            one("define") { site, call in
                try await site.tracker.define(Bench.kind, policy: KindPolicy(attempts: 5 + call), replacing: true)
            },
            one("open") { site, _ in
                let other = try site.another()
                try await other.tracker.open()
                await other.tracker.close()
                await other.client.close()
            },
            GrowthStep(
                name: "undefine",
                arrange: { site, _ in
                    try await site.tracker.define("doomed")
                    _ = try await site.tracker.enqueue([NewTask](repeating: NewTask("doomed"), count: Site.batch))
                },
                call: { site, _ in _ = try await site.tracker.undefine("doomed", force: true) }
            ),
            before { site in
                for number in 0..<20 {
                    try await site.tracker.defineHook(hook(number))
                    try await site.tracker.registerSegments(of: pipeline(number))
                }
            },
            one("hook, stored") { site, call in try await site.tracker.defineHook(hook(20 + call)) },
            one("hook, removed") { site, call in _ = try await site.tracker.removeHook("h\(20 + call)") },
            one("hooks (20)") { site, _ in _ = try await site.tracker.hooks() },
            one("segments (40)") { site, _ in _ = try await site.tracker.segments() },
            one("segments, registered") { site, call in
                try await site.tracker.registerSegments(of: pipeline(20 + call))
            },
            before { site in
                for _ in 0..<min(site.size, 9000) / 500 { try await site.ingest(500) }
            },
            each("ingest (of at most 10,000 tasks)") { site, _ in try await site.ingest(Site.batch) },
            each("foreign, a page") { site, _ in _ = try await site.tracker.foreignTasks(limit: Site.batch) },
            one("foreign, one") { site, _ in
                _ = try await site.tracker.foreignTask(TaskID(site.heard[Int.random(in: site.heard.indices)]))
            },
            one("foreign, counts") { site, _ in _ = try await site.tracker.foreignCounts() },
            one("fleet") { site, _ in _ = try await site.tracker.foreignWorkers() },
            GrowthStep(
                name: "clear",
                arrange: { site, _ in try await site.ingest(Site.batch, "succeeded") },
                call: { site, _ in try await site.tracker.clearForeign() }
            ),
        ]
    }

    private static func complete(_ site: Site, _ call: Int) async throws {
        _ = try await site.tracker.complete(site.held[call].map { ($0.handle, .empty) })
    }

    /// A page from somewhere in the middle on.
    private static func find(_ site: Site, _ order: FindOrder, tag: TaskTag? = nil, worker: String? = nil) async throws
    {
        let id = site.ready[Int.random(in: site.ready.count / 4...site.ready.count * 3 / 4)]
        guard let task = try await site.tracker.get(id) else { return }
        _ = try await site.tracker.find(
            states: [.ready],
            order: order,
            limit: Site.batch,
            cursor: "q \(task.due.microseconds) \(id)",
            tag: tag,
            worker: worker
        )
    }
}
