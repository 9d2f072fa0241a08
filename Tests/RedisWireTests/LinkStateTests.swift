import NIOCore
import Testing

@testable import RedisWire

@Suite("A link")
struct LinkStateTests {
    @Test("connects at the first command, once")
    func lazyConnect() {
        var machine = LinkMachine()
        #expect(machine.state.phase == .disconnected(notBefore: .uptimeNanoseconds(0)))
        #expect(machine.enqueue(1).connect == 1)
        #expect(machine.enqueue(2).connect == nil)
        #expect(machine.take() == [])
        #expect(machine.state.connected(generation: 1, now: machine.now).drain)
        #expect(machine.take() == ["C1", "C2"])
    }

    @Test("asks for one drain for many commands")
    func oneDrain() {
        var machine = LinkMachine.connected()
        #expect(machine.enqueue(1).drain)
        #expect(!machine.enqueue(2).drain)
        #expect(!machine.enqueue(3).drain)
        #expect(machine.take() == ["C1", "C2", "C3"])
        #expect(machine.enqueue(4).drain)
    }

    @Test("gives replies to their callers in order")
    func order() {
        var machine = LinkMachine.connected()
        for waiter in 1...4 { _ = machine.enqueue(waiter) }
        _ = machine.take()
        #expect(machine.reply(3).waiters == [1, 2, 3])
        #expect(machine.reply().waiters == [4])
        #expect(machine.state.bytesInFlight == 0)
    }

