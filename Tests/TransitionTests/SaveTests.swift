import RedisWire
import Testing

@testable import Belay

@Suite("save")
struct SaveTests {
    static func verb(_ handle: ClaimHandle, _ body: Body, _ place: Save.Place = .data) -> Save {
        Save(handle: handle, place: place, body: body, payloadLimit: 4096)
    }

    @Test("keeps data with the task, and says so")
    func keeps() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            #expect(claim.data == .empty)
            #expect(try await f.record("a").data == nil)
            var answer: WriteOutcome?
            let events = try await f.events { answer = try await f.twice(Self.verb(claim.handle, Body(text: "{}"))) }
            #expect(answer == .accepted)
            #expect(events == ["saved k a | v by host:1:a"])
            let record = try #require(try await f.dump().record("a"))
            #expect([record["v"], record["vt"]] == ["{}", "text/plain"])
            #expect(try await f.record("a").data == Body(text: "{}"))
            #expect(try await f.record("a").result == nil)
            #expect(try await f.unchanged(Self.verb(claim.handle, Body(text: "{}"))) == .accepted)
        }
    }

    @Test("shows a response as the result so far, and says so")
    func responds() async throws {
        try await TrackerFixture.run { f async throws in
            let claim = try await f.running()
            let body = Body(text: "half")
            let events = try await f.events { try await f.twice(Self.verb(claim.handle, body, .response)) }
            #expect(events == ["saved k a | r by host:1:a"])
            let record = try await f.record("a")
            #expect(record.result == body)
            #expect(record.data == nil)
            #expect(record.state == .running)
            #expect(record.updated == claim.claimed)
        }
    }

    @Test(
        "keeps data and responses of every size exactly, also in place of any other",
        arguments: [0, 1, 64, 65, 128, 192, 256, 257, 4096],
        [Save.Place.data, .response]
    )
    func sizes(size: Int, place: Save.Place) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            for other in [300, 200, 0] {
                let first = Body(bytes: Array(repeating: 9, count: other), contentType: "application/y")
                try await f.twice(Self.verb(handle, first, place))
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: 255 - $0) }
                for body in [Body(bytes: bytes, contentType: "application/x"), Body(bytes: bytes)] {
                    #expect(try await f.twice(Self.verb(handle, body, place)) == .accepted)
                    let record = try await f.record("a")
                    #expect((place == .data ? record.data : record.result) == (size == 0 ? nil : body))
                    let side = try await f.dump().string(place == .data ? "d:a" : "o:a")
                    #expect(side?.count == (size > 256 ? size : nil))
                    Invariants.check(try await f.dump(), sourceLocation: #_sourceLocation)
                }
            }
        }
    }

    @Test("keeps data and response apart")
    func apart() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            let large = Body(bytes: Array(repeating: 1, count: 300))
            try await f.twice(Self.verb(handle, large))
            try await f.twice(Self.verb(handle, Body(text: "r"), .response))
            try await f.twice(Self.verb(handle, .empty))
            #expect(try await f.record("a").data == nil)
            #expect(try await f.record("a").result == Body(text: "r"))
        }
    }

    @Test("hands data on to every next holder, however the attempt before ended")
    func handsOn() async throws {
        let policy = KindPolicy(attempts: 20, retry: .fixed(.zero))
        try await TrackerFixture.run(policy: policy) { f async throws in
            var claim = try await f.running()
            let data = Body(bytes: Array(repeating: 7, count: 100), contentType: "t/7")
            #expect(try await f.tracker.save(claim.handle, data: data) == .accepted)
            func next(_ token: String, _ options: AcquireOptions = []) async throws {
                claim = try await f.claim("a", token: token, options: options)
                #expect(claim.data == data)
            }
            try await f.tracker.fail(claim.handle, failure)
            #expect(try await f.send(f.claimMany(token: "many")).claims.map(\.data) == [data])
            _ = try await f.tracker.retry(["a"], force: true)
            try await next("2")
            try await f.tracker.release([claim.handle])
            try await next("3")
            f.clock.advance(by: .seconds(60))
            try await next("4")
            try await next("5", .ignoreLock)
            try await f.tracker.complete(claim.handle)
            #expect(try await f.record("a").data == data)
            try await next("6", .restart)
            _ = try await f.tracker.pause(claim.handle)
            #expect(try await f.send(f.acquire("a", token: "6")) == .claimed(claim))
        }
    }

    @Test("is a holder's right as long as it holds the lock", arguments: Place.allCases, [Save.Place.data, .response])
    func places(at: Place, place: Save.Place) async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.bring("a", to: at)
            let verb = Self.verb(handle, Body(text: "x"), place)
            if at.isHeld {
                #expect(try await f.twice(verb) == .accepted)
            } else {
                #expect(try await f.unchanged(verb) == .stale)
            }
        }
    }

    @Test("refuses a wrong token, an old fence, a superseded holder and a task that is gone")
    func refusals() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            let bad = [handle.withWrongToken, handle.withOldFence, handle.ofNobody]
            for (bad, expected) in zip(bad, [.stale, .stale, .gone] as [WriteOutcome]) {
                #expect(try await f.unchanged(Self.verb(bad, Body(text: "x"))) == expected)
            }
            let new = try await f.claim("a", token: "2", options: .ignoreLock)
            #expect(try await f.unchanged(Self.verb(handle, Body(text: "old"))) == .stale)
            #expect(try await f.twice(Self.verb(new.handle, Body(text: "new"))) == .accepted)
        }
    }

    @Test("takes bytes at the payload limit and refuses one more", arguments: [Save.Place.data, .response])
    func limit(place: Save.Place) async throws {
        try await TrackerFixture.run(payloadLimit: 100) { f async throws in
            let handle = try await f.running().handle
            let fits = Body(bytes: Array(repeating: 1, count: 100))
            let over = Body(bytes: Array(repeating: 1, count: 101))
            let what = place == .data ? "data" : "response"
            func isRefusal(_ error: any Error) -> Bool {
                let error = error as? TrackerError
                return error?.code == .tooLarge
                    && error?.message.contains("\(what) of task “a” has 101 bytes; allowed: 100") == true
            }
            await #expect {
                switch place {
                case .data: try await f.tracker.save(handle, data: over)
                case .response: try await f.tracker.respond(handle, over)
                }
            } throws: {
                isRefusal($0)
            }
            // A client that does not check is refused by the script.
            await #expect { try await f.unchanged(Self.verb(handle, over, place)) } throws: { isRefusal($0) }
            #expect(try await f.reply(Self.verb(handle, over, place))[1].int == f.now)
            #expect(try await f.twice(Self.verb(handle, fits, place)) == .accepted)
            let type = Body(bytes: [], contentType: String(repeating: "x", count: 65))
            await #expect(throws: TrackerError.self) { try await f.tracker.save(handle, data: type) }
        }
    }

    @Test("keeps no type of no bytes")
    func emptyType() async throws {
        try await TrackerFixture.run { f async throws in
            let handle = try await f.running().handle
            try await f.twice(Self.verb(handle, Body(text: "x")))
            try await f.twice(Self.verb(handle, Body(text: "")))
            #expect(try await f.dump().record("a")?["vt"] == nil)
            #expect(try await f.record("a").data == nil)
        }
    }

    @Test("leaves no partial write when the key of its bytes has become one of another type")
    func wrongType() async throws {
        try await TrackerFixture.run(isIntact: false) { f async throws in
            let handle = try await f.running().handle
            try await f.twice(Self.verb(handle, Body(bytes: Array(repeating: 1, count: 300))))
            try await f.command("DEL", "d:a")
            try await f.command("RPUSH", "d:a", "x")
            let before = try await f.dump()
            await #expect { try await f.send(Self.verb(handle, Body(text: "x"))) } throws: {
                ($0 as? RedisError)?.serverError?.reason == "WRONGTYPE"
            }
            #expect(try await f.dump().changes(since: before) == [])
        }
    }
}
