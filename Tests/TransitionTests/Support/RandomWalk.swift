import BelayTestKit
import RedisWire
import Testing

@testable import Belay

/// SplitMix64: the same walk for the same seed.
private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Every verb in random order, by holders with good and with stale claims, on a clock that moves both ways.
@Suite("Any order of verbs", .serialized)
struct RandomWalk {
    @Test("keeps every invariant, and no fence ever falls", arguments: 1...8)
    func walk(seed: UInt64) async throws {
        let policy = KindPolicy(
            lease: .seconds(2),
            attempts: 3,
            retry: .exponential(base: .milliseconds(100), factor: 2, cap: .seconds(1), jitter: 0.5),
            keepSucceeded: .seconds(20),
            keepOther: .milliseconds(1)
        )
        var other = policy
        (other.timeout, other.queueLimit, other.whenExhausted) = (.milliseconds(1500), 6, .ignored)
        // On a server of its own: each step reads all keys several times.
        try await withPrivateRedisServer { server in
            let redis = RedisClient(configuration: try RedisConfiguration(url: server.url))
            let f = try TrackerFixture(url: server.url, redis: redis)
            try await f.tracker.define("k", policy: policy)
            try await f.tracker.define("l", policy: other)
            var walk = Walk(f: f, random: Random(state: seed))
            for step in 0..<600 {
                try await walk.step(step)
                if step.isMultiple(of: 20) { Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation) }
            }
            Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
            #expect(walk.faults == [])
            #expect(walk.accepted > 10, "the walk is to get somewhere")
            await f.tracker.close()
            await redis.close()
        }
    }
}

private struct Walk {
    let f: TrackerFixture
    var random: Random
    var claims: [Claim] = []
    /// The highest fence of each task, and the fence that was completed last.
    var fences: [TaskID: Int] = [:]
    var completed: [TaskID: Int] = [:]
    var faults: [String] = []
    var accepted = 0

