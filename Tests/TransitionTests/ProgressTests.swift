import RedisWire
import Testing

@testable import Belay

@Suite("progress")
struct ProgressTests {
    @Test("keeps how far the holder is, to a thousandth, and what it says")
    func keeps() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let events = try await f.events {
                _ = try await f.twice(Progress(handle: claim.handle, fraction: 0.4567, message: "reading"))
            }
            #expect(events == ["progressed k a | 457 by host:1:a"])
            let record = try await f.record("a")
            #expect(record.progress == 0.457)
            #expect(record.progressMessage == "reading")
            #expect(try await f.tracker.find(states: [.running]).tasks.map(\.progress) == [0.457])
        }
    }

    @Test("replaces what was said before, also by nothing")
    func replaces() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            try await f.twice(Progress(handle: claim.handle, fraction: 1, message: "a"))
            try await f.twice(Progress(handle: claim.handle, fraction: nil, message: "b"))
            #expect(try await f.record("a").progress == nil)
            #expect(try await f.record("a").progressMessage == "b")
            try await f.twice(Progress(handle: claim.handle, fraction: 0, message: ""))
            #expect(try await f.record("a").progress == 0)
            #expect(try await f.record("a").progressMessage == nil)
        }
    }

    @Test("refuses a wrong token, an old fence, a task that is gone and one that has ended")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let bad = [claim.handle.withWrongToken, claim.handle.withOldFence, claim.handle.ofNobody]
            for (handle, expected) in zip(bad, [.stale, .stale, .gone] as [WriteOutcome]) {
                #expect(try await f.unchanged(Progress(handle: handle, fraction: 0.5, message: "x")) == expected)
            }
            try await f.tracker.complete(claim.handle)
            #expect(try await f.unchanged(Progress(handle: claim.handle, fraction: 0.5, message: "x")) == .stale)
        }
    }

    @Test("is refused to a holder who was superseded")
    func superseded() async throws {
        try await TrackerFixture.run { f async throws in
            let old = try await f.running()
            f.clock.advance(by: .seconds(10))
            let new = try await f.claim("a", token: "2")
            try await f.twice(Progress(handle: new.handle, fraction: 0.1, message: "new"))
            #expect(try await f.unchanged(Progress(handle: old.handle, fraction: 0.9, message: "old")) == .stale)
            #expect(try await f.record("a").progressMessage == "new")
        }
    }

    @Test("refuses a fraction out of range and a message that is too long or has control characters")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            for fraction in [-0.001, 1.001, .nan, .infinity] {
                await #expect(throws: TrackerError.self) { try await f.tracker.progress(claim.handle, fraction) }
            }
            for message in [String(repeating: "x", count: 65), "a\nb", "\0"] {
                await #expect(throws: TrackerError.self) {
                    try await f.tracker.progress(claim.handle, 0.5, message: message)
                }
            }
            let longest = String(repeating: "é", count: 32)
            #expect(try await f.tracker.progress(claim.handle, 1, message: longest) == .accepted)
        }
    }
}
