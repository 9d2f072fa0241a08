import NIOCore

@testable import RedisWire

/// Drives a `LinkState` whose waiters are numbers, with a clock that stands still until it is moved.
struct LinkMachine {
    var state: LinkState<Int>
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    var lastID: UInt64 = 0

    init(kind: LinkState<Int>.Kind = .shared, maxBytes: Int = 1 << 20, maxWaiting: Int = 100) {
        var backoff = RedisConfiguration.Backoff()
        backoff.base = .milliseconds(100)
        backoff.cap = .seconds(1)
        state = LinkState(
            policy: .init(
                kind: kind,
                endpoint: "test",
                maxBytes: maxBytes,
                maxWaiting: maxWaiting,
                connectTimeout: .seconds(1),
                commandTimeout: .seconds(2),
                idleTimeout: .seconds(60),
                backoff: backoff
            )
        )
    }

    /// A machine whose connection is open.
    static func connected(
        kind: LinkState<Int>.Kind = .shared,
        maxBytes: Int = 1 << 20,
        maxWaiting: Int = 100
    ) -> LinkMachine {
        var machine = LinkMachine(kind: kind, maxBytes: maxBytes, maxWaiting: maxWaiting)
        _ = machine.enqueue(0)
        _ = machine.state.connected(generation: 1, now: machine.now)
        _ = machine.take()
        _ = machine.reply()
        return machine
    }

    mutating func enqueue(
        _ waiter: Int,
        bytes: Int = 100,
        timeout: TimeAmount = .seconds(2),
        isAsking: Bool = false
    ) -> LinkState<Int>.Actions {
        lastID += 1
        return state.enqueue(
            .init(
                id: lastID,
                command: RedisCommand("C\(waiter)"),
                byteCount: bytes,
                waiter: waiter,
                timeout: timeout,
                deadline: now + timeout,
                isAsking: isAsking
            ),
            now: now
        )
    }

    /// The names of the commands that may be written.
    mutating func take() -> [String] {
        var batch: [RedisCommand] = []
        _ = state.takeWritable(generation: state.generation, now: now, into: &batch)
        return batch.map(\.name)
    }

    /// Whom the next replies belong to.
    mutating func reply(_ count: Int = 1, retiring: Bool = false) -> (waiters: [Int?], actions: LinkState<Int>.Actions)
    {
        var waiters: [Int?] = []
        let generation = state.generation
        let result = state.takeWaiters(count, generation: generation, retiring: retiring, now: now, into: &waiters)
        return (waiters, result.actions)
    }

    /// Moves the clock and lets the timer that counts fire.
    mutating func advance(by amount: TimeAmount) -> LinkState<Int>.Actions {
        now = now + amount
        guard let armed = state.armed, armed <= now else { return .init() }
        return state.timerFired(at: armed, now: now, random: 1)
    }

    mutating func lose(_ code: RedisError.Code = .connectionClosed) -> LinkState<Int>.Actions {
        let error = RedisError(code: code, outcome: .unknown, message: "lost")
        return state.disconnected(generation: state.generation, error, now: now, random: 1)
    }
}

extension LinkState<Int>.Actions {
    var failures: [String] {
        failed.map { "\($0.0) \($0.1.code) \($0.1.outcome)" }
    }
}