    init(f: TrackerFixture, random: Random) {
        self.f = f
        self.random = random
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func id() -> TaskID { TaskID(trusted: "t\(number(0...11))") }
    private mutating func held() -> [Claim] {
        guard !claims.isEmpty else { return [] }
        return (0..<number(1...3)).map { _ in claims[number(max(0, claims.count - 12)...(claims.count - 1))] }
    }

    private mutating func note(_ new: [Claim], isRepeat: Bool = false) {
        for claim in new {
            if claim.fence <= fences[claim.id] ?? 0 {
                faults.append("fence \(claim.fence) of \(claim.id) after \(fences)")
            }
            fences[claim.id] = claim.fence
        }
        claims += new
    }

    private mutating func tag() -> TaskTag { TaskTag(trusted: "g\(number(0...2))") }

    /// What a new task asks for beside: for most nothing.
    private mutating func wishes(of id: TaskID) -> Enqueue.Wishes? {
        guard number(0...2) == 0 else { return nil }
        var wishes = Enqueue.Wishes()
        wishes.tags = Set((0..<number(0...2)).map { _ in tag() }).sorted()
        if number(0...1) == 0 {
            let parents = (0..<number(1...3)).map { _ -> Dependencies.Parent in
                number(0...3) == 0 ? .tag(tag()) : .task(self.id())
            }
            let conditions = Dependencies.Condition.allCases
            let quorums: [Dependencies.Quorum] = [.all, .any, .share(0.5)]
            wishes.dependencies = Dependencies(
                Set(parents).filter { $0 != .task(id) }.sorted { $0.description < $1.description },
                condition: conditions[number(0...3)],
                quorum: quorums[number(0...2)]
            )
            if wishes.dependencies?.parents.isEmpty == true { wishes.dependencies = nil }
            wishes.tags.removeAll { wishes.dependencies?.parents.contains(.tag($0)) == true }
        }
        if number(0...4) == 0 { wishes.expires = .after(.milliseconds(number(0...3000))) }
        if number(0...3) == 0 {
            wishes.unique = Uniqueness(
                key: "\(number(0...2))",
                states: number(0...1) == 0 ? [.running] : [.ready, .blocked, .running],
                later: number(0...1) == 0 ? .refuse : .record
            )
        }
        wishes.reuse = number(0...5) == 0
        return wishes.isEmpty ? nil : wishes
    }

    /// What an operator does with all tasks of a tag.
    private mutating func sweep() async throws {
        let (tag, limit) = (tag(), number(1...2))
        let (ended, unfinished) = ([TaskState.exhausted, .cancelled, .ignored, .succeeded], TaskState.unfinished)
        switch number(0...3) {
        case 0:
            let targets = TaskTargets.tag(tag, unfinished, limit: limit)
            try await f.send(Cancel(targets: targets, reason: "t", signal: number(0...1) == 0 ? nil : 9, actor: "op"))
        case 1:
            try await f.send(Retry(targets: .tag(tag, ended, limit: limit), budget: .fresh, actor: "op"))
        case 2:
            try await f.send(
                Retry(targets: .tag(tag, [.running], limit: limit), budget: .kept, force: true, actor: "op")
            )
        default:
            try await f.send(Delete(targets: .tag(tag, unfinished, limit: limit), force: true))
        }
        let id = id()
        switch number(0...3) {
        case 0: try await f.unchanged(Parents(id: id))
        case 1: try await f.unchanged(Explain(id: id))
        case 2: try await f.unchanged(Tags(tags: [tag, "none"]))
        default:
            var find = Find(states: TaskState.allCases, limit: 3)
            find.tag = tag
            try await f.unchanged(find)
        }
    }

    /// A pause or its end, by an operator or by a holder.
    private mutating func shift() async throws {
        let handle = number(0...1) == 0 ? held().first?.handle : nil
        let targets = handle.map { ShiftTargets.held($0) } ?? .tasks([id(), id()])
        if number(0...1) == 0 {
            try await f.twice(Pause(targets, actor: TrackerFixture.actor, message: "m"))
        } else {
            try await f.twice(Resume(targets, actor: TrackerFixture.actor, message: ""))
        }
    }

    /// A pause of a kind or of the tracker, more often its end; or a worker's beat.
    private mutating func supervise() async throws {
        let kind: KindName? = [nil, "k", "l"][number(0...2)]
        switch number(0...5) {
        case 0: try await f.twice(Gate.pausing(kind, message: "m"))
        case 1, 2, 3: try await f.twice(Gate.resuming(kind))
        default:
            let events: [BeatEvent] = [.online, .heartbeat, .offline]
            try await f.twice(Beat(events[number(0...2)], interval: .seconds(1), kinds: ["k", "l"]))
        }
    }

    /// What a holder writes beside its task.
    private mutating func write(_ step: Int) async throws {
        guard let handle = held().first?.handle else { return }
        let body = Body(bytes: Array(repeating: 3, count: number(0...400)), contentType: "t/\(number(0...1))")
        switch number(0...3) {
        case 0: try await f.twice(Save(handle: handle, place: .data, body: body, payloadLimit: 4096))
        case 1: try await f.twice(Save(handle: handle, place: .response, body: body, payloadLimit: 4096))
        case 2: try await f.twice(Progress(handle: handle, fraction: 0.5, message: "m"))
        default: try await f.twice(Log(id: handle.id, handle: handle, actor: "w", nonce: "l\(step)", message: "m"))
        }
    }

    mutating func step(_ step: Int) async throws {
        switch number(0...28) {
        case 0, 1, 2:
            let large = Body(bytes: Array(repeating: 1, count: number(0...400)))
            let items = (0..<number(1...3)).map { _ in
                let id = id()
                return EnqueueTests.item(
                    id.description,
                    kind: number(0...1),
                    due: number(0...2) == 0 ? .after(.milliseconds(number(0...900))) : .now,
                    priority: number(4...6),
                    payload: large,
                    wishes: wishes(of: id)
                )
            }
            do {
                try await f.twice(EnqueueTests.verb(items, nonce: "n\(step)", kinds: [("k", nil), ("l", nil)]))
            } catch let error as TrackerError where error.code == .unknownParent {
                // A parent that the walk has not made yet, or that is gone.
            }
        case 3, 4, 5, 6:
            let kinds: [[KindName]] = [["k"], ["l"], ["k", "l"], ["l", "k", "l"]]
            let order: ClaimOrder = number(0...1) == 0 ? .priority : .due
            let verb = f.claimMany(
                number(1...4),
                kinds[number(0...3)],
                token: "c\(step)",
                wait: .seconds(1),
                order: order
            )
            note(try await f.send(verb).claims)
        case 7:
            let options: [AcquireOptions] = [[], .ignoreDue, [.ignoreDue, .ignoreLock], .force, .restart]
            let old = number(0...1) == 0 ? held().first : nil
            let verb = f.acquire(
                old?.id ?? id(),
                token: "a\(step)",
                options: options[number(0...4)],
                held: old?.token
            )
            if case .claimed(let claim) = try await f.twice(verb) { note([claim]) }
        case 8, 9, 10:
            let held = held()
            guard !held.isEmpty else { return }
            let result = Body(bytes: Array(repeating: 2, count: number(0...400)))
            let outcomes = try await f.twice(CompleteTests.verb(held.map { ($0.handle, result) }))
            for (claim, outcome) in zip(held, outcomes) where outcome == .accepted {
                accepted += 1
                if claim.fence != fences[claim.id] {
                    faults.append("accepted \(claim.fence) of \(claim.id): \(fences)")
                }
                completed[claim.id] = claim.fence
            }
        case 11:
            let dispositions: [FailureDisposition] = [.retry(), .retry(), .retry(after: .zero), .exhaust, .cancelled]
            let handles = held().map(\.handle)
            let (disposition, trace) = (dispositions[number(0...4)], "trace \(number(0...2))")
            if !handles.isEmpty { try await f.twice(FailTests.verb(handles, disposition, backtrace: [trace])) }
        case 12:
            let handles = held().map(\.handle)
            let delay: Duration? = number(0...1) == 0 ? nil : .milliseconds(number(0...500))
            if !handles.isEmpty { try await f.twice(Release(handles: handles, delay: delay)) }
        case 13:
            let handles = held().map(\.handle)
            if !handles.isEmpty { try await f.twice(SnoozeTests.verb(handles, .milliseconds(number(0...500)))) }
        case 14:
            let handles = held().map(\.handle)
            if !handles.isEmpty { try await f.twice(RenewTests.verb(handles, .seconds(2))) }
        case 15:
            try await f.twice(Cancel(ids: [id(), id()], reason: "r", signal: number(0...2) == 0 ? 15 : nil))
        case 16:
            let budget: RetryBudget = number(0...1) == 0 ? .fresh : .kept
            try await f.twice(Retry(ids: [id(), id()], budget: budget, force: number(0...3) == 0))
        case 17, 18:
            try await shift()
        case 19:
            try await f.twice(Ignore(id()))
        case 20, 21:
            try await write(step)
        case 22, 23:
            try await supervise()
        case 24:
            try await sweep()
        case 25:
            try await f.twice(Prioritise(ids: [id(), id()], priority: number(4...6), actor: "op"))
        default:
            try await f.send(Reap(limit: number(1...5)))
            try await f.send(Purge(limit: number(1...5)))
            try await f.send(Delete(ids: [id()], force: number(0...1) == 0))
        }
        f.clock.advance(by: .milliseconds(number(-120...400)))
    }
}
