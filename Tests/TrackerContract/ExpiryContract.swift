import BelayTestKit
import Testing

@testable import Belay

/// Tasks that are not to be started too late, and attempts that are asked to stop, on every backend.
@Suite("expiry and soft time-outs")
struct ExpiryContract {
    @Test("a task is not started from its expiry on, whoever asks", arguments: TestedBackend.allCases)
    func expiry(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let start = clock.now
            let after = EnqueueOptions(id: "a", tags: ["t"], expiresAfter: .seconds(5))
            try await tracker.add(NewTask(mail, options: after))
            for id: TaskID in ["b", "c"] {
                let at = EnqueueOptions(id: id, expiresAt: start + .seconds(5))
                try await tracker.add(NewTask(mail, options: at))
            }
            try await tracker.add(new("child", after: .after("a", condition: .succeeded)), new("d"))
            clock.advance(by: .microseconds(4_999_999))
            #expect(try await tracker.get("a")?.expires == start + .seconds(5))
            let reasons = try await tracker.explain("a")?.reasons
            #expect(reasons?.last == .expires(at: start + .seconds(5), in: .microseconds(1)))
            #expect(try await tracker.take("c").id == "c")
            clock.advance(by: .microseconds(1))
            #expect(try await tracker.explain("a")?.reasons.first == .expires(at: clock.now, in: .zero))
            #expect(try await tracker.refusal(of: "b", options: .ignoreDue) == .ended(.cancelled))
            #expect(try await tracker.claim([mail], limit: 2).map(\.id) == ["d"], "an expired task is no claim's")
            for id: TaskID in ["a", "b"] {
                let record = try await tracker.get(id)
                #expect((record?.state, record?.cause, record?.attempts) == (.cancelled, .expired, 0))
            }
            #expect(try await tracker.explain("a")?.reasons == [.expired(at: clock.now)])
            #expect(try await tracker.get("child")?.cause == .parentFailed(.task("a")))
            #expect(try await tracker.counts(ofTags: ["t"])[0].cancelled == 1)
            #expect(
                try await tracker.told([.expired, .parentFailed]) == [
                    "expired b", "expired a", "parent-failed child t:a",
                ]
            )
            #expect(try await tracker.state(of: "c") == .running, "what has begun goes on")
        }
    }

    @Test("a claim that finds only expired tasks says to come again at once", arguments: TestedBackend.allCases)
    func comeAgain(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["a", "b"] {
                try await tracker.add(NewTask(mail, options: EnqueueOptions(id: id, expiresAfter: .zero)))
            }
            try await tracker.add("c")
            let verb = ClaimMany(token: "t", worker: tracker.workerName, count: 1, kinds: [mail])
            for _ in 1...2 { #expect(try await tracker.perform(verb).nextDue == clock.now) }
            #expect(try await tracker.perform(verb).claims.map(\.id) == ["c"])
        }
    }

    @Test(
        "what began before goes on after its expiry; a retry and force pass over it",
        arguments: TestedBackend.spread
    )
    func passing(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            for id: TaskID in ["failed", "released", "retried", "forced"] {
                try await tracker.add(NewTask(mail, options: EnqueueOptions(id: id, expiresAfter: .seconds(1))))
            }
            try await tracker.fail(tracker.take("failed").handle, TaskFailure(type: "e", message: "m"))
            _ = try await tracker.release([tracker.take("released").handle])
            clock.advance(by: .seconds(5))
            #expect(try await tracker.take("failed").attempt == 2)
            #expect(try await tracker.refusal(of: "released") == .ended(.cancelled), "its attempt was not spent")
            #expect(try await tracker.refusal(of: "retried") == .ended(.cancelled))
            #expect(try await tracker.retry(["retried"]) == [.ready])
            let record = try await tracker.get("retried")
            #expect((record?.cause, record?.expires) == (nil, nil))
            #expect(try await tracker.take("retried").attempt == 1)
            #expect(try await tracker.take("forced", options: .force).attempt == 1)
            let both = EnqueueOptions(id: "x", expiresAfter: .seconds(1), expiresAt: clock.now)
            #expect(await code { try await tracker.enqueue([NewTask(mail, options: both)]) } == .invalidArgument)
            let past = EnqueueOptions(id: "x", expiresAfter: .seconds(-1))
            #expect(await code { try await tracker.enqueue([NewTask(mail, options: past)]) } == .invalidArgument)
        }
    }

    @Test("a claim tells when its attempt's time is over, and when it should stop", arguments: TestedBackend.allCases)
    func softTimeout(backend: TestedBackend) async throws {
        let policy = KindPolicy(lease: .seconds(10), timeout: .seconds(60), softTimeout: .seconds(50))
        try await backend.run(policy) { tracker, clock in
            try await tracker.define("fax", policy: KindPolicy(softTimeout: .seconds(3)))
            for id: TaskID in ["a", "b"] { try await tracker.add(id) }
            try await tracker.add("f", "fax")
            let (hard, soft) = (clock.now + .seconds(60), clock.now + .seconds(50))
            let verb = ClaimMany(token: "t", worker: tracker.workerName, count: 1, kinds: [mail])
            for _ in 1...2 {
                let claim = try await tracker.perform(verb).claims[0]
                #expect((claim.deadline, claim.softDeadline) == (hard, soft))
                clock.advance(by: .seconds(1))
            }
            let named = try await tracker.take("b")
            #expect(named.softDeadline == clock.now + .seconds(50))
            let fax = try await tracker.take("f")
            #expect((fax.deadline, fax.softDeadline) == (nil, clock.now + .seconds(3)))
            let wrong = KindPolicy(timeout: .seconds(1), softTimeout: .seconds(1))
            #expect(await code { try await tracker.define("wrong", policy: wrong) } == .invalidArgument)
        }
    }

    @Test("a cancellation may carry a signal, which the holder's renewal tells", arguments: TestedBackend.allCases)
    func signals(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(new("a", tags: ["t"]), new("b", tags: ["t"]))
            let claims = try await tracker.claim([mail], limit: 2)
            #expect(try await tracker.cancel(["a"]) == [.requested])
            #expect(try await tracker.renew(claims) == [.cancelRequested, .renewed])
            #expect(try await tracker.cancel(tag: "t", reason: "now", signal: 9).requested == 2)
            let killed = RenewOutcome.terminateRequested(signal: 9)
            #expect(try await tracker.renew(claims) == [killed, killed])
            #expect(try await tracker.cancel(["a"]) == [.requested])
            #expect(try await tracker.renew(claims) == [killed, killed], "a signal is not taken back")
            #expect(try await tracker.cancel(["a"], signal: 15) == [.requested])
            #expect(try await tracker.renew(claims) == [.terminateRequested(signal: 15), killed])
            #expect(try await tracker.told([.cancelRequested]).count == 4)
            for signal in [0, 65] {
                #expect(await code { _ = try await tracker.cancel(["a"], signal: signal) } == .invalidArgument)
            }
            _ = try await tracker.release(claims.map(\.handle))
            #expect(try await tracker.retry(["a"]) == [.ready])
            let again = try await tracker.take("a")
            #expect(try await tracker.renew([again]) == [.renewed])
        }
    }

    @Test("a worker that left because too much failed says so", arguments: TestedBackend.spread)
    func drained(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.beat(.online, kinds: [mail])
            for _ in 1...2 { try await tracker.beat(.drained, kinds: [mail]) }
            let worker = try #require(try await tracker.workers().first)
            #expect((worker.isAlive, worker.aliveUntil) == (false, clock.now))
            let names = try await tracker.events(from: .oldest).events.map(\.name)
            #expect(names.suffix(2) == [.workerOnline, .workerDrained])
        }
    }
}
