import Belay
import BelayTestKit
import RedisWire
import Testing

/// What many callers ask for at the same moment goes to a real server in few scripts, and each gets its own answer.
@Suite("Many callers", .timeLimit(.minutes(1)))
struct ManyCallersTests {
    @Test("Tasks that 64 callers enqueue and end one by one share scripts, and nothing is lost or doubled")
    func share() async throws {
        try await withTracker { tracker, client in
            try await tracker.define("k", policy: KindPolicy(lease: .seconds(60)))
            let before = try await client.scriptCalls()
            let created = try await withThrowingTaskGroup(of: [TaskID].self) { group in
                for caller in 0..<64 {
                    group.addTask {
                        var ids: [TaskID] = []
                        for number in 0..<20 {
                            let task = NewTask(
                                "k",
                                payload: Body(text: "\(caller) \(number)", contentType: "text/plain")
                            )
                            guard case .created(let id) = try await tracker.enqueue([task])[0] else { continue }
                            ids.append(id)
                        }
                        return ids
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(created.count == 1280)
            #expect(Set(created).count == 1280)
            #expect(try await client.scriptCalls() - before < 640)

            var claims: [Claim] = []
            for _ in 0..<3 { claims += try await tracker.claim(["k"], limit: 500) }
            #expect(Set(claims.map { String(decoding: $0.payload.bytes, as: UTF8.self) }).count == 1280)
            let between = try await client.scriptCalls()
            let outcomes = try await withThrowingTaskGroup(of: (TaskID, WriteOutcome).self) { group in
                for (place, claim) in claims.enumerated() {
                    group.addTask {
                        // Each tenth does not hold its lock.
                        let token = place.isMultiple(of: 10) ? "another" : claim.token
                        let handle = ClaimHandle(id: claim.id, token: token, fence: claim.fence)
                        return (
                            claim.id,
                            try await tracker.complete(
                                handle,
                                result: Body(text: "\(place)", contentType: "text/plain")
                            )
                        )
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for (place, claim) in claims.enumerated() {
                #expect(outcomes[claim.id] == (place.isMultiple(of: 10) ? .stale : .accepted))
            }
            #expect(try await client.scriptCalls() - between < 640)
            for (place, claim) in claims.enumerated() where place % 97 == 1 && !place.isMultiple(of: 10) {
                let record = try #require(try await tracker.get(claim.id))
                #expect(record.result.map { String(decoding: $0.bytes, as: UTF8.self) } == "\(place)")
            }
        }
    }

    @Test("A task that is refused does not take those of other callers with it")
    func refused() async throws {
        try await withTracker { tracker, _ in
            try await tracker.define("k", policy: KindPolicy())
            try await withThrowingDiscardingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        if number % 20 == 7 {
                            await #expect { try await tracker.enqueue([NewTask("unknown")]) } throws: {
                                ($0 as? TrackerError)?.code == .unknownKind
                            }
                        } else {
                            try await tracker.enqueue([NewTask("k")])
                        }
                    }
                }
            }
            #expect(try await tracker.stats().kinds.map(\.ready) == [190])
        }
    }

    @Test("Connections that die under shared calls lose and double nothing")
    func killed() async throws {
        try await withTracker { tracker, client in
            try await tracker.define("k", policy: KindPolicy())
            let created = try await withThrowingTaskGroup(of: [TaskID].self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        var ids: [TaskID] = []
                        for _ in 0..<30 { ids.append(try await tracker.enqueue([NewTask("k")])[0].id) }
                        return ids
                    }
                }
                for _ in 0..<5 {
                    try await Task.sleep(for: .milliseconds(5))
                    _ = try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(created).count == 960)
            #expect(try await tracker.stats().kinds.map(\.ready) == [960])
            let told = try await client.events(named: "enqueued", of: tracker)
            #expect(told.count == 960)
            #expect(Set(told) == Set(created.map(\.description)))
        }
    }
}
