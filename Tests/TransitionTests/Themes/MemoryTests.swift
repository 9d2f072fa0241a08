import BelayTestKit
import RedisWire
import Testing

@testable import Belay

/// A server that has no memory left.
@Suite("maxmemory")
struct MemoryTests {
    @Test("refuses an enqueue, and lets all that ends or hands on tasks work")
    func outOfMemory() async throws {
        try await withPrivateRedisServer { server in
            let redis = RedisClient(configuration: try RedisConfiguration(url: server.url))
            let f = try TrackerFixture(url: server.url, redis: redis)
            try await f.tracker.define("k", policy: TrackerFixture.policy)
            var claims: [Claim] = []
            for number in 0..<9 { claims.append(try await f.running(TaskID(trusted: "t\(number)"))) }
            try await f.enqueue("waiting")
            try await f.enqueue("named")
            f.clock.advance(by: .seconds(2))
            _ = try await redis.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))

            let before = try await f.dump()
            let large = Body(bytes: Array(repeating: 1, count: 500))
            await #expect { try await f.tracker.enqueue([NewTask("k", payload: large), NewTask("k")]) } throws: {
                let error = $0 as? TrackerError
                return error?.code == .server && error?.message.contains("OOM") == true && error?.outcome == .nothing
            }
            #expect(try await f.dump().changes(since: before) == [])

            #expect(try await f.tracker.complete(claims[0].handle.withOldFence) == .stale)
            #expect(try await f.tracker.complete(claims[0].handle, result: large) == .accepted)
            f.clock.advance(by: .seconds(2))
            #expect(try await f.tracker.renew([claims[1], claims[2]]) == [.renewed, .renewed])
            #expect(try await f.tracker.fail(claims[1].handle, failure) == .ready(due: f.moment(.seconds(1))))
            #expect(try await f.tracker.release([claims[2].handle]) == [.ready(due: claims[2].due)])
            #expect(
                try await f.tracker.snooze(claims[3].handle, for: .seconds(5)) == .ready(due: f.moment(.seconds(5)))
            )
            #expect(try await f.tracker.progress(claims[4].handle, 0.5) == .accepted)
            let held = claims[5].handle
            #expect(try await f.tracker.save(held, data: large) == .accepted)
            #expect(try await f.tracker.respond(held, large) == .accepted)
            #expect(try await f.tracker.log(held, "line") == .accepted)
            #expect(try await f.tracker.note("t0", "line") == .accepted)
            #expect(try await f.tracker.pause(held) == .done(.paused))
            #expect(try await f.tracker.resume(held) == .done(.running))
            #expect(try await f.tracker.pause(["waiting"]) == [.done(.paused)])
            #expect(try await f.tracker.resume(["waiting"]) == [.done(.ready)])
            #expect(try await f.tracker.cancel(["t4"]) == [.requested])
            #expect(try await f.tracker.cancel(["t3"]) == [.cancelled])
            #expect(try await f.send(f.acquire("named", token: "n", lease: .seconds(60))) != .refused(.notFound))
            #expect(try await f.send(f.claimMany(5, token: "m", lease: .seconds(60))).claims.count == 2)
            try await f.send(f.claimMany(token: "e", wait: .seconds(1)))
            f.clock.advance(by: .seconds(6))
            #expect(try await f.tracker.reap().items.count == 5)
            #expect(try await f.send(Reap(limit: 5, estimatedNow: Timestamp(microseconds: 0))).items == [])
            #expect(try await f.tracker.retry(["t3"]) == [.ready])
            #expect(try await f.tracker.cancel(["t3"]) == [.cancelled])
            #expect(try await f.tracker.ignore(["t3"]) == [.done(.ignored)])
            f.clock.advance(by: .seconds(7200))
            #expect(try await f.tracker.purge().items.count == 3)

            #expect(try await f.tracker.delete(["waiting"], force: true) == [.deleted])
            _ = try await redis.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            #expect(try await f.tracker.enqueue([NewTask("k")]).count == 1)
            Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
            _ = try await redis.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))
            #expect(try await f.tracker.undefine("k", force: true) != .notFound)
            #expect(try await f.tracker.kinds() == [])
            await f.tracker.close()
            await redis.close()
        }
    }

    @Test("lets every end be told to those that wait for it, and tags go with their tasks")
    func kin() async throws {
        try await withPrivateRedisServer { server in
            let redis = RedisClient(configuration: try RedisConfiguration(url: server.url))
            let f = try TrackerFixture(url: server.url, redis: redis)
            for kind in ["k", "l", "m"] as [KindName] {
                try await f.tracker.define(kind, policy: TrackerFixture.policy)
            }
            let parents = (1...11).map { TaskID(trusted: "p\($0)") }
            for parent in parents {
                try await f.create(parent, tags: ["x"], unique: Uniqueness(key: parent.description))
            }
            for parent in parents {
                for condition in Dependencies.Condition.allCases {
                    let after = Dependencies.after(parent, condition: condition)
                    try await f.create(TaskID(trusted: "\(parent).\(condition)"), "l", tags: ["y"], after: after)
                }
            }
            try await f.create("tag", "l", after: .after(tag: "x"))
            try await f.children(250, after: .after("p1"), prefix: "many")
            try await f.create("old", "m", expires: .after(.seconds(1)))
            try await f.create("oldToo", "m", expires: .after(.seconds(1)))
            var handles: [ClaimHandle] = []
            for parent in parents.prefix(8) {
                handles.append(try await f.claim(parent, token: "\(parent)", lease: .seconds(60)).handle)
            }
            f.clock.advance(by: .seconds(2))
            _ = try await redis.send(RedisCommand("CONFIG", "SET", "maxmemory", "1"))

            #expect(try await f.tracker.complete(handles[0]) == .accepted)
            #expect(try await f.tracker.fail(handles[1], failure, .exhaust) == .exhausted)
            #expect(
                try await f.tracker.cancel(["p3", "p4", "p5", "p9"]) == [
                    .requested, .requested, .requested, .cancelled,
                ]
            )
            #expect(try await f.tracker.fail(handles[2], failure) == .cancelled)
            #expect(try await f.tracker.release([handles[3]]) == [.cancelled])
            #expect(try await f.tracker.snooze(handles[4], for: .seconds(1)) == .cancelled)
            #expect(try await f.tracker.delete(["p6"], force: true) == [.deleted])
            #expect(try await f.tracker.ignore(["p10"]) == [.done(.ignored)])
            #expect(try await f.send(f.acquire("old", token: "o")) == .refused(.ended(.cancelled)))
            #expect(try await f.send(f.claimMany(1, ["m"], token: "m")).claims == [])
            #expect(try await f.state("oldToo") == .cancelled)
            f.clock.advance(by: .seconds(60))
            #expect(try await f.tracker.cancel(["p7", "p8"]) == [.requested, .requested])
            #expect(try await f.tracker.reap().items.map(\.state) == [.cancelled, .cancelled])
            #expect(try await f.tracker.retry(["p11", "p9", "p9.succeeded"]) == [.ready, .ready, .waiting])
            #expect(try await f.tracker.cancel(tag: "x") == TagChange(changed: 2))
            #expect(try await f.dump().index("ends") == [:])
            #expect(try await f.dump().index("j:k") == [:])
            for parent in parents {
                let isGood = parent == "p1"
                let states = try await f.states(
                    TaskID(trusted: "\(parent).ended"),
                    TaskID(trusted: "\(parent).succeeded"),
                    TaskID(trusted: "\(parent).failed")
                )
                #expect(states == [.ready, isGood ? .ready : .cancelled, isGood ? .cancelled : .ready], "\(parent)")
            }
            #expect(try await f.state("tag") == .ready)
            #expect(try await f.dump().index("j:l") == [:])
            f.clock.advance(by: .seconds(7200))
            #expect(try await f.tracker.purge(limit: 500).items.count > 10)
            _ = try await redis.send(RedisCommand("CONFIG", "SET", "maxmemory", "0"))
            Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
            await f.tracker.close()
            await redis.close()
        }
    }
}
