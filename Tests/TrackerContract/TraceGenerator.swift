import BelayTestKit

@testable import Belay

/// Makes a trace from a seed: always the same, with the handles that the reference model gives out on the way.
struct TraceGenerator {
    private(set) var steps: [Step] = []
    var random: SplitMix
    var now = ManualClock().now
    private var model = InMemoryState(payloadLimit: Limits.defaultPayloadBytes)
    /// Locks that were given out, the latest last.
    private(set) var handles: [ClaimHandle] = []
    /// Moments that matter: ends of leases and of attempts' times, the latest last.
    private var ends: [Timestamp] = []
    /// Searches that go on.
    private var searches: [Find] = []
    /// What was sent so far, with what it does to the model.
    private var sent: [(step: Step, apply: (inout InMemoryState, Timestamp) -> Void)] = []

    static let ids: [TaskID] = ["a", "b", "mail#c", "ü", "task-with-a-longer-id", "{f}:0", "d", "e"]
    static let tags: [TaskTag] = ["flow:1", "x", "7@a/b"]
    static let kinds: [KindName] = ["mail", "thumb:1", "Zip"]
    static let workers = (1...4).map { WorkerName(host: "host", pid: Int32($0), nonce: "w") }

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        model.open(now: now)
    }

    /// A trace of so many random steps, with a look at everything after each 20.
    static func trace(seed: UInt64, steps count: Int) -> [Step] {
        var generator = TraceGenerator(seed: seed)
        for kind in kinds.prefix(2) { generator.send(Define(kind: kind, policy: generator.policy(), replace: false)) }
        for number in 1...count {
            generator.random.pick(menu)(&generator)
            if number.isMultiple(of: 20) { generator.lookAtAll() }
        }
        generator.steps.append(.events)
        return generator.steps
    }

    @discardableResult
    mutating func send<V: Verb>(_ verb: V) -> V.Response? {
        let step = Step.call(verb)
        steps.append(step)
        sent.append((step, { model, now in _ = try? model.apply(verb, now: now) }))
        return try? model.apply(verb, now: now)
    }

    mutating func move(_ duration: Duration) {
        steps.append(.move(duration))
        now = now + duration
    }

    // MARK: - Random steps

    private typealias RandomStep = @Sendable (inout TraceGenerator) -> Void

    /// Every sort of step as often as its share.
    private static let menu: [RandomStep] = {
        let shares: [(Int, RandomStep)] = [
            (20, { $0.enqueue() }), (14, { $0.claim() }), (9, { $0.acquire() }), (6, { $0.renew() }),
            (2, { $0.progress() }), (6, { $0.complete() }), (9, { $0.fail() }), (4, { $0.giveBack() }),
            (7, { $0.shiftHeld() }), (8, { $0.shift() }), (4, { $0.save() }), (3, { $0.log() }),
            (4, { $0.cancel() }), (5, { $0.retry() }), (6, { $0.delete() }), (1, { $0.undefine() }),
            (4, { $0.reap() }), (2, { $0.prioritise() }), (2, { $0.purge() }), (2, { $0.define() }), (3, { $0.gate() }),
            (3, { $0.beat() }),
            (6, { $0.again() }), (5, { $0.query() }), (9, { $0.moveClock() }),
            (1, { if $0.random.chance(4) { $0.destroy() } }),
        ]
        return shares.flatMap { share, step in Array(repeating: step, count: share) }
    }()

    private mutating func destroy() {
        steps.append(.destroy)
        _ = try? model.apply(Destroy(), now: now)
    }

    private mutating func claim() {
        var kinds = Array(Self.kinds.shuffled(using: &random).prefix(random.pick([1, 2, 3, 3])))
        if random.chance(8) { kinds.append("unknown") }
        if random.chance(8) { kinds.append(kinds[0]) }
        let verb = ClaimMany(
            token: token(),
            worker: random.pick(Self.workers),
            count: random.pick([1, 1, 2, 4]),
            kinds: kinds,
            lease: random.chance(3) ? lease() : nil,
            lane: random.below(2),
            wait: random.chance(2) ? .seconds(1) : nil,
            mayBeWaiting: random.chance(2),
            order: order(),
            estimatedNow: estimate()
        )
        for claim in send(verb)?.claims ?? [] { note(claim) }
    }

    private mutating func acquire() {
        let id = random.pick(Self.ids)
        let held = random.chance(8) ? token() : handles.last { $0.id == id }?.token
        let verb = Acquire(
            id: id,
            token: token(),
            worker: random.pick(Self.workers),
            lease: random.chance(3) ? lease() : nil,
            options: AcquireOptions(rawValue: random.below(16) & random.below(16)),
            held: random.chance(3) ? held : nil
        )
        if case .claimed(let claim)? = send(verb) { note(claim) }
    }

    private mutating func note(_ claim: Claim) {
        handles.append(claim.handle)
        ends.append(claim.expires)
        if let deadline = record(of: claim.id)?.deadline { ends.append(deadline) }
    }

    private mutating func renew() {
        let handles = someHandles()
        send(Renew(items: handles.map { ($0, lease()) }))
        for handle in handles { if let end = record(of: handle.id)?.leaseExpires { ends.append(end) } }
    }

    mutating func record(of id: TaskID) -> TaskRecord? {
        (try? model.apply(Get(ids: [id]), now: now))?.first ?? nil
    }

    /// Sends one of the latest calls a second time, as after a lost reply.
    private mutating func again() {
        guard !sent.isEmpty else { return }
        let call = sent[sent.count - 1 - random.below(min(sent.count, 6))]
        steps.append(call.step)
        call.apply(&model, now)
    }

    private mutating func query() {
        switch random.below(10) {
        case 0:
            send(
                Peek(
                    kinds: [random.pick(Self.kinds), random.pick(Self.kinds)],
                    limit: random.pick([1, 2, 5]),
                    order: order(),
                    scheduled: random.chance(2)
                )
            )
        case 1: send(Stats())
        case 2: send(Attempts(id: random.pick(Self.ids)))
        case 3: send(Logs(id: random.pick(Self.ids)))
        case 4: send(Workers(limit: random.pick([1, 2, 500])))
        case 5: send(Explain(id: random.pick(Self.ids)))
        case 6: send(Parents(id: random.pick(Self.ids)))
        case 7: send(Tags(tags: Array(Self.tags.shuffled(using: &random).prefix(2))))
        default: find()
        }
    }

    /// Begins a search, or goes on with one, mostly as it was begun.
    private mutating func find() {
        var verb = Find(
            kinds: random.chance(2) ? [] : [random.pick(Self.kinds)],
            states: random.chance(2)
                ? TaskState.allCases : Array(TaskState.allCases.shuffled(using: &random).prefix(3)),
            order: random.pick(FindOrder.allCases),
            limit: random.pick([1, 2, 3]),
            cursor: random.chance(10)
                ? random.pick(["nonsense", "q 1", "z 1 a", "q -1 a", "q 99999999999999999999 a"]) : nil,
            tag: random.chance(3) ? random.pick(Self.tags) : nil,
            worker: random.chance(6) ? random.pick(Self.workers).description : nil,
            created: random.chance(6) ? now + .seconds(-random.below(60))..<now + .seconds(random.below(2)) : nil
        )
        if !searches.isEmpty, random.chance(2) {
            let search = random.pick(searches)
            if random.chance(10) { verb.cursor = search.cursor } else { verb = search }
        }
        guard let next = send(verb)?.cursor else { return }
        verb.cursor = next
        searches = searches.suffix(3) + [verb]
    }

    private mutating func moveClock() {
        switch random.below(12) {
        case ..<2: move(.microseconds(random.below(2)))
        case ..<4: move(.milliseconds(random.below(2000)))
        case ..<6: move(.seconds(random.below(60)))
        case 6: move(.seconds(random.pick([-1, -5, -15])))
        case 7: move(.seconds(random.pick([3600, 86_400])))
        default: moveToEnd()
        }
    }

    /// To the very end of a lease or an attempt's time, or a moment before it.
    private mutating func moveToEnd() {
        let coming = ends.suffix(6).filter { $0 > now }
        guard !coming.isEmpty else { return }
        move(.microseconds((random.pick(coming) - now).microseconds - random.below(2)))
    }

    private mutating func reap() {
        if random.chance(2) { moveToEnd() }
        send(Reap(limit: random.pick([1, 2, 10]), estimatedNow: estimate()))
    }

    mutating func lookAtEvents() { steps.append(.events) }

    /// Every query on everything.
    private mutating func lookAtAll() {
        send(Get(ids: Self.ids))
        for id in Self.ids {
            send(Attempts(id: id))
            send(Logs(id: id))
            send(Explain(id: id))
            send(Parents(id: id))
        }
        send(Tags(tags: Self.tags))
        send(Workers(limit: 100))
        steps.append(.events)
        send(Stats())
        send(Kinds())
        send(Find(kinds: [], states: TaskState.allCases, order: .oldestFirst, limit: 500, cursor: nil))
        send(Peek(kinds: Self.kinds, limit: 10, order: .due, scheduled: true))
    }
}
