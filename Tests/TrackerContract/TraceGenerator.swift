import BelayTestKit

@testable import Belay

/// Makes a trace from a seed: always the same, with the handles that the reference model gives out on the way.
struct TraceGenerator {
    private(set) var steps: [Step] = []
    private var random: SplitMix
    private var model = InMemoryState(payloadLimit: Limits.defaultPayloadBytes)
    private var now = ManualClock().now
    /// Locks that were given out, the latest last.
    private var handles: [ClaimHandle] = []
    private var expiries: [Timestamp] = []
    private var cursors: [String] = []
    /// What was sent so far, with what it does to the model.
    private var sent: [(step: Step, apply: (inout InMemoryState, Timestamp) -> Void)] = []

    private static let ids: [TaskID] = ["a", "b", "c", "ü", "task-with-a-longer-id", "{f}:0"]
    private static let kinds: [KindName] = ["mail", "thumb:1", "Zip"]
    private static let workers = (1...4).map { WorkerName(host: "host", pid: Int32($0), nonce: "w") }

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        model.open(now: now)
    }

    /// A trace of so many random steps, with a look at everything after each 20.
    static func trace(seed: UInt64, steps count: Int) -> [Step] {
        var generator = TraceGenerator(seed: seed)
        for kind in kinds.prefix(2) { generator.send(Define(kind: kind, policy: generator.policy(), replace: false)) }
        for number in 1...count {
            generator.step()
            if number.isMultiple(of: 20) { generator.lookAtAll() }
        }
        return generator.steps
    }

    @discardableResult
    private mutating func send<V: Verb>(_ verb: V) -> V.Response? {
        let step = Step.call(verb)
        steps.append(step)
        sent.append((step, { model, now in _ = try? model.apply(verb, now: now) }))
        return try? model.apply(verb, now: now)
    }

    private mutating func move(_ duration: Duration) {
        steps.append(.move(duration))
        now = now + duration
    }

    // MARK: - Random steps

    private mutating func step() {
        switch random.below(100) {
        case ..<16: enqueue()
        case ..<32: claim()
        case ..<38: acquire()
        case ..<43: renew()
        case ..<46: progress()
        case ..<53: complete()
        case ..<62: fail()
        case ..<66: send(Release(handles: someHandles(), delay: random.chance(2) ? delay() : nil))
        case ..<69: send(SnoozeTasks(items: someHandles().map { ($0, delay()) }))
        case ..<73: send(Cancel(ids: someIDs(), reason: random.pick(["", "because"])))
        case ..<77: send(Retry(ids: someIDs(), budget: random.pick([.fresh, .kept])))
        case ..<81: send(Reap(limit: random.pick([1, 2, 10]), estimatedNow: estimate()))
        case ..<83: send(Purge(limit: random.pick([1, 2, 10])))
        case ..<85: send(Define(kind: random.pick(Self.kinds), policy: policy(), replace: random.chance(2)))
        case ..<91: again()
        case ..<94: query()
        default: moveClock()
        }
        if random.chance(400) { destroy() }
    }

    private mutating func destroy() {
        steps.append(.destroy)
        _ = try? model.apply(Destroy(), now: now)
    }

    private mutating func enqueue() {
        let names = random.chance(4) ? Array(Self.kinds.shuffled(using: &random).prefix(2)) : [random.pick(Self.kinds)]
        let kinds = names.map { (name: $0, policy: random.chance(3) ? nil : policy()) }
        let items = (0..<random.pick([1, 1, 2, 3])).map { _ in
            Enqueue.Item(
                id: random.pick(Self.ids),
                kind: random.below(kinds.count),
                due: due(),
                priority: random.pick([5, 5, 0, 9, 4]),
                payload: body(),
                attempts: random.chance(4) ? random.pick([1, 2]) : nil,
                trace: random.chance(4) ? ["traceparent": "00-1=2-3"] : [:]
            )
        }
        let nonce = random.chance(3) ? nil : "n\(random.below(8))"
        send(Enqueue(nonce: nonce, kinds: kinds, items: items, payloadLimit: Limits.defaultPayloadBytes))
    }

    private mutating func claim() {
        var kinds = Array(Self.kinds.shuffled(using: &random).prefix(random.pick([1, 2, 3, 3])))
        if random.chance(8) { kinds.append("unknown") }
        if random.chance(8) { kinds.append(kinds[0]) }
        let token = self.token()
        let verb = ClaimMany(
            token: token,
            worker: random.pick(Self.workers),
            count: random.pick([1, 1, 2, 4]),
            kinds: kinds,
            lease: random.chance(3) ? lease() : nil,
            lane: random.below(2),
            wait: random.chance(2) ? .seconds(1) : nil,
            mayBeWaiting: random.chance(2),
            estimatedNow: estimate()
        )
        for claim in send(verb)?.claims ?? [] { note(claim) }
    }

    private mutating func acquire() {
        let options = AcquireOptions(rawValue: random.below(16) & random.below(16))
        let verb = Acquire(
            id: random.pick(Self.ids),
            token: token(),
            worker: random.pick(Self.workers),
            lease: random.chance(3) ? lease() : nil,
            options: options
        )
        if case .claimed(let claim)? = send(verb) { note(claim) }
    }

    private mutating func note(_ claim: Claim) {
        handles.append(claim.handle)
        expiries.append(claim.expires)
    }

    private mutating func renew() { send(Renew(items: someHandles().map { ($0, lease()) })) }

    private mutating func progress() {
        let fraction = random.chance(4) ? nil : Double(random.below(1001)) / 1000
        for handle in someHandles().prefix(1) {
            send(Progress(handle: handle, fraction: fraction, message: random.pick(["", "half"])))
        }
    }

    private mutating func complete() {
        send(Complete(items: someHandles().map { ($0, body()) }, payloadLimit: Limits.defaultPayloadBytes))
    }

    private mutating func fail() {
        let items = someHandles().map { handle in
            let text = random.pick(["", "no such file", String(repeating: "\"ä", count: 4000)])
            let failure = TaskFailure(type: "error", message: text, backtrace: ["main"], host: "h", pid: 1)
            let delay = random.chance(3) ? self.delay() : nil
            let disposition: FailureDisposition = random.pick([
                .retry(after: delay), .retry(), .retry(), .exhaust, .cancelled,
            ])
            return Fail.Item(handle: handle, failure: failure, disposition: disposition)
        }
        send(Fail(items: items))
    }

    /// Sends one of the latest calls a second time, as after a lost reply.
    private mutating func again() {
        guard !sent.isEmpty else { return }
        let call = sent[sent.count - 1 - random.below(min(sent.count, 6))]
        steps.append(call.step)
        call.apply(&model, now)
    }

    private mutating func query() {
        switch random.below(4) {
        case 0: send(Peek(kinds: [random.pick(Self.kinds), random.pick(Self.kinds)], limit: random.pick([1, 2, 5])))
        case 1: send(Stats())
        case 2: send(Attempts(id: random.pick(Self.ids)))
        default: find()
        }
    }

    private mutating func find() {
        let cursor = random.chance(3) ? nil : cursors.isEmpty ? nil : random.pick(cursors)
        let verb = Find(
            kinds: random.chance(2) ? [] : [random.pick(Self.kinds)],
            states: random.chance(2)
                ? TaskState.allCases : Array(TaskState.allCases.shuffled(using: &random).prefix(2)),
            limit: random.pick([1, 2, 3]),
            cursor: random.chance(20) ? random.pick(["nonsense", "a\nb\nc"]) : cursor
        )
        if let next = send(verb)?.cursor { cursors.append(next) }
    }

    private mutating func moveClock() {
        switch random.below(10) {
        case ..<2: move(.microseconds(random.below(2)))
        case ..<4: move(.milliseconds(random.below(2000)))
        case ..<6: move(.seconds(random.below(60)))
        case 6: move(.seconds(random.pick([-1, -5, -15])))
        case 7: move(.seconds(random.pick([3600, 86_400])))
        default:
            // To the very end of a lease, or a moment before it.
            guard let expires = expiries.last, expires > now else { return }
            move(.microseconds((expires - now).microseconds - random.below(2)))
        }
    }

    /// Every query on everything.
    private mutating func lookAtAll() {
        send(Get(ids: Self.ids))
        for id in Self.ids { send(Attempts(id: id)) }
        send(Stats())
        send(Kinds())
        send(Find(kinds: [], states: TaskState.allCases, limit: 500, cursor: nil))
        send(Peek(kinds: Self.kinds, limit: 10))
    }

    // MARK: - Random values

    private mutating func token() -> String {
        let text = String(random.next(), radix: 16)
        return text + String(repeating: "0", count: 32 - text.utf8.count)
    }

    /// Mostly the latest locks, sometimes with a wrong token or fence.
    private mutating func someHandles() -> [ClaimHandle] {
        guard !handles.isEmpty else { return [ClaimHandle(id: Self.ids[0], token: token(), fence: 1)] }
        return (0..<random.pick([1, 1, 2, 3])).map { _ in
            var handle = handles[handles.count - 1 - random.below(min(handles.count, 4))]
            if random.chance(20) { handle.token = token() }
            if random.chance(20) { handle.fence += random.pick([-1, 1]) }
            return handle
        }
    }

    private mutating func someIDs() -> [TaskID] { (0..<random.pick([1, 1, 2])).map { _ in random.pick(Self.ids) } }
    private mutating func lease() -> Duration {
        random.pick([.milliseconds(50), .seconds(1), .seconds(10), .seconds(3600)])
    }
    private mutating func delay() -> Duration { random.pick([.zero, .milliseconds(700), .seconds(5), .seconds(100)]) }

    private mutating func due() -> Enqueue.Due {
        switch random.below(5) {
        case 0: .after(delay())
        case 1: .at(now + .seconds(random.pick([-10, 0, 3])))
        default: .now
        }
    }

    private mutating func estimate() -> Timestamp? {
        random.chance(3) ? nil : random.chance(12) ? now + .seconds(random.pick([-10, -11, -60])) : now
    }

    /// Sizes about the borders between the places where a body may lie.
    private mutating func body() -> Body {
        let size = random.pick([0, 1, 64, 65, 128, 129, 192, 193, 256, 257, 1000])
        let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return Body(bytes: bytes, contentType: random.pick([Body.json, Body.json, "text/plain"]))
    }

    private mutating func policy() -> KindPolicy {
        let jitter = random.pick([0, 0.1, 0.333, 1])
        let retry: RetryPolicy = random.pick([
            .exponential(base: .milliseconds(100), factor: 1.7, cap: .seconds(20), jitter: jitter),
            .exponential(base: .seconds(1), factor: 3, cap: .seconds(3600), jitter: jitter),
            .fixed(.seconds(2), jitter: jitter), .fixed(.zero),
            .list([.seconds(1), .milliseconds(10), .seconds(30)], jitter: jitter),
        ])
        return KindPolicy(
            lease: lease(),
            attempts: random.pick([1, 2, 3, 5]),
            retry: retry,
            keepSucceeded: random.pick([nil, .seconds(20), .seconds(86_400)]),
            keepOther: random.pick([nil, .seconds(20), .seconds(86_400)])
        )
    }
}

/// Random numbers that a seed always gives again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(state: UInt64) { self.state = state }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
}
