import Testing

@testable import Belay

@Suite("resume")
struct ResumeTests {
    @Test("lets a task be claimed again, in its place in the line")
    func unparks() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", priority: 7)
            let created = f.clock.now
            f.clock.advance(by: .seconds(1))
            try await f.enqueue("b", priority: 7)
            _ = try await f.tracker.pause(["a"])
            f.clock.advance(by: .seconds(60))
            var answers: [TransitionOutcome] = []
            let events = try await f.events { answers = try await f.twice(Resume("a", message: "go")) }
            #expect(answers == [.done(.ready)])
            #expect(events == ["resumed k a | p"])
            let dump = try await f.dump()
            #expect(dump.index("p:k") == [:])
            #expect(dump.index("q:7:k")["a"] == created.microseconds)
            #expect(dump.list("l:a").last == "\(f.now) resumed op -\ngo")
            #expect(try await f.record("a").updated == f.clock.now)
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["a"])
        }
    }

    @Test("keeps the due time of a task that is to run later")
    func later() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", delay: .seconds(60))
            let due = f.moment(.seconds(60))
            _ = try await f.tracker.pause(["a"])
            #expect(try await f.twice(Resume("a")) == [.done(.ready)])
            #expect(try await f.record("a").due == due)
            #expect(try await f.tracker.claim("a") == .refused(.notDue(at: due)))
        }
    }

    @Test("lets a holder run on under the same lock")
    func runsOn() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            f.clock.advance(by: .seconds(3))
            _ = try await f.tracker.renew(handle, for: .seconds(10))
            var answers: [TransitionOutcome] = []
            let events = try await f.events { answers = try await f.twice(Resume(handle, message: "on")) }
            #expect(answers == [.done(.running)])
            #expect(events == ["resumed k a | h by host:1:a"])
            let dump = try await f.dump()
            #expect(dump.index("r:k") == ["a": f.now + 10_000_000])
            #expect(dump.index("h:k") == [:])
            #expect(dump.list("l:a").last == "\(f.now) resumed host:1:a -\non")
            let record = try await f.record("a")
            #expect(record.state == .running)
            #expect(record.fence == handle.fence)
            #expect(record.attempts == 1)
            #expect(try await f.tracker.complete(handle) == .accepted)
        }
    }

    @Test("is an operator's right from every pause, and changes nothing where there is none", arguments: Place.allCases)
    func byOperator(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let refusal = IllegalTransition(found: place.state, allowed: [.paused, .ready, .running])
            switch place {
            case .parked:
                #expect(try await f.twice(Resume("a")) == [.done(.ready)])
                #expect(try await f.whereabouts("a") == ["q", "q:5:k"])
            case .held:
                #expect(try await f.twice(Resume("a")) == [.done(.running)])
                #expect(try await f.whereabouts("a") == ["r", "r:k"])
                #expect(try await f.dump().list("l:a").last?.contains("resumed op -") == true)
            case .ready, .running: #expect(try await f.unchanged(Resume("a")) == [.done(place.state)])
            default: #expect(try await f.unchanged(Resume("a")) == [.refused(refusal)])
            }
        }
    }

    @Test("is a holder's right as long as it holds the lock", arguments: Place.allCases)
    func byHolder(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: place)
            let refusal = IllegalTransition(found: place.state, allowed: [.paused, .running])
            switch place {
            case .held:
                #expect(try await f.twice(Resume(handle)) == [.done(.running)])
                #expect(try await f.whereabouts("a") == ["r", "r:k"])
            case .running: #expect(try await f.unchanged(Resume(handle)) == [.done(.running)])
            default: #expect(try await f.unchanged(Resume(handle)) == [.refused(refusal)])
            }
        }
    }

    @Test("refuses a wrong token, an old fence and a task that is gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: .held)
            for stale in [handle.withWrongToken, handle.withOldFence] {
                #expect(try await f.unchanged(Resume(stale)) == [.stale])
            }
            #expect(try await f.unchanged(Resume(handle.ofNobody)) == [.notFound])
            #expect(try await f.unchanged(Resume("nobody")) == [.notFound])
        }
    }

    @Test("answers each task in its order; a twin in the batch is resumed once")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("done", to: .succeeded)
            try await f.bring("held", to: .held)
            try await f.bring("a", to: .parked)
            let answers = try await f.twice(Resume("a", "nobody", "held", "a", "done"))
            let refusal = IllegalTransition(found: .succeeded, allowed: [.paused, .ready, .running])
            #expect(answers == [.done(.ready), .notFound, .done(.running), .done(.ready), .refused(refusal)])
            #expect(try await f.dump().events.filter { $0.hasPrefix("resumed") } == ["resumed k a,held | p,h"])
            #expect(try await f.dump().list("l:a").count == 2)
        }
    }

    @Test("wakes an idle worker for what is due, and none for what is due later")
    func wakes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: .parked)
            try await f.enqueue("later", delay: .seconds(60))
            _ = try await f.tracker.pause(["later"])
            try await f.send(f.claimMany(token: "2", worker: WorkerName(trusted: "idle"), wait: .seconds(1)))
            _ = try await f.tracker.resume(["later"])
            #expect(try await f.dump().index("i:k").count == 1)
            _ = try await f.tracker.resume(["a"])
            #expect(try await f.dump().index("i:k") == [:])
        }
    }

    @Test("takes 500 tasks in one call, also beyond the queue limit, and refuses none and 501")
    func limits() async throws {
        let policy = KindPolicy(queueLimit: 500)
        try await TrackerFixture.run(policy: policy) { f async throws in
            let ids = try await f.enqueue(count: 500)
            #expect(try await f.tracker.pause(ids).count == 500)
            try await f.enqueue("more")
            let verb = Resume(.tasks(ids), actor: "op", message: String(repeating: "x", count: 1024))
            #expect(try await f.twice(verb) == Array(repeating: .done(.ready), count: 500))
            #expect(try await f.dump().index("q:5:k").count == 501)
            await #expect(throws: TrackerError.self) { try await f.tracker.resume([]) }
            await #expect(throws: TrackerError.self) { try await f.tracker.resume(ids + ["t1"]) }
            let long = String(repeating: "x", count: 1025)
            await #expect(throws: TrackerError.self) { try await f.tracker.resume(["t1"], message: long) }
        }
    }
}
