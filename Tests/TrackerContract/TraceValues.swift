import BelayTestKit

@testable import Belay

/// Random values.
extension TraceGenerator {
    mutating func token() -> String {
        let text = String(random.next(), radix: 16)
        return text + String(repeating: "0", count: 32 - text.utf8.count)
    }

    /// Mostly a lock that holds, else one of the latest, sometimes with a wrong token or fence.
    mutating func aHandle() -> ClaimHandle {
        guard !handles.isEmpty else { return ClaimHandle(id: Self.ids[0], token: token(), fence: 1) }
        let holding = handles.suffix(12).filter { record(of: $0.id)?.fence == $0.fence && isHeld($0.id) }
        if !random.chance(3), !holding.isEmpty { return random.pick(holding) }
        var handle = handles[handles.count - 1 - random.below(min(handles.count, 4))]
        if random.chance(8) { handle.token = token() }
        if random.chance(8) { handle.fence += random.pick([-1, 1]) }
        return handle
    }

    private mutating func isHeld(_ id: TaskID) -> Bool { record(of: id)?.leaseExpires != nil }
    mutating func someHandles() -> [ClaimHandle] { (0..<random.pick([1, 1, 2, 3])).map { _ in aHandle() } }
    mutating func someIDs() -> [TaskID] { (0..<random.pick([1, 1, 2, 3])).map { _ in random.pick(Self.ids) } }
    mutating func order() -> ClaimOrder { random.pick(ClaimOrder.allCases) }
    mutating func lease() -> Duration { random.pick([.milliseconds(50), .seconds(1), .seconds(10), .seconds(3600)]) }
    mutating func delay() -> Duration { random.pick([.zero, .milliseconds(700), .seconds(5), .seconds(100)]) }
    mutating func message() -> String { random.pick(["", "", "why", "two\nlines", "\u{301}ü 7"]) }

    mutating func due() -> Enqueue.Due {
        switch random.below(5) {
        case 0: .after(delay())
        case 1: .at(now + .seconds(random.pick([-10, 0, 3])))
        default: .now
        }
    }

    mutating func wishes() -> Enqueue.Wishes {
        var wishes = Enqueue.Wishes()
        wishes.tags = random.chance(2) ? [] : Array(Self.tags.shuffled(using: &random).prefix(1 + random.below(2)))
        if random.chance(2) { wishes.dependencies = dependencies(without: wishes.tags) }
        if random.chance(4) { wishes.expires = due() }
        if random.chance(2) { wishes.unique = uniqueness() }
        wishes.reuse = random.chance(6)
        return wishes
    }

    private mutating func dependencies(without tags: [TaskTag]) -> Dependencies {
        let all: [Dependencies.Parent] =
            Self.ids.map { .task($0) } + Self.tags.filter { !tags.contains($0) }.map { .tag($0) }
        return Dependencies(
            Array(all.shuffled(using: &random).prefix(random.pick([1, 1, 2, 3]))),
            condition: random.pick(Dependencies.Condition.allCases),
            quorum: random.pick([.all, .all, .any, .share(0.5)])
        )
    }

    private mutating func uniqueness() -> Uniqueness {
        let states: [Set<TaskState>] = [
            [.ready, .blocked, .running, .paused, .succeeded], [.running, .succeeded], [.running], [.paused, .running],
            Set(TaskState.allCases),
        ]
        return Uniqueness(
            key: random.pick(["one", "two"]),
            states: random.pick(states),
            window: random.pick([nil, nil, .microseconds(1), .seconds(30)]),
            later: random.pick(Uniqueness.Later.allCases)
        )
    }

    mutating func estimate() -> Timestamp? {
        random.chance(3) ? nil : random.chance(12) ? now + .seconds(random.pick([-10, -11, -60])) : now
    }

    /// Sizes about the borders between the places where a body may lie.
    mutating func body() -> Body {
        let size = random.pick([0, 0, 1, 64, 65, 128, 129, 192, 193, 256, 257, 1000])
        let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return Body(bytes: bytes, contentType: random.pick([Body.json, Body.json, "text/plain"]))
    }

    mutating func policy() -> KindPolicy {
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
            keepOther: random.pick([nil, .seconds(20), .seconds(86_400)]),
            timeout: random.pick([nil, nil, .milliseconds(700), .seconds(5), .seconds(30)]),
            softTimeout: random.pick([nil, nil, .milliseconds(300)]),
            queueLimit: random.pick([nil, nil, 1, 2, 3]),
            whenExhausted: random.pick([.exhausted, .exhausted, .ignored])
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
