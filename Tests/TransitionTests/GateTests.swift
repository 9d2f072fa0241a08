import RedisWire
import Testing

@testable import Belay

@Suite("gate")
struct GateTests {
    @Test("keeps the tasks of a kind from being claimed, and says who did it when and why")
    func kind() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("a")
            try await f.enqueue("b", "l")
            f.clock.advance(by: .seconds(1))
            let events = try await f.events { try await f.twice(Gate.pausing("k", message: "disk is full")) }
            #expect(events == ["kind-paused k  | disk is full"])
            let dump = try await f.dump()
            #expect(dump.header["q:k"] == "5!")
            #expect(dump.header["gate"] == nil)
            #expect(dump.hash("gates") == ["k": "\(f.now) op disk is full"])
            #expect(try await f.tracker.claim(["k", "l"], limit: 5).map(\.id) == ["b"])

            f.clock.advance(by: .seconds(1))
            let later = try await f.events { try await f.twice(Gate.resuming("k", message: "mended")) }
            #expect(later == ["kind-resumed k  | mended"])
            let open = try await f.dump()
            #expect(open.header["q:k"] == "5")
            #expect(open.hash("gates") == nil)
            #expect(try await f.tracker.claim(["k", "l"], limit: 5).map(\.id) == ["a"])
        }
    }

    @Test("keeps the tasks of every kind from being claimed")
    func tracker() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            try await f.enqueue("a")
            try await f.enqueue("b", "l")
            let events = try await f.events { try await f.twice(Gate.pausing(nil)) }
            #expect(events == ["kind-paused   | "])
            let dump = try await f.dump()
            #expect(dump.header["gate"] == "!")
            #expect([dump.header["q:k"], dump.header["q:l"]] == ["5", "5"])
            #expect(dump.hash("gates") == ["": "\(f.now) op "])
            #expect(try await f.tracker.claim(["k", "l"], limit: 5) == [])
            let later = try await f.events { try await f.twice(Gate.resuming(nil)) }
            #expect(later == ["kind-resumed   | "])
            #expect(try await f.dump().header["gate"] == nil)
            #expect(try await f.tracker.claim(["k", "l"], limit: 5).count == 2)
        }
    }

    @Test("lets running tasks go on, and new ones come and wait")
    func runningGoOn() async throws {
        try await TrackerFixture.run { f async throws in
            let claims = [try await f.running("a"), try await f.running("b"), try await f.running("c")]
            try await f.tracker.pauseKind("k")
            try await f.tracker.pauseKind(nil)
            f.clock.advance(by: .seconds(1))
            #expect(try await f.tracker.renew([claims[0]]) == [.renewed])
            #expect(try await f.tracker.complete(claims[0].handle) == .accepted)
            #expect(try await f.tracker.fail(claims[1].handle, failure, .retry(after: .zero)) != .stale)
            #expect(try await f.tracker.release([claims[2].handle]) != [.stale])
            try await f.enqueue("d")
            #expect(try await f.tracker.claim(["k"], limit: 5) == [])
            #expect(try await f.tracker.stats().kinds[0].ready == 3)
            try await f.tracker.resumeKind("k")
            #expect(try await f.tracker.claim(["k"], limit: 5) == [], "the tracker's pause is apart from its kinds'")
            try await f.tracker.resumeKind(nil)
            #expect(try await f.tracker.claim(["k"], limit: 5).count == 3)
        }
    }

    @Test("changes nothing where it changes nothing: the first to pause stands")
    func again() async throws {
        try await TrackerFixture.run { f async throws in
            for kind in ["k", nil] as [KindName?] {
                try await f.unchanged(Gate.resuming(kind))
                try await f.send(Gate.pausing(kind, message: "first"))
                f.clock.advance(by: .milliseconds(500))
                try await f.unchanged(Gate.pausing(kind, message: "second", by: "other"))
            }
            let gates = try #require(try await f.dump().hash("gates"))
            #expect(gates.values.allSatisfy { $0.hasSuffix(" op first") })
        }
    }

    @Test("takes back what dead workers held, through a claim and through a reaper", arguments: ["k", nil])
    func reaped(kind: KindName?) async throws {
        try await TrackerFixture.run { f async throws in
            for id in ["a", "b"] as [TaskID] { _ = try await f.running(id) }
            try await f.tracker.pauseKind(kind)
            f.clock.advance(by: .seconds(10))
            let answer = try await f.send(f.claimMany(5, token: "2"))
            #expect(answer.claims == [])
            #expect(try await f.dump().index("r:k") == [:])
            #expect(try await f.record("a").crashes == 1)
            f.clock.advance(by: .seconds(5))
            _ = try await f.claim("a", token: "3")
            f.clock.advance(by: .seconds(10))
            #expect(try await f.tracker.reap().items.map(\.id) == ["a"])
            #expect(try await f.tracker.claim(["k"], limit: 5) == [])
        }
    }

    @Test("keeps priorities and letters that come while the kind is paused")
    func flags() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running("a")
            try await f.tracker.pauseKind("k")
            try await f.enqueue("b", priority: 7)
            _ = try await f.tracker.pause(claim.handle)
            #expect(try await f.dump().header["q:k"].map(Set.init) == Set("57h!"))
            #expect(try await f.tracker.claim(["k"]) == [])
            try await f.tracker.resumeKind("k")
            #expect(try await f.dump().header["q:k"].map(Set.init) == Set("57h"))
            #expect(try await f.tracker.claim(["k"]).map(\.id) == ["b"])
        }
    }

    @Test("is not ended by another policy")
    func policy() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            try await f.tracker.pauseKind("k")
            try await f.send(Define(kind: "k", policy: DefineTests.other, replace: true))
            #expect(try await f.tracker.claim(["k"]) == [])
        }
    }

    @Test("wakes the idle workers that a pause made wait", .timeLimit(.minutes(1)), arguments: ["k", nil])
    func wakes(kind: KindName?) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.tracker.pauseKind(kind)
            let channel = f.keyspace.wakeChannel(f.worker)
            for await event in f.redis.subscribe(to: [channel], routedBy: f.keyspace.header) {
                switch event {
                case .subscribed:
                    let answer = try await f.send(f.claimMany(wait: .seconds(1)))
                    #expect(answer.claims == [])
                    #expect(try await f.dump().index("i:k").count == 1)
                    try await f.tracker.resumeKind(kind)
                    #expect(try await f.dump().index("i:k") == [:])
                case .message(let from, let payload):
                    #expect(from == channel)
                    #expect(payload == Array("ready".utf8))
                    return
                }
            }
        }
    }

    @Test("does not count against the kinds that a tracker may have")
    func kindLimit() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            for number in 1...998 {
                try await f.send(Define(kind: KindName(trusted: "k\(number)"), policy: .default, replace: false))
            }
            try await f.tracker.pauseKind(nil)
            try await f.tracker.define("a")
            try await f.tracker.pauseKind("a")
            try await f.tracker.define("b")
            await #expect { try await f.tracker.define("more") } throws: { ($0 as? TrackerError)?.code == .full }
            try await f.tracker.resumeKind(nil)
            await #expect { try await f.tracker.define("more") } throws: { ($0 as? TrackerError)?.code == .full }
        }
    }

    @Test("refuses a kind that is not defined, and says which")
    func unknownKind() async throws {
        try await TrackerFixture.run { f async throws in
            for verb in [Gate.pausing("nothing"), .resuming("nothing")] {
                await #expect {
                    try await f.unchanged(verb)
                } throws: {
                    let error = $0 as? TrackerError
                    return error?.code == .unknownKind && error?.message.contains("nothing") == true
                }
            }
            #expect(
                try await f.reply(Gate.pausing("nothing")).map(\.string) == ["UNKNOWN_KIND", "\(f.now)", "nothing"]
            )
            await #expect(throws: TrackerError.self) { try await f.tracker.pauseKind("nothing") }
            await #expect(throws: TrackerError.self) { try await f.tracker.resumeKind("nothing") }
        }
    }

    @Test("takes a message of 64 bytes without control characters")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            for bad in [String(repeating: "x", count: 65), "a\nb", "\u{1b}", "\0"] {
                await #expect(throws: TrackerError.self) { try await f.tracker.pauseKind("k", message: bad) }
                await #expect(throws: TrackerError.self) { try await f.tracker.resumeKind("k", message: bad) }
            }
            let longest = String(repeating: "é", count: 32)
            try await f.twice(Gate.pausing("k", message: longest))
            #expect(try await f.dump().hash("gates") == ["k": "\(f.now) op " + longest])
        }
    }
}
