import Testing

@testable import RedisWire

@Suite("The state of a subscription")
struct SubscriptionStateTests {
    private typealias State = SubscriptionState<Int>

    private func message(_ number: Int) -> RedisReply {
        .array([.bytes(Array("message".utf8)), .bytes(Array("c".utf8)), .bytes(Array("\(number)".utf8))])
    }

    private let confirmation = RedisReply.array([.bytes(Array("subscribe".utf8)), .bytes([99]), .integer(1)])

    private func live(channels: Int = 1) throws -> State {
        var state = State(channelCount: channels, backoff: .init())
        _ = state.next(0)
        _ = state.connected(generation: 1)
        for _ in 0..<channels { _ = try state.receive(confirmation, generation: 1) }
        return state
    }

    @Test("connects when the reader first asks, and tells when all channels are confirmed")
    func start() throws {
        var state = State(channelCount: 2, backoff: .init())
        #expect(state.next(1).connect == 1)
        #expect(state.connected(generation: 1).subscribe)
        #expect(try state.receive(confirmation, generation: 1).resume == nil)
        let resumed = try state.receive(confirmation, generation: 1).resume
        #expect(resumed?.waiter == 1)
        #expect(resumed?.event == .subscribed)
    }

    @Test("keeps messages for a reader that is busy, in order")
    func mailbox() throws {
        var state = try live()
        for number in 1...3 { #expect(try state.receive(message(number), generation: 1).resume == nil) }
        for number in 1...3 {
            let event = state.next(9).resume?.event
            #expect(event == .message(channel: "c", payload: Array("\(number)".utf8)))
        }
        #expect(state.next(9).resume == nil)
    }

    @Test("stops the socket while the reader is far behind")
    func backPressure() throws {
        var state = try live()
        for number in 1..<State.highWater {
            #expect(try state.receive(message(number), generation: 1).setReading == nil)
        }
        #expect(try state.receive(message(0), generation: 1).setReading == false)
        var resumedAt: Int?
        for taken in 1...State.highWater where state.next(1).setReading == true { resumedAt = taken }
        #expect(resumedAt == State.highWater / 2 + 1)
    }

    @Test("connects anew after a loss and tells so")
    func reconnect() throws {
        var state = try live()
        _ = state.next(1)
        let lost = state.lost(generation: 1, isRetriable: true, random: 1)
        #expect(lost.close == 1)
        #expect(lost.reconnectAfter == .milliseconds(20))
        #expect(lost.resume == nil)
        #expect(state.lost(generation: 1, isRetriable: true, random: 1).reconnectAfter == nil)
        #expect(state.pauseEnded().connect == 2)
        _ = state.connected(generation: 2)
        #expect(try state.receive(confirmation, generation: 2).resume?.event == .subscribed)
        #expect(state.failures == 0)
    }

    @Test("pauses at least a second when it is refused")
    func refused() throws {
        var state = try live()
        #expect(throws: RedisError.self) {
            try state.receive(.error(RedisServerError(message: "NOPERM no")), generation: 1)
        }
        #expect(state.lost(generation: 1, isRetriable: false, random: 0).reconnectAfter == .seconds(1))
    }

    @Test("takes silence after a PING for death")
    func liveness() throws {
        var state = try live()
        #expect(state.checkLiveness(generation: 1) == .alive)
        #expect(state.checkLiveness(generation: 1) == .inDoubt)
        _ = try state.receive(.array([.bytes(Array("pong".utf8)), .bytes([])]), generation: 1)
        #expect(state.checkLiveness(generation: 1) == .alive)
        #expect(state.checkLiveness(generation: 1) == .inDoubt)
        #expect(state.checkLiveness(generation: 1) == .dead)
    }

    @Test("ends for the reader when it is shut down")
    func shutDown() throws {
        var state = try live()
        _ = state.next(7)
        let actions = state.shutDown()
        #expect(actions.resume?.waiter == 7)
        #expect(actions.resume?.event == .some(nil))
        #expect(actions.ended && actions.close == 1)
        #expect(!state.shutDown().ended)
        let resumed = state.next(8).resume
        #expect(resumed?.waiter == 8 && resumed?.event == .some(nil))
    }

    @Test("gives up a connection that says something else", arguments: [RedisReply.integer(1), .null, .array([])])
    func disorder(_ reply: RedisReply) throws {
        var state = try live()
        #expect(throws: RedisError.self) { try state.receive(reply, generation: 1) }
    }

    @Test("connects anew when another server is to be asked, and tells when it is subscribed there")
    func rerouting() throws {
        var state = try live()
        let actions = state.reroute()
        #expect(actions.close == 1)
        #expect(actions.connect == 2)
        // What the former server still says does not count.
        #expect(try state.receive(message(1), generation: 1).resume == nil)
        #expect(state.lost(generation: 1, isRetriable: true, random: 1).reconnectAfter == nil)
        #expect(state.connected(generation: 2).subscribe)
        _ = try state.receive(confirmation, generation: 2)
        #expect(state.phase == .live)
        #expect(Array(state.mailbox).suffix(1) == [.subscribed])
    }

    @Test("does not pause when another server is to be asked, and does nothing before and after its life")
    func reroutingElsewhere() throws {
        var state = State(channelCount: 1, backoff: .init())
        #expect(state.reroute().connect == nil)
        _ = state.next(0)
        _ = state.lost(generation: 1, isRetriable: true, random: 1)
        #expect(state.reroute().connect == 2)
        #expect(state.pauseEnded().connect == nil)
        _ = state.shutDown()
        #expect(state.reroute().connect == nil)
    }
}
