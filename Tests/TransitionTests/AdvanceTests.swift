import RedisWire
import Testing

@testable import Belay

@Suite("advance")
struct AdvanceTests {
    private static func position(_ place: Int) -> TrackerEvent.Position { .init(entry: "5-0", place: place) }

    private func advance(_ from: Int?, _ to: Int) -> Advance {
        Advance(consumer: "hooks", from: from.map(Self.position), to: Self.position(to))
    }

    @Test("keeps a position, from none on")
    func keeps() async throws {
        try await TrackerFixture.run { f async throws in
            let events = try await f.events { try await f.twice(advance(nil, 1)) }
            #expect(events == [])
            #expect(try await f.dump().hash("cursors") == ["hooks": "5-0/1"])
            #expect(try await f.twice(advance(1, 7)) == .kept)
            #expect(try await f.tracker.hooks().position == Self.position(7))
        }
    }

    @Test("refuses who began elsewhere, and tells where the position is")
    func stale() async throws {
        try await TrackerFixture.run { f async throws in
            #expect(try await f.unchanged(advance(1, 2)) == .stale(nil))
            try await f.send(advance(nil, 3))
            #expect(try await f.unchanged(advance(nil, 4)) == .stale(Self.position(3)))
            #expect(try await f.unchanged(advance(2, 4)) == .stale(Self.position(3)))
            #expect(try await f.unchanged(advance(2, 3)) == .kept)
        }
    }

    @Test("keeps the positions of consumers apart")
    func apart() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.send(advance(nil, 3))
            #expect(try await f.send(Advance(consumer: "other", from: nil, to: Self.position(1))) == .kept)
            #expect(try await f.dump().hash("cursors") == ["hooks": "5-0/3", "other": "5-0/1"])
        }
    }
}
