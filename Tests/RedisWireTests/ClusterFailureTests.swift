import BelayTestKit
import Foundation
import Testing

@testable import RedisWire

@Suite("A client of a cluster that fails", .serialized)
struct ClusterFailureTests {
    /// A key of the first primary.
    private func key(of cluster: PrivateRedisCluster, at node: Int = 0) throws -> String {
        try #require(
            (0..<1000).lazy.map { "{key\($0)}" }.first { cluster.owner(ofSlot: HashSlot(key: $0).number) == node }
        )
    }

    @Test("goes on with the replica that took a dead primary's place, and so does its subscription")
    func failover() async throws {
        try await withPrivateRedisCluster { cluster in
            let replica = try await cluster.addReplica(of: 0)
            let key = try key(of: cluster)
            try await cluster.withClient({ $0.evaluateTimeout = .seconds(30) }) { client in
                var events = client.subscribe(to: ["wake"], routedBy: key).makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                #expect(try await client.run(Scripts.count, key).int == 1)
                try await eventually { try await cluster.primaries[0].send("WAIT", "1", "100").int == 1 }
                cluster.primaries[0].kill9()
                do {
                    try await withThrowingTaskGroup { group in
                        for _ in 0..<20 { group.addTask { _ = try await client.run(Scripts.count, key) } }
                        try await group.waitForAll()
                    }
                } catch {
                    Issue.record("\(error); the replica's log ends: \(replica.log(last: 2048))")
                    return
                }
                #expect(try await client.run(Scripts.read, key).int == 21)
                #expect(await events.next() == .subscribed)
                #expect(try await client.run(Scripts.publish, key, arguments: "wake", "1").int == 1)
            }
        }
    }

    @Test("closes a node that owns nothing any more, and loses no call when a replica is promoted")
    func promotion() async throws {
        try await withPrivateRedisCluster { cluster in
            let replica = try await cluster.addReplica(of: 1)
            let key = try key(of: cluster, at: 1)
            try await cluster.withClient({ $0.clientName = "promotion" }) { client in
                let isDone = Locked(false)
                let calls = Task {
                    var successes = 0
                    while !isDone.value {
                        _ = try await client.run(Scripts.count, key)
                        successes += 1
                    }
                    return successes
                }
                try await eventually { try await cluster.connections(to: 1, named: "promotion") == 1 }
                try await cluster.promote(replica)
                try await eventually { try await cluster.connections(to: 1, named: "promotion") == 0 }
                isDone.change { $0 = true }
                #expect(try await client.run(Scripts.read, key).int == calls.value)
            }
        }
    }

    @Test("says that the cluster is down, and goes on when it is up again")
    func clusterDown() async throws {
        try await withPrivateRedisCluster { cluster in
            let key = try key(of: cluster)
            try await cluster.withClient({ $0.evaluateTimeout = .milliseconds(200) }) { client in
                #expect(try await client.run(Scripts.count, key).int == 1)
                cluster.primaries[2].kill9()
                // The other nodes notice after their time-out, and then refuse their own slots, too.
                try await eventually {
                    try await cluster.primaries[0].send("CLUSTER", "INFO").string?.contains("state:fail") == true
                }
                let error = try await failure { try await client.run(Scripts.count, key) }
                #expect(error.serverError?.prefix == "CLUSTERDOWN")
                #expect(error.isRetriable)
                #expect(error.outcome == .refused)
                let lost = try self.key(of: cluster, at: 2)
                let unreachable = try await failure { try await client.run(Scripts.count, lost) }
                #expect(unreachable.isUnderstood, "\(unreachable)")
                #expect(unreachable.outcome == .notSent)
            }
            try await cluster.withClient({ $0.evaluateTimeout = .seconds(30) }) { client in
                let call = Task { try await client.run(Scripts.count, key) }
                try await Task.sleep(for: .milliseconds(100))
                try await cluster.primaries[2].restart()
                #expect(try await call.value.int == 2)
            }
        }
    }

    @Test("follows five redirections at once, and no more")
    func endlessRedirection() async throws {
        let port = Locked(0)
        let asked = Locked(0)
        // Owns all slots, and sends every call to itself.
        let server = FakeServer { request, _ in
            let commands = String(decoding: request, as: UTF8.self).split(separator: "*")
            let answers = commands.map { command in
                guard !command.contains("SLOTS") else {
                    return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:\(port.value)\r\n"
                }
                asked.change { $0 += 1 }
                return "-MOVED 1 :\(port.value)\r\n"
            }
            return Array(answers.joined().utf8)
        }
        defer { server.stop() }
        port.change { $0 = server.port }
        var configuration = try RedisConfiguration(url: "cluster://127.0.0.1:\(server.port)")
        configuration.evaluateTimeout = .milliseconds(200)
        let client = RedisClient(configuration: configuration)
        let error = try await failure { try await client.send(RedisCommand("GET", "key"), routedBy: "key") }
        #expect(error.serverError?.prefix == "MOVED")
        #expect(error.outcome == .refused)
        #expect(asked.value == 6)
        #expect(try await failure { try await client.run(Scripts.read, "key") }.isRetriable)
        #expect(asked.value >= 18)
        await client.close()
    }

    @Test("calls the nodes by the names that they announce")
    func names() async throws {
        let names = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"]
        try await withPrivateRedisCluster(primaries: 2, options: .init(arguments: names)) { cluster in
            for node in 0..<2 {
                try await eventually {
                    let slots = try await cluster.primaries[node].send("CLUSTER", "SLOTS").elements ?? []
                    return slots.allSatisfy { $0.elements?[2].elements?[0].string == "localhost" }
                }
            }
            let key = try key(of: cluster)
            try await cluster.withClient { client in
                #expect(try await client.run(Scripts.count, key).int == 1)
                try await cluster.migrate(slot: HashSlot(key: key).number, to: 1)
                #expect(try await client.run(Scripts.count, key).int == 2)
                let ports = cluster.primaries.compactMap(\.port)
                let known = Set(client.router.nodes.map(\.endpoint))
                #expect(known.isSubset(of: ports.map { .tcp(host: "localhost", port: $0) }), "\(known)")
                #expect(known.count == 2)
            }
        }
    }

    @Test("logs in at every node")
    func password() async throws {
        try await withPrivateRedisCluster(primaries: 2, options: .init(password: "s3cret")) { cluster in
            try await cluster.withClient { client in
                for node in 0..<2 {
                    let key = try key(of: cluster, at: node)
                    #expect(try await client.run(Scripts.count, key).int == 1)
                    try await cluster.migrate(slot: HashSlot(key: key).number, to: 1 - node)
                    #expect(try await client.run(Scripts.count, key).int == 2)
                }
            }
            try await cluster.withClient({ $0.password = "wrong" }) { client in
                let error = try await failure { try await client.run(Scripts.count, "a") }
                #expect(error.code == .unauthorised)
            }
        }
    }
}
