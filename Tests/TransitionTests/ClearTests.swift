import RedisWire
import Testing

@testable import Belay

@Suite("clear")
struct ClearTests {
    private typealias E = ForeignEvents

    private static func fill(_ f: TrackerFixture) async throws {
        let words = [
            "sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "progress",
        ]
        try await f.send(
            Ingest(events: words.enumerated().map { try E.task($1, $1, $0, ["name": "n", "parent_id": "sent"]) })
        )
    }

    @Test("of finished tasks forgets SUCCESS, FAILURE and REVOKED, and nothing else")
    func finished() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.fill(f)
            #expect(try await f.send(Clear(finishedOnly: true)) == ClearStep(deleted: 3, more: false))
            #expect(
                try await f.dump().index("yz").keys.sorted()
                    == ["progress", "received", "rejected", "retried", "sent", "started"]
            )
            #expect(try await f.dump().index("yw").count == 1)
            #expect(try await f.unchanged(Clear(finishedOnly: true)) == ClearStep(deleted: 0, more: false))
        }
    }

    @Test("of all leaves nothing of foreign tasks and workers, and the tracker's own tasks as they are")
    func all() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("t")
            try await Self.fill(f)
            let events = try await f.events { () async throws in
                #expect(try await f.send(Clear(finishedOnly: false)) == ClearStep(deleted: 9, more: false))
            }
            #expect(events == [])
            #expect(try await f.dump().keys.keys.filter { $0.hasPrefix("y") } == [])
            #expect(try await f.state("t") == .ready)
        }
    }

    @Test("goes in steps")
    func steps() async throws {
        try await TrackerFixture.run { f async throws in
            try await Self.fill(f)
            #expect(try await f.send(Clear(finishedOnly: true, limit: 2)) == ClearStep(deleted: 2, more: true))
            #expect(try await f.send(Clear(finishedOnly: true, limit: 2)) == ClearStep(deleted: 1, more: false))
            #expect(try await f.tracker.clearForeign(finishedOnly: false) == 6)
        }
    }
}
