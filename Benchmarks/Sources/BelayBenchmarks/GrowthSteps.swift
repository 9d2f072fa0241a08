import Belay

/// One verb, called a few times in each tracker. The steps go on from each other: what one leaves, the next takes.
struct GrowthStep {
    /// Nil for a step that only prepares.
    var name: String?
    /// Tasks that a call's cost is divided by.
    var tasks = Site.batch
    var prepare: (Site) async throws -> Void = { _ in }
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

    static var all: [GrowthStep] { ready + held + leases + ended }

    /// The hot path, in trackers that are too large to remember their ids.
    static var hot: [GrowthStep] {
        [
            each("enqueue") { site, _ in _ = try await site.enqueue(Site.batch) },
            each("claim") { site, _ in try await site.claim() },
            each("complete, of few running") { site, call in try await complete(site, call) },
            before { try await $0.claimAll() },
            each("complete") { site, call in try await complete(site, call) },
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
            before { site in site.picked = (0..<site.calls).map { _ in site.neighbours(taking: true) } },
            each("pause") { site, call in _ = try await site.tracker.pause(site.picked[call]) },
            each("resume") { site, call in _ = try await site.tracker.resume(site.picked[call]) },
            each("prioritise") { site, call in _ = try await site.tracker.prioritise(site.picked[call], 7) },
            each("cancel") { site, call in _ = try await site.tracker.cancel(site.picked[call]) },
            each("retry") { site, call in _ = try await site.tracker.retry(site.picked[call]) },
            each("ignore") { site, call in _ = try await site.tracker.ignore(site.picked[call]) },
            each("delete") { site, call in _ = try await site.tracker.delete(site.picked[call]) },
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

    private static func complete(_ site: Site, _ call: Int) async throws {
        _ = try await site.tracker.complete(site.held[call].map { ($0.handle, .empty) })
    }

    /// A page from somewhere in the middle on.
    private static func find(_ site: Site, _ order: FindOrder, worker: String? = nil) async throws {
        let id = site.ready[Int.random(in: site.ready.count / 4...site.ready.count * 3 / 4)]
        guard let task = try await site.tracker.get(id) else { return }
        _ = try await site.tracker.find(
            states: [.ready],
            order: order,
            limit: Site.batch,
            cursor: "q \(task.due.microseconds) \(id)",
            worker: worker
        )
    }
}