    @Test("writes ASKING directly before the command that needs it, and throws its reply away")
    func asking() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1)
        _ = machine.enqueue(2, isAsking: true)
        _ = machine.enqueue(3)
        #expect(machine.take() == ["C1", "ASKING", "C2", "C3"])
        #expect(machine.reply(3).waiters == [1, nil, 2])
        #expect(machine.reply().waiters == [3])
        #expect(machine.state.bytesInFlight == 0)
    }

    @Test("lets the caller of a command after ASKING leave")
    func leavingAfterAsking() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1, isAsking: true)
        _ = machine.take()
        #expect(machine.state.cancel(id: machine.lastID, now: machine.now).failures == ["1 cancelled unknown"])
        #expect(machine.reply(2).waiters == [nil, nil])
    }

    @Test("reports a reply that nobody asked for")
    func unaskedReply() {
        var machine = LinkMachine.connected()
        var waiters: [Int?] = []
        let result = machine.state.takeWaiters(1, generation: 1, retiring: false, now: machine.now, into: &waiters)
        #expect(!result.inOrder)
    }

    @Test("lets callers wait in line beyond the number in flight")
    func boundedNumber() {
        var machine = LinkMachine.connected(maxWaiting: 2)
        for waiter in 1...5 { _ = machine.enqueue(waiter) }
        #expect(machine.take() == ["C1", "C2"])
        #expect(machine.take() == [])
        #expect(machine.reply().actions.drain)
        #expect(machine.take() == ["C3"])
        _ = machine.reply(2)
        #expect(machine.take() == ["C4", "C5"])
    }

    @Test("lets callers wait in line beyond the bytes in flight, and sends a larger one alone")
    func boundedBytes() {
        var machine = LinkMachine.connected(maxBytes: 250)
        _ = machine.enqueue(1)
        _ = machine.enqueue(2)
        _ = machine.enqueue(3, bytes: 1000)
        _ = machine.enqueue(4)
        #expect(machine.take() == ["C1", "C2"])
        _ = machine.reply()
        #expect(machine.take() == [])
        _ = machine.reply()
        #expect(machine.take() == ["C3"])
        #expect(machine.take() == [])
        _ = machine.reply()
        #expect(machine.take() == ["C4"])
    }

    @Test("removes a cancelled command that has not been written")
    func cancelQueued() {
        var machine = LinkMachine()
        _ = machine.enqueue(1)
        _ = machine.enqueue(2)
        #expect(machine.state.cancel(id: 1, now: machine.now).failures == ["1 cancelled notSent"])
        #expect(machine.state.cancel(id: 1, now: machine.now).failures == [])
        _ = machine.state.connected(generation: 1, now: machine.now)
        #expect(machine.take() == ["C2"])
    }

    @Test("keeps the place of a cancelled command that has been written")
    func cancelInFlight() {
        var machine = LinkMachine.connected()
        for waiter in 1...3 { _ = machine.enqueue(waiter) }
        _ = machine.take()
        let id = machine.lastID - 1
        let actions = machine.state.cancel(id: id, now: machine.now)
        #expect(actions.failures == ["2 cancelled unknown"])
        #expect(actions.close == nil)
        #expect(machine.state.cancel(id: id, now: machine.now).failures == [])
        #expect(machine.reply(3).waiters == [1, nil, 3])
    }

    @Test("accepts nothing from a task that is cancelled already")
    func cancelledBefore() {
        var machine = LinkMachine()
        let pending = LinkState<Int>.Pending(
            id: 1,
            command: RedisCommand("C"),
            byteCount: 1,
            waiter: 1,
            timeout: .seconds(1),
            deadline: .distantFuture
        )
        let actions = machine.state.enqueue(pending, isCancelled: true, now: machine.now)
        #expect(actions.failures == ["1 cancelled notSent"])
        #expect(actions.connect == nil)
    }

    @Test("fails a command in the queue when its time is over, and keeps the others")
    func queueTimeout() {
        var machine = LinkMachine.connected(maxWaiting: 1)
        _ = machine.enqueue(1, timeout: .seconds(5))
        _ = machine.take()
        _ = machine.enqueue(2, timeout: .milliseconds(300))
        _ = machine.enqueue(3, timeout: .milliseconds(900))
        #expect(machine.advance(by: .milliseconds(300)).failures == ["2 timedOut notSent"])
        #expect(machine.advance(by: .milliseconds(300)).failures == [])
        #expect(machine.advance(by: .milliseconds(300)).failures == ["3 timedOut notSent"])
    }

    @Test("has one timer, at the earliest time")
    func oneTimer() {
        var machine = LinkMachine.connected()
        _ = machine.advance(by: .seconds(2))
        let first = machine.enqueue(1)
        #expect(first.timer == machine.now + .seconds(2))
        #expect(machine.enqueue(2).timer == nil)
        #expect(machine.enqueue(3, timeout: .seconds(1)).timer == machine.now + .seconds(1))
        // The timer that was replaced fires later and is ignored.
        let late = machine.now + .seconds(2)
        #expect(machine.state.timerFired(at: late, now: late, random: 1).failures == [])
        #expect(machine.state.queue.count == 3)
    }

    @Test("closes the connection when the oldest command gets no reply for a whole time-out")
    func stalled() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.advance(by: .seconds(1))
        _ = machine.enqueue(2)
        _ = machine.take()
        let actions = machine.advance(by: .seconds(1))
        #expect(actions.failures == ["1 timedOut unknown", "2 connectionClosed unknown"])
        #expect(actions.close == 1)
        #expect(!machine.state.isReady)
    }

    @Test("closes a stuck connection even when nobody waits any more")
    func stalledWithoutCallers() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.state.cancel(id: machine.lastID, now: machine.now)
        #expect(machine.advance(by: .seconds(2)).close == 1)
    }

    @Test("does not close the connection for a caller that had waited long before it was written")
    func lateCaller() {
        var machine = LinkMachine.connected(maxWaiting: 1)
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.enqueue(2)
        _ = machine.advance(by: .milliseconds(1900))
        _ = machine.reply()
        #expect(machine.take() == ["C2"])
        let actions = machine.advance(by: .milliseconds(100))
        #expect(actions.failures == ["2 timedOut unknown"])
        #expect(actions.close == nil)
        #expect(machine.reply().waiters == [nil])
        #expect(machine.state.isReady)
    }

    @Test("fails what is in flight as unknown when the connection is lost, and keeps the queue")
    func lost() {
        var machine = LinkMachine.connected(maxWaiting: 1)
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.enqueue(2)
        #expect(machine.lose().failures == ["1 connectionClosed unknown"])
        let actions = machine.advance(by: .milliseconds(100))
        #expect(actions.connect == 2)
        #expect(machine.state.connected(generation: 2, now: machine.now).drain)
        #expect(machine.take() == ["C2"])
    }

    @Test("pauses longer after each failure, up to the cap, and no longer after a reply")
    func backoff() {
        var machine = LinkMachine()
        var pauses: [Int64] = []
        for _ in 0..<6 {
            _ = machine.enqueue(1, timeout: .hours(1))
            if case .disconnected(let notBefore) = machine.state.phase { machine.now = max(machine.now, notBefore) }
            _ = machine.enqueue(2, timeout: .hours(1))
            _ = machine.lose(.connectionFailed)
            guard case .disconnected(let notBefore) = machine.state.phase else { return #expect(Bool(false)) }
            pauses.append((notBefore - machine.now).nanoseconds / 1_000_000)
        }
        #expect(pauses == [100, 200, 400, 800, 1000, 1000])
        _ = machine.advance(by: .seconds(1))
        _ = machine.state.connected(generation: machine.state.generation, now: machine.now)
        _ = machine.take()
        _ = machine.reply()
        #expect(machine.state.failures == 0)
    }

    @Test("does not connect before the pause is over, however many commands come")
    func noTightLoop() {
        var machine = LinkMachine()
        _ = machine.enqueue(1)
        _ = machine.lose(.connectionFailed)
        for waiter in 2...50 { #expect(machine.enqueue(waiter).connect == nil) }
        #expect(machine.advance(by: .milliseconds(99)).connect == nil)
        #expect(machine.advance(by: .milliseconds(1)).connect == 2)
    }

    @Test("names the reason when no connection could be made in time")
    func unreachable() {
        var machine = LinkMachine()
        _ = machine.enqueue(1)
        _ = machine.lose(.connectionFailed)
        var failures: [String] = []
        for _ in 0..<40 where failures.isEmpty {
            let actions = machine.advance(by: .milliseconds(100))
            failures = actions.failures
            if actions.connect != nil { _ = machine.lose(.connectionFailed) }
        }
        #expect(failures == ["1 connectionFailed notSent"])
    }

    @Test("fails the queue at once when the log-in is refused, and tries again after a second")
    func unauthorised() {
        var machine = LinkMachine()
        _ = machine.enqueue(1)
        #expect(machine.lose(.unauthorised).failures == ["1 unauthorised notSent"])
        #expect(machine.enqueue(2).connect == nil)
        #expect(machine.advance(by: .milliseconds(999)).connect == nil)
        #expect(machine.advance(by: .milliseconds(1)).connect == 2)
    }

    @Test("gives up a try to connect after its time")
    func connectTimeout() {
        var machine = LinkMachine()
        _ = machine.enqueue(1)
        let actions = machine.advance(by: .seconds(1))
        #expect(actions.close == 1)
        #expect(actions.failures == [])
        #expect(machine.state.connected(generation: 1, now: machine.now).drain == false)
        #expect(machine.advance(by: .milliseconds(100)).connect == 2)
    }

    @Test("ignores events of earlier connections")
    func staleEvents() {
        var machine = LinkMachine.connected()
        _ = machine.lose()
        _ = machine.enqueue(1)
        _ = machine.advance(by: .milliseconds(100))
        let error = RedisError(code: .connectionClosed, outcome: .unknown, message: "")
        _ = machine.state.disconnected(generation: 1, error, now: machine.now, random: 1)
        #expect(machine.state.isConnecting(generation: 2))
        var waiters: [Int?] = []
        let result = machine.state.takeWaiters(5, generation: 1, retiring: false, now: machine.now, into: &waiters)
        #expect(result.inOrder && waiters.isEmpty)
    }

    @Test("leaves a demoted server after the replies in flight")
    func retiring() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1)
        _ = machine.enqueue(2)
        _ = machine.take()
        #expect(machine.reply(retiring: true).actions.close == nil)
        _ = machine.enqueue(3)
        #expect(machine.take() == [])
        let (waiters, actions) = machine.reply()
        #expect(waiters == [2])
        #expect(actions.close == 1)
        #expect(actions.connect == 2)
    }

    @Test("closes an idle connection without an error, and opens it again")
    func idle() {
        var machine = LinkMachine.connected()
        _ = machine.advance(by: .seconds(2))
        let actions = machine.advance(by: .seconds(58))
        #expect(actions.close == 1)
        #expect(machine.enqueue(1).connect == 2)
    }

    @Test("when closed fails the queue, waits for replies, and ends")
    func shutDown() {
        var machine = LinkMachine.connected(maxWaiting: 1)
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.enqueue(2)
        let reason = RedisError(code: .closed, outcome: .notSent, message: "")
        let actions = machine.state.shutDown(reason, now: machine.now)
        #expect(actions.failures == ["2 closed notSent"])
        #expect(!actions.ended)
        #expect(machine.enqueue(3).failures == ["3 closed notSent"])
        let (waiters, last) = machine.reply()
        #expect(waiters == [1])
        #expect(last.ended && last.close == 1)
    }

    @Test("when closed does not wait for a stuck server for ever")
    func shutDownStuck() {
        var machine = LinkMachine.connected()
        _ = machine.enqueue(1)
        _ = machine.take()
        let reason = RedisError(code: .closed, outcome: .notSent, message: "")
        _ = machine.state.shutDown(reason, now: machine.now)
        let actions = machine.advance(by: .seconds(2))
        #expect(actions.ended)
        #expect(actions.failures == ["1 timedOut unknown"])
    }

    @Test("of a single connection ends with its first loss")
    func singleLoss() {
        var machine = LinkMachine.connected(kind: .single)
        _ = machine.enqueue(1)
        _ = machine.take()
        _ = machine.enqueue(2)
        let actions = machine.lose()
        #expect(actions.failures == ["1 connectionClosed unknown", "2 connectionClosed notSent"])
        #expect(actions.ended)
        #expect(machine.enqueue(3).failures == ["3 connectionClosed notSent"])
    }

    @Test("of a single connection ends with a cancelled call or a time-out")
    func singleCancel() {
        var cancelled = LinkMachine.connected(kind: .single)
        _ = cancelled.enqueue(1)
        _ = cancelled.take()
        let actions = cancelled.state.cancel(id: cancelled.lastID, now: cancelled.now)
        #expect(actions.failures == ["1 cancelled unknown"])
        #expect(actions.close == 1 && actions.ended)

        var late = LinkMachine.connected(kind: .single)
        _ = late.enqueue(1, timeout: .milliseconds(500))
        _ = late.take()
        let expired = late.advance(by: .milliseconds(500))
        #expect(expired.failures == ["1 timedOut unknown"])
        #expect(expired.close == 1 && expired.ended)
    }

    @Test("answers each caller exactly once in random histories", arguments: 1...200)
    func randomHistories(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = LinkMachine(maxBytes: 500, maxWaiting: 4)
        var answers: [Int: Int] = [:]
        func note(_ actions: LinkState<Int>.Actions) {
            for (waiter, _) in actions.failed { answers[waiter, default: 0] += 1 }
        }
        for waiter in 1...300 {
            note(machine.enqueue(waiter, bytes: .random(in: 1...400, using: &random)))
            switch Int.random(in: 0...9, using: &random) {
            case 0: note(machine.lose())
            case 1: note(machine.state.cancel(id: .random(in: 1...machine.lastID, using: &random), now: machine.now))
            case 2: note(machine.advance(by: .milliseconds(.random(in: 1...3000, using: &random))))
            default:
                note(machine.advance(by: .milliseconds(10)))
                note(machine.state.connected(generation: machine.state.generation, now: machine.now))
                _ = machine.take()
                let count = Int.random(in: 0...machine.state.inFlight.count, using: &random)
                let (waiters, actions) = machine.reply(count, retiring: Int.random(in: 0...19, using: &random) == 0)
                for waiter in waiters.compactMap(\.self) { answers[waiter, default: 0] += 1 }
                note(actions)
            }
            #expect(machine.state.bytesInFlight == machine.state.inFlight.map(\.byteCount).reduce(0, +))
            #expect(machine.state.inFlight.count <= 4)
        }
        note(machine.state.shutDown(RedisError(code: .closed, outcome: .notSent, message: ""), now: machine.now))
        note(machine.advance(by: .seconds(10)))
        #expect(answers.count == 300)
        #expect(answers.values.allSatisfy { $0 == 1 })
        #expect(machine.state.phase == .closed)
    }
}
