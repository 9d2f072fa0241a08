import RedisWire
import Testing

@testable import Belay

@Suite("destroy")
struct DestroyTests {
    @Test("deletes every key of its own tracker, in steps, and no key of another")
    func deletesAll() async throws {
        try await TrackerFixture.run { other in
            try await other.enqueue("kept")
            try await TrackerFixture.run { f in
                try await f.enqueue(count: 300)
                _ = try await f.running("held")
                _ = try await DeleteTests.whole("whole", in: f)
                for place in Place.allCases { try await f.bring(TaskID(trusted: place.rawValue), to: place) }
                let claim = try await f.running("failed")
                try await f.tracker.fail(claim.handle, failure)
                try await f.tracker.destroy()
                #expect(try await f.dump().isEmpty)
            }
            #expect(try await other.state("kept") == .ready)
        }
    }

    @Test("says so again when a step is sent again after the tracker is gone")
    func repeated() async throws {
        try await TrackerFixture.run { f in
            try await f.enqueue("a")
            try await f.tracker.destroy()
            for _ in 1...2 {
                let words = try await f.reply(Destroy())
                #expect(words.map(\.string) == ["OK", "0", "0", nil])
                #expect(words.last?.int == 0)
            }
            #expect(try await f.dump().isEmpty)
        }
    }

    @Test("keeps the header until the last step, so that the others may be repeated")
    func headerLast() async throws {
        try await TrackerFixture.run { f in
            for batch in 0..<4 { try await f.enqueue(count: 500, prefix: "\(batch).") }
            var step = Destroy()
            while let cursor = try await f.send(step) {
                #expect(try await f.dump().keys["meta"] != nil)
                step.cursor = cursor
            }
            #expect(try await f.dump().isEmpty)
        }
    }

    @Test("lets a tracker begin anew")
    func anew() async throws {
        try await TrackerFixture.run { f in
            try await f.enqueue("a")
            try await f.tracker.destroy()
            try await f.tracker.define("k")
            try await f.enqueue("a")
            #expect(try await f.state("a") == .ready)
        }
    }
}
