import RedisWire
import Testing

@testable import Belay

@Suite("claim")
struct ClaimTests {
    @Test("moves a due task to running under a token and a fence")
    func claims() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a", payload: Body(text: "p"))
            f.clock.advance(by: .seconds(2))
            var claims: [Claim] = []
            let events = try await f.events { claims = try await f.twice(f.claimMany()).claims }
            let claim = try #require(claims.first)
            #expect(claim.id == "a")
            #expect(claim.kind == "k")
            #expect(claim.attempt == 1)
            #expect(claim.token == "token")
            #expect(claim.fence == f.now)
            #expect(claim.claimed == f.clock.now)
            #expect(claim.lease == .seconds(10))
            #expect(claim.expires == f.moment(.seconds(10)))
            #expect(claim.payload == Body(text: "p"))
            #expect(claim.created == f.moment(.seconds(-2)))
            #expect(claim.due == claim.created)
            #expect(claim.failures == 0)
            #expect(claim.crashes == 0)
            let dump = try await f.dump()
            #expect(dump.index("q:5:k") == [:])
            #expect(dump.index("r:k") == ["a": f.now + 10_000_000])
            #expect(dump.index("workers") == ["host:1:a": f.now])
            let record = try #require(dump.record("a"))
            #expect([record["s"], record["n"], record["t"], record["w"]] == ["r", "1", "token", "host:1:a"])
            #expect([record["g"], record["b"]] == ["\(f.now)", "\(f.now)"])
            #expect(events == ["claimed k a | \(f.now) by host:1:a"])
        }
    }

    @Test("takes the highest priority first, then the longest due, then by id")
    func order() async throws {
        try await TrackerFixture.run { f async throws in
            for (id, priority) in [("c", 5), ("b", 5), ("low", 0), ("high", 9)] as [(TaskID, Int)] {
                try await f.enqueue(id, priority: priority)
            }
            f.clock.advance(by: .seconds(1))
            try await f.enqueue("a")
            try await f.enqueue("top", priority: 9)
            try await f.enqueue("mid", priority: 6)
            let claims = try await f.twice(f.claimMany(10)).claims
            #expect(claims.map(\.id) == ["high", "top", "mid", "b", "c", "a", "low"])
        }
    }

    @Test("merges several kinds by priority and due time")
    func kinds() async throws {
        try await TrackerFixture.run(kinds: ["k", "l", "m"]) { f async throws in
            for (id, kind, priority) in [
                ("a", "l", 5), ("b", "k", 5), ("c", "m", 5), ("d", "l", 5), ("e", "k", 7), ("f", "m", 1),
            ] as [(TaskID, KindName, Int)] {
                try await f.enqueue(id, kind, priority: priority)
                f.clock.advance(by: .milliseconds(1))
            }
            #expect(try await f.send(f.claimMany(3, ["k", "l", "m"], token: "1")).claims.map(\.id) == ["e", "a", "b"])
            #expect(try await f.send(f.claimMany(1, ["m", "l"], token: "2")).claims.map(\.id) == ["c"])
            #expect(try await f.send(f.claimMany(9, ["m", "l", "k"], token: "3")).claims.map(\.id) == ["d", "f"])
        }
    }

    @Test("takes no more than asked for, and of the rest the first at the next call")
    func limit() async throws {
        try await TrackerFixture.run { f async throws in
            let ids = (1...7).map { TaskID(trusted: "t\($0)") }
            for id in ids {
                try await f.enqueue(id)
                f.clock.advance(by: .microseconds(1))
            }
            #expect(try await f.tracker.claim(["k"], limit: 3).map(\.id) == Array(ids[0..<3]))
            #expect(try await f.tracker.claim(["k"], limit: 3).map(\.id) == Array(ids[3..<6]))
            #expect(try await f.tracker.claim(["k"], limit: 3).map(\.id) == Array(ids[6...]))
            #expect(try await f.tracker.claim(["k"], limit: 3) == [])
        }
    }

    @Test("finds a delayed task exactly at its due time, and tells before when that is")
    func due() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("later", delay: .seconds(9), priority: 9)
            try await f.enqueue("a", "l", delay: .seconds(5))
            let due = f.moment(.seconds(5))
            f.clock.advance(by: .microseconds(4_999_999))
            let early = try await f.unchanged(f.claimMany(1, ["k", "l"]))
            #expect(early.claims == [])
            #expect(early.nextDue == due)
            f.clock.advance(by: .microseconds(1))
            let claim = try #require(try await f.twice(f.claimMany(1, ["k", "l"])).claims.first)
            #expect(claim.id == "a")
            #expect(claim.due == due)
        }
    }

    @Test("answers a repeat with the same grant, also after more was enqueued")
    func repeats() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 3)
            let request = f.request(f.claimMany(2))
            let first = try await f.send(request)
            try await f.enqueue("new", priority: 9)
            #expect(try await f.send(request) == first)
            #expect(try await f.send(f.claimMany(5, token: "other")).claims.map(\.id) == ["new", "t3"])
        }
    }

    @Test("remembers the last claim of each lane apart")
    func lanes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            let requests = (0...1).map { f.request(f.claimMany(token: "lane\($0)", lane: $0)) }
            let answers = [try await f.send(requests[0]), try await f.send(requests[1])]
            #expect(answers[0] != answers[1])
            #expect([try await f.send(requests[0]), try await f.send(requests[1])] == answers)
        }
    }

    @Test("leaves out of a repeated grant what its holder has finished meanwhile")
    func repeatAfterEnd() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            let claims = try await f.send(f.claimMany(2)).claims
            try await f.tracker.complete(claims[0].handle)
            #expect(try await f.unchanged(f.claimMany(2)).claims == [claims[1]])
        }
    }

    @Test("takes 500 in one call and refuses to take 501, none, or more than 100 kinds")
    func batchSizes() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 500)
            #expect(try await f.twice(f.claimMany(500)).claims.count == 500)
            await #expect(throws: TrackerError.self) { try await f.tracker.claim(["k"], limit: 501) }
            await #expect(throws: TrackerError.self) { try await f.tracker.claim(["k"], limit: 0) }
            await #expect(throws: TrackerError.self) { try await f.tracker.claim([]) }
            let many = (1...101).map { KindName(trusted: "k\($0)") }
            await #expect(throws: TrackerError.self) { try await f.tracker.claim(many) }
            #expect(try await f.tracker.claim(Array(many.prefix(100))) == [])
        }
    }

    @Test("takes what waits and nothing else", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let claims = try await f.tracker.claim(["k"], limit: 5)
            #expect(claims.map(\.id) == (place == .ready ? ["a"] : []))
        }
    }

    @Test("takes a lease of the caller's choice within its bounds")
    func lease() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            let claim = try #require(try await f.twice(f.claimMany(lease: .milliseconds(50))).claims.first)
            #expect(claim.expires == f.moment(.milliseconds(50)))
            #expect(try await f.dump().index("r:k") == ["t1": f.now + 50_000])
            for bad in [Duration.zero, .milliseconds(49), .seconds(86_401), .seconds(-1)] {
                await #expect(throws: TrackerError.self) { try await f.tracker.claim(["k"], lease: bad) }
            }
        }
    }

    @Test("finds nothing under a kind that is not defined, and the others nevertheless")
    func unknownKind() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            #expect(try await f.tracker.claim(["nothing"]) == [])
            #expect(try await f.tracker.claim(["nothing", "k"]).map(\.id) == ["a"])
        }
    }

    @Test("passes over a paused kind, tells not when its tasks are due, and still gives a repeat what it gave")
    func pausedKind() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue(count: 2)
            try await f.enqueue("later", delay: .seconds(1), priority: 9)
            try await f.enqueue("other", "l", delay: .seconds(5))
            let request = f.request(f.claimMany())
            let first = try await f.send(request)
            try await f.tracker.pauseKind("k")
            #expect(try await f.send(request) == first)
            for order in [ClaimOrder.priority, .due] {
                let answer = try await f.unchanged(f.claimMany(5, ["k", "l"], token: "\(order)", order: order))
                #expect(answer.claims == [])
                #expect(answer.nextDue == f.moment(.seconds(5)))
            }
        }
    }

    @Test("takes each task once although a kind is named twice")
    func kindTwice() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 2)
            let claims = try await f.twice(f.claimMany(2, ["k", "k"], lease: .seconds(1))).claims
            #expect(claims.map(\.id) == ["t1", "t2"])
            f.clock.advance(by: .seconds(1))
            try await f.send(f.claimMany(2, ["k", "k"], token: "2"))
            #expect(try await f.dump().events.filter { $0.hasPrefix("reaped") } == ["reaped k t1,t2 | q,q by host:1:a"])
            #expect(try await f.tracker.attempts(of: "t1")?.count == 1)
        }
    }

    @Test("takes back up to ten expired leases by itself")
    func reapsOnTheWay() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 12)
            #expect(try await f.tracker.claim(["k"], limit: 12).count == 12)
            f.clock.advance(by: .microseconds(9_999_999))
            try await f.unchanged(f.claimMany(token: "2"))
            f.clock.advance(by: .microseconds(1))
            let answer = try await f.send(f.claimMany(5, token: "3"))
            #expect(answer.claims == [])
            #expect(answer.nextDue == f.moment(.seconds(1)), "what was taken back waits for its backoff")
            let dump = try await f.dump()
            #expect(dump.index("r:k").count == 2)
            #expect(dump.index("q:5:k").count == 10)
            f.clock.advance(by: .seconds(1))
            #expect(try await f.send(f.claimMany(12, token: "4")).claims.count == 10)
            #expect(try await f.dump().index("r:k").count == 10)
            #expect(try await f.tracker.stats().kinds[0].scheduled == 2)
        }
    }

    @Test("lets the fence grow with every claim of a task, also when the clock goes backwards")
    func fences() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            var fences: [Int] = []
            for step in 0..<8 {
                let claim = try #require(try await f.send(f.claimMany(token: "\(step)")).claims.first)
                fences.append(claim.fence)
                try await f.tracker.release([claim.handle])
                f.clock.advance(by: step.isMultiple(of: 2) ? .zero : .seconds(-600))
            }
            #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
            #expect(fences[0] > 0)
        }
    }

    @Test("stands in line for a wake-up when nothing is due, and leaves the line when it claims")
    func standsInLine() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.twice(f.claimMany(1, ["k", "l"], wait: .seconds(1)))
            let line = ["host:1:a": f.now + 1_000_000]
            #expect([try await f.dump().index("i:k"), try await f.dump().index("i:l")] == [line, line])
            try await f.enqueue("a")
            #expect(try await f.dump().index("i:k") == [:], "told, so no longer in line")
            try await f.twice(f.claimMany(1, ["k", "l"], mayBeWaiting: true))
            #expect(try await f.dump().index("i:l") == [:])
        }
    }

    @Test("drops an index entry that has no task, and says so")
    func orphan() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.command("ZADD", "q:5:k", "1", "ghost")
            let events = try await f.events {
                _ = try await f.send(f.claimMany(2))
                _ = try await f.send(f.claimMany(2, token: "2"))
            }
            #expect(events == ["orphaned k ghost", "claimed k a | \(f.now) by host:1:a"])
            #expect(try await f.state("a") == .running)
        }
    }

    @Test("takes nothing back while the clock seems to have jumped, and grants what is ready")
    func clockJump() async throws {
        try await TrackerFixture.run { f async throws in
            let running = try await f.running("a")
            let before = f.clock.now
            f.clock.advance(by: .seconds(11))
            try await f.enqueue("b")
            // 11 s in the server's eyes, less than 1 s in the caller's.
            let claims = try await f.send(f.claimMany(5, token: "2", estimatedNow: before + .milliseconds(900))).claims
            #expect(claims.map(\.id) == ["b"])
            #expect(try await f.dump().header["hold"] == "\(f.now + 60_000_000)")
            #expect(try await f.state("a") == .running)
            #expect(try await f.tracker.reap().items == [])
            #expect(try await f.tracker.renew([running]) == [.renewed])
        }
    }

    @Test("keeps to an estimate that is 10 s behind, and ignores none at all")
    func noJump() async throws {
        try await TrackerFixture.run { f async throws in
            _ = try await f.running("a")
            let before = f.clock.now
            f.clock.advance(by: .seconds(10))
            try await f.send(f.claimMany(token: "2", estimatedNow: before))
            #expect(try await f.dump().header["hold"] == nil)
            #expect(try await f.state("a") == .ready)
        }
    }

    @Test("leaves no partial write when one record has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue(count: 3)
            try await f.command("DEL", "t:t2")
            try await f.command("SET", "t:t2", "x")
            let before = try await f.dump()
            await #expect { try await f.send(f.claimMany(3)) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test("hands over content type, trace and data where there is any, each without the others")
    func rareFields() async throws {
        try await TrackerFixture.run { f async throws in
            let typed = Body(text: "x")
            let items = [
                EnqueueTests.item("a"), EnqueueTests.item("b", payload: typed),
                EnqueueTests.item("c", trace: ["traceparent": "00-1"]), EnqueueTests.item("d"),
            ]
            try await f.send(EnqueueTests.verb(items))
            let saver = try await f.claim("d", token: "s")
            #expect(try await f.tracker.save(saver.handle, data: Body(text: "data")) == .accepted)
            try await f.tracker.release([saver.handle])
            let claims = try await f.twice(f.claimMany(4)).claims
            #expect(claims.map(\.payload) == [.empty, typed, .empty, .empty])
            #expect(claims.map(\.trace) == [[:], [:], ["traceparent": "00-1"], [:]])
            #expect(claims.map(\.data) == [.empty, .empty, .empty, Body(text: "data")])
            #expect(try await f.dump().record("a")?["L"] == nil)
        }
    }
}
