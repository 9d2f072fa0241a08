import RedisWire
import Testing

@testable import Belay

@Suite("log")
struct LogTests {
    static func verb(_ handle: ClaimHandle, _ message: String = "m", nonce: String = "nonce") -> Log {
        Log(id: handle.id, handle: handle, actor: TrackerFixture.actor, nonce: nonce, message: message)
    }

    static func note(_ id: TaskID, _ message: String = "m", nonce: String = "nonce") -> Log {
        Log(id: id, actor: TrackerFixture.actor, nonce: nonce, message: message)
    }

    @Test("adds a line of the holder, and tells nobody")
    func holder() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            f.clock.advance(by: .milliseconds(500))
            let before = try await f.dump().record("a")
            let events = try await f.events { () async throws in
                #expect(try await f.twice(Self.verb(claim.handle, "one")) == .accepted)
            }
            #expect(events == [])
            #expect(try await f.dump().list("l:a") == ["\(f.now) message host:1:a nonce\none"])
            var after = try await f.dump().record("a")
            #expect(after?.removeValue(forKey: "a") == "1", "the record tells that there is a log")
            #expect(after == before)
        }
    }

    @Test("adds a line of an operator, whatever the state", arguments: Place.allCases)
    func anyState(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.bring("a", to: place)
            let before = try await f.whereabouts("a")
            #expect(try await f.twice(Self.note("a", "two\nlines")) == .accepted)
            #expect(try await f.dump().list("l:a").last == "\(f.now) message op nonce\ntwo\nlines")
            #expect(try await f.whereabouts("a") == before)
        }
    }

    @Test("is a holder's right as long as it holds the lock", arguments: Place.allCases)
    func places(place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: place)
            if place.isHeld {
                #expect(try await f.twice(Self.verb(handle)) == .accepted)
            } else {
                #expect(try await f.unchanged(Self.verb(handle)) == .stale)
            }
        }
    }

    @Test("refuses a wrong token, an old fence, a superseded holder and a task that is gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            let bad = [handle.withWrongToken, handle.withOldFence, handle.ofNobody]
            for (bad, expected) in zip(bad, [.stale, .stale, .gone] as [WriteOutcome]) {
                #expect(try await f.unchanged(Self.verb(bad)) == expected)
            }
            #expect(try await f.unchanged(Self.note("nobody")) == .gone)
            _ = try await f.claim("a", token: "2", options: .ignoreLock)
            #expect(try await f.unchanged(Self.verb(handle)) == .stale)
        }
    }

    @Test("knows a repeat by its nonce, also when others wrote meanwhile, and takes the same words twice")
    func repeats() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            let request = f.request(Self.note("a", nonce: "first"))
            let answer = try await f.send(request)
            for other in 1...7 { try await f.twice(Self.note("a", nonce: "\(other)")) }
            let before = try await f.dump()
            #expect(try await f.send(request) == answer)
            #expect(try await f.dump().changes(since: before) == [])
            for _ in 1...2 { #expect(try await f.tracker.note("a", "same") == .accepted) }
            #expect(try await f.dump().list("l:a").count == 10)
        }
    }

    @Test("keeps the last 100 lines, and every line that was kept is whole")
    func lineLimit() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            for line in 1...100 { try await f.send(Self.verb(handle, "line \(line)", nonce: "\(line)")) }
            #expect(try await f.dump().list("l:a").count == 100)
            #expect(try await f.dump().list("l:a").first?.hasSuffix("\nline 1") == true)
            try await f.twice(Self.note("a", "line 101"))
            let lines = try await f.dump().list("l:a")
            #expect(lines.count == 100)
            #expect(lines.first?.hasSuffix("\nline 2") == true)
            #expect(lines.last?.hasSuffix("\nline 101") == true)
            _ = try await f.tracker.pause(handle, message: "102")
            #expect(try await f.dump().list("l:a").count == 100)
        }
    }

    @Test("takes a message of 1,024 bytes with line feeds and tabs, and refuses more and other control characters")
    func messageLimit() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            for good in ["", "a\n\tb", String(repeating: "é", count: 512), "1 2 3 4\n5"] {
                #expect(try await f.tracker.log(handle, good) == .accepted)
                #expect(try await f.tracker.note("a", good) == .accepted)
                #expect(try await f.tracker.log(of: "a")?.suffix(2).map(\.message) == [good, good])
            }
            for bad in [String(repeating: "x", count: 1025), "a\0", "\r\n", "\u{1b}[31m", "\u{7f}"] {
                await #expect(throws: TrackerError.self) { try await f.tracker.log(handle, bad) }
                await #expect(throws: TrackerError.self) { try await f.tracker.note("a", bad) }
            }
        }
    }

    @Test("leaves no partial write when the list has become a key of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            try await f.enqueue("a")
            try await f.command("SET", "l:a", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.note("a")) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
