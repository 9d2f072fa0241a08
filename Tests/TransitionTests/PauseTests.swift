import RedisWire
import Testing

@testable import Belay

@Suite("pause")
struct PauseTests {
    @Test("keeps a waiting task from being claimed, and says who did it when and why")
    func parks() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 7)
            f.clock.advance(by: .seconds(1))
            var answers: [TransitionOutcome] = []
            let events = try await f.events { answers = try await f.twice(Pause("a", message: "wait\nfor it")) }
            #expect(answers == [.done(.paused)])
            #expect(events == ["paused k a | q"])
            let dump = try await f.dump()
            #expect(dump.index("p:k") == ["a": f.now])
            #expect(dump.index("q:7:k") == [:])
            #expect(dump.list("l:a") == ["\(f.now) paused op -\nwait\nfor it"])
            let record = try await f.record("a")
            #expect(record.state == .paused)
            #expect(record.updated == f.clock.now)
            #expect(record.leaseExpires == nil)
            #expect(try await f.tracker.claim(["k"]) == [])
            #expect(try await f.tracker.claim("a", options: [.ignoreDue, .force, .restart]) == .refused(.paused))
        }
    }

    @Test("lets a holder pause its task and keep the lock, which it renews on")
    func holds() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .seconds(2))
            var answers: [TransitionOutcome] = []
            let events = try await f.events { answers = try await f.twice(Pause(claim.handle, message: "m")) }
            #expect(answers == [.done(.paused)])
            #expect(events == ["paused k a | r by host:1:a"])
            let dump = try await f.dump()
            #expect(dump.index("h:k") == ["a": claim.expires.microseconds])
            #expect(dump.index("r:k") == [:])
            #expect(dump.header["q:k"] == "5h", "the kind is known to have had such a task")
            #expect(dump.list("l:a") == ["\(f.now) paused host:1:a -\nm"])
            let record = try await f.record("a")
            #expect(record.state == .paused)
            #expect(record.leaseExpires == claim.expires)
            #expect(record.worker == "host:1:a")
            #expect(try await f.tracker.renew([claim]) == [.renewed])
            #expect(try await f.dump().index("h:k") == ["a": f.now + 10_000_000])
        }
    }

    @Test("is an operator's right from ready, and changes nothing where a task is paused", arguments: Place.allCases)
    func byOperator(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let refusal = IllegalTransition(found: place.state, allowed: [.ready, .paused])
            switch place {
            case .ready:
                #expect(try await f.twice(Pause("a")) == [.done(.paused)])
                #expect(try await f.whereabouts("a") == ["p", "p:k"])
            case .parked, .held: #expect(try await f.unchanged(Pause("a")) == [.done(.paused)])
            default: #expect(try await f.unchanged(Pause("a")) == [.refused(refusal)])
            }
        }
    }

    @Test("is a holder's right as long as it holds the lock", arguments: Place.allCases)
    func byHolder(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: place)
            let refusal = IllegalTransition(found: place.state, allowed: [.running, .paused])
            switch place {
            case .running:
                #expect(try await f.twice(Pause(handle)) == [.done(.paused)])
                #expect(try await f.whereabouts("a") == ["h", "h:k"])
            case .held: #expect(try await f.unchanged(Pause(handle)) == [.done(.paused)])
            default: #expect(try await f.unchanged(Pause(handle)) == [.refused(refusal)])
            }
        }
    }

    @Test("refuses a wrong token, an old fence and a task that is gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            for stale in [handle.withWrongToken, handle.withOldFence] {
                #expect(try await f.unchanged(Pause(stale)) == [.stale])
            }
            #expect(try await f.unchanged(Pause(handle.ofNobody)) == [.notFound])
            #expect(try await f.unchanged(Pause("nobody")) == [.notFound])
        }
    }

    @Test("is refused to a holder who was superseded")
    func superseded() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            _ = try await f.claim("a", token: "2", options: .ignoreLock)
            #expect(try await f.unchanged(Pause(old.handle)) == [.stale])
        }
    }

    @Test("answers each task in its order; a twin in the batch is paused once")
    func order() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.bring("busy", to: .running)
            try await f.enqueue("a")
            try await f.enqueue("b", "l", priority: 0)
            let events = try await f.events { () async throws in
                let answers = try await f.twice(Pause("b", "nobody", "busy", "a", "a"))
                let refusal = IllegalTransition(found: .running, allowed: [.ready, .paused])
                let done = TransitionOutcome.done(.paused)
                #expect(answers == [done, .notFound, .refused(refusal), done, done])
            }
            #expect(Set(events) == ["paused k a | q", "paused l b | q"])
            #expect(try await f.dump().list("l:a").count == 1)
        }
    }

    @Test("is counted as a crash when the holder dies meanwhile, even after a repeat of the pause")
    func deadHolder() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            f.clock.advance(by: .seconds(10))
            #expect(try await f.unchanged(Pause(handle)) == [.done(.paused)])
            #expect(try await f.tracker.reap().items.map(\.state) == [.ready])
            #expect(try await f.record("a").crashes == 1)
            #expect(try await f.record("a").lastFailure?.outcome == .crashed)
        }
    }

    @Test("takes 500 tasks in one call and refuses none, 501, and a message that is too long")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = try await f.enqueue(count: 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.pause([]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.pause(ids + ["t1"]) }
            for message in [String(repeating: "x", count: 1025), "a\0", "\u{1b}[31m"] {
                await #expect(throws: TrackerError.self) { try await f.tracker.pause(["t1"], message: message) }
            }
            let longest = String(repeating: "é", count: 512)
            let verb = Pause(.tasks(ids), actor: "op", message: longest)
            #expect(try await f.twice(verb) == Array(repeating: .done(.paused), count: 500))
            #expect(try await f.dump().list("l:t500") == ["\(f.now) paused op -\n" + longest])
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue("a")
            try await f.command("SET", "t:b", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Pause("a", "b")) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
