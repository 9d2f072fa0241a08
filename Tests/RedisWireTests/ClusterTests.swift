import BelayTestKit
import Foundation
import Testing

@testable import RedisWire

@Suite("A client of a cluster", .serialized)
struct ClusterTests {
    /// A tag whose slot the primary with this index owns.
    private func tag(_ name: String, on node: Int, of cluster: PrivateRedisCluster) throws -> String {
        try #require((0..<1000).lazy.map { "{\(name)\($0)}" }.first { cluster.owner(ofSlot: slot($0)) == node })
    }

    private func slot(_ key: String) -> Int { HashSlot(key: key).number }

    @Test("computes slots as the servers do")
    func slots() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        for key in [
            "", "a", "{a}b", "a{b}c{d}", "{}x", "{{x}}", "ключ", "{belay:0}:meta", "x}{y}",
            String(repeating: "z", count: 999),
        ] {
            #expect(try await cluster.slot(ofKey: key) == slot(key), "\(key)")
        }
    }

    @Test("asks the owner of each key, over one connection a node, and closes all of them")
    func routing() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        try await cluster.withClient({ $0.clientName = "routing" }) { client in
            let keys = try (0..<3).map { try tag("routing", on: $0, of: cluster) }
            try await withThrowingTaskGroup { group in
                for index in 0..<300 {
                    group.addTask { _ = try await client.run(Scripts.count, keys[index % 3]) }
                }
                try await group.waitForAll()
            }
            for (node, key) in keys.enumerated() {
                #expect(try await cluster.primaries[node].send("GET", key).int == 100)
                #expect(try await client.send(RedisCommand("GET", key), routedBy: key).int == 100)
            }
            #expect(try await client.send(RedisCommand("PING")).string == "PONG")
            for node in 0..<3 {
                try await eventually { try await cluster.connections(to: node, named: "routing") == 1 }
            }
            #expect(client.isConnected)
            await client.close()
            #expect(!client.isConnected)
            for node in 0..<3 {
                try await eventually { try await cluster.connections(to: node, named: "routing") == 0 }
            }
            #expect(try await failure { try await client.run(Scripts.count, keys[0]) }.code == .closed)
        }
    }

    @Test("finds the cluster by the seed that answers, and opens no connection before the first call")
    func seeds() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let dead = Sockets.tcp()
        let port = Sockets.listen(dead)
        close(dead)
        try await cluster.withClient({
            $0.otherSeeds = $0.seeds
            $0.endpoint = .tcp(host: "localhost", port: port)
        }) { client in
            #expect(!client.isConnected)
            let key = try tag("seeds", on: 2, of: cluster)
            #expect(try await client.run(Scripts.count, key).int == 1)
        }
    }

    @Test("says which seeds do not answer, when its time is over or its task is cancelled")
    func noSeeds() async throws {
        let dead = Sockets.tcp()
        let port = Sockets.listen(dead)
        close(dead)
        var configuration = try RedisConfiguration(url: "cluster://127.0.0.1:\(port)")
        configuration.evaluateTimeout = .milliseconds(300)
        let client = RedisClient(configuration: configuration)
        let error = try await failure { try await client.run(Scripts.count, "a") }
        #expect(error.code == .connectionFailed)
        #expect(error.outcome == .notSent)
        #expect(error.endpoint == "127.0.0.1:\(port)")
        let calls = (0..<20).map { _ in Task { try await client.run(Scripts.count, "a") } }
        for call in calls { call.cancel() }
        for call in calls {
            #expect(try await failure { try await call.value }.outcome == .notSent)
        }
        await client.close()
        #expect(try await failure { try await client.run(Scripts.count, "a") }.code == .closed)
    }

    @Test("follows a slot that has moved, and sends the script's source to a node that does not know it")
    func moved() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let key = try tag("moved", on: 0, of: cluster)
        let script = RedisScript(name: "moved", source: "return redis.call('INCR', KEYS[1]) -- moved")
        try await cluster.withClient { client in
            #expect(try await client.run(script, key).int == 1)
            #expect(try await cluster.primaries[1].send("SCRIPT", "EXISTS", script.sha1).elements?.first?.int == 0)
            try await cluster.migrate(slot: slot(key), to: 1)
            #expect(try await client.run(script, key).int == 2)
            #expect(try await cluster.primaries[1].send("GET", key).int == 2)
            #expect(try await cluster.primaries[1].send("SCRIPT", "EXISTS", script.sha1).elements?.first?.int == 1)
            // The map has been corrected: no further redirection.
            let before = try await cluster.errors(at: 0, named: "MOVED")
            #expect(try await client.run(script, key).int == 3)
            #expect(try await cluster.errors(at: 0, named: "MOVED") == before)
        }
    }

    @Test("asks the new node for keys that have gone there already, for that one call")
    func asked() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let tag = try tag("asked", on: 1, of: cluster)
        let (gone, here) = (tag + "gone", tag + "here")
        let script = RedisScript(name: "asked", source: "return redis.call('INCR', KEYS[1]) -- asked")
        try await cluster.withClient { client in
            _ = try await client.run(script, gone)
            _ = try await client.run(script, here)
            try await cluster.beginMigration(ofSlot: slot(tag), to: 2)
            try await cluster.moveKeys(ofSlot: slot(tag), to: 2) { $0 == gone }
            let before = try await cluster.calls(of: "asking", at: 2)
            #expect(try await client.run(script, gone).int == 2)
            // Once for EVALSHA, once for EVAL with the source.
            #expect(try await cluster.calls(of: "asking", at: 2) == before + 2)
            #expect(try await client.run(script, here).int == 2)
            try await withThrowingTaskGroup { group in
                for key in [gone, here] {
                    for _ in 0..<50 { group.addTask { _ = try await client.run(script, key) } }
                }
                try await group.waitForAll()
            }
            #expect(try await client.run(Scripts.read, gone).int == 52)
            #expect(try await client.run(Scripts.read, here).int == 52)
            #expect(try await client.send(RedisCommand("GET", gone), routedBy: gone).int == 52)
            try await cluster.moveKeys(ofSlot: slot(tag), to: 2)
            try await cluster.endMigration(ofSlot: slot(tag), to: 2)
            #expect(try await client.run(Scripts.read, here).int == 52)
        }
    }

    @Test("needs no rights beyond those to run scripts, CLUSTER SLOTS and ASKING")
    func rights() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let key = try tag("rights", on: 2, of: cluster)
        for node in 0..<3 {
            let rights = ["+eval", "+evalsha", "+incr", "+cluster|slots", "+asking"]
            let user = ["SETUSER", "worker", "on", ">pass", "~*", "-@all"] + rights
            try await cluster.primaries[node].send(["ACL"] + user)
        }
        try await cluster.withClient({ ($0.username, $0.password) = ("worker", "pass") }) { client in
            #expect(try await client.run(Scripts.count, key).int == 1)
            try await cluster.beginMigration(ofSlot: slot(key), to: 0)
            try await cluster.moveKeys(ofSlot: slot(key), to: 0)
            #expect(try await client.run(Scripts.count, key).int == 2)
            try await cluster.endMigration(ofSlot: slot(key), to: 0)
            #expect(try await client.run(Scripts.count, key).int == 3)
        }
    }

    @Test("tries again while some of a script's keys have gone and others have not", arguments: [false, true])
    func halfMoved(nothingHasGone: Bool) async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let tag = try tag("half-\(nothingHasGone)", on: 2, of: cluster)
        try await cluster.withClient { client in
            _ = try await client.run(Scripts.count, tag + "a")
            // Without its second key a script is held back as long as the slot is on its way, wherever the others are.
            if !nothingHasGone { _ = try await client.run(Scripts.count, tag + "b") }
            try await cluster.beginMigration(ofSlot: slot(tag), to: 0)
            if !nothingHasGone { try await cluster.moveKeys(ofSlot: slot(tag), to: 0) { $0 == tag + "a" } }
            let call = Task { try await client.run(Scripts.countTwice, tag + "a", tag + "b") }
            try await eventually {
                let refused = try await cluster.errors(at: 2, named: "TRYAGAIN")
                return try await refused + cluster.errors(at: 0, named: "TRYAGAIN") > 0
            }
            try await cluster.moveKeys(ofSlot: slot(tag), to: 0)
            try await cluster.endMigration(ofSlot: slot(tag), to: 0)
            #expect(try await call.value.int == 2)
            #expect(try await cluster.primaries[0].send("GET", tag + "b").int == (nothingHasGone ? 1 : 2))
            for node in 0..<3 { try await cluster.primaries[node].send("CONFIG", "RESETSTAT") }
        }
    }

    @Test("does each call exactly once while its slot is moved back and forth under load")
    func resharding() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let tag = try tag("load", on: 0, of: cluster)
        let keys = (0..<8).map { tag + "\($0)" }
        try await cluster.withClient { client in
            let isDone = Locked(false)
            let counts = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for caller in 0..<32 {
                    group.addTask {
                        var successes = 0
                        while !isDone.value {
                            _ = try await client.run(Scripts.count, keys[caller % 8])
                            successes += 1
                        }
                        return (caller % 8, successes)
                    }
                }
                for round in 1...6 {
                    try await cluster.beginMigration(ofSlot: slot(tag), to: round % 3)
                    for _ in keys {
                        try await cluster.moveKeys(ofSlot: slot(tag), to: round % 3, limit: 1)
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    try await cluster.moveKeys(ofSlot: slot(tag), to: round % 3)
                    try await cluster.endMigration(ofSlot: slot(tag), to: round % 3)
                }
                isDone.change { $0 = true }
                return try await group.reduce(into: [Int: Int]()) { $0[$1.0, default: 0] += $1.1 }
            }
            for (index, key) in keys.enumerated() {
                #expect(try await client.run(Scripts.read, key).int == counts[index])
            }
        }
    }

    @Test("keeps a subscription with the owner of its slot")
    func subscription() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let key = try tag("wake", on: 0, of: cluster)
        try await cluster.withClient { client in
            let events = client.subscribe(to: ["wake"], routedBy: key)
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .subscribed)
            // The script hears of listeners at its own node only.
            #expect(try await client.run(Scripts.publish, key, arguments: "wake", "1").int == 1)
            #expect(await iterator.next() == .message(channel: "wake", payload: Array("1".utf8)))
            for target in [1, 2, 0] {
                try await cluster.migrate(slot: slot(key), to: target)
                #expect(await iterator.next() == .subscribed)
                #expect(try await client.run(Scripts.publish, key, arguments: "wake", "\(target)").int == 1)
                #expect(await iterator.next() == .message(channel: "wake", payload: Array("\(target)".utf8)))
            }
            await client.close()
            #expect(await iterator.next() == nil)
        }
    }

    @Test("gives a dedicated connection to the owner of a key, which stays there")
    func dedicated() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let key = try tag("dedicated", on: 1, of: cluster)
        try await cluster.withClient { client in
            let error = try await failure {
                try await client.withDedicatedConnection(routedBy: key) { connection in
                    #expect(try await connection.send(RedisCommand("RPUSH", key, "x")).int == 1)
                    try await cluster.migrate(slot: slot(key), to: 2)
                    return try await connection.send(RedisCommand("LLEN", key))
                }
            }
            #expect(error.serverError?.prefix == "MOVED")
            #expect(error.isRetriable)
            // The client's map is older than the move.
            let length = try await client.withDedicatedConnection(routedBy: key) { connection in
                try await connection.send(RedisCommand("LLEN", key)).int
            }
            #expect(length == 1)
        }
    }

    @Test("does not repeat a script whose keys lie in several slots")
    func crossSlot() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        try await cluster.withClient { client in
            let error = try await failure { try await client.run(Scripts.countTwice, "a", "b") }
            #expect(error.serverError?.prefix == "CROSSSLOT")
            #expect(!error.isRetriable)
        }
    }

    @Test("is told what to do when the address is that of the other kind")
    func otherKind() async throws {
        let cluster = try await PrivateRedisCluster.shared.value
        let key = try tag("other", on: 1, of: cluster)
        let single = RedisClient(configuration: try RedisConfiguration(url: cluster.primaries[0].url))
        var errors = [try await failure { try await single.run(Scripts.count, key) }]
        errors.append(try await failure { try await single.send(RedisCommand("GET", key)) })
        errors.append(
            try await failure {
                try await single.withDedicatedConnection(routedBy: key) { try await $0.send(RedisCommand("GET", key)) }
            }
        )
        await single.close()
        for error in errors {
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains("use cluster://"))
            #expect(error.outcome == .refused)
            #expect(!error.isRetriable)
        }
        try await PrivateServer.with { server in
            let client = RedisClient(configuration: try RedisConfiguration(url: "cluster://127.0.0.1:\(server.port)"))
            let error = try await failure { try await client.run(Scripts.count, key) }
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains("use redis://"))
            await client.close()
        }
    }
}
