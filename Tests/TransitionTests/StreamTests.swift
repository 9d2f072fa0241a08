import RedisWire
import Testing

@testable import Belay

@Suite("stream")
struct StreamTests {
    private typealias Position = TrackerEvent.Position

    @Test("tells what happened to each task, oldest first")
    func oldest() async throws {
        try await TrackerFixture.run(kinds: ["k"]) { f async throws in
            try await f.enqueue(count: 2)
            f.clock.advance(by: .seconds(1))
            let claim = try await f.claim("t2")
            let page = try await f.unchanged(Belay.Stream(start: .oldest, limit: 500))
            #expect(page.isLost == false)
            #expect(page.now == f.clock.now)
            #expect(page.events.map(\.name) == [.defined, .enqueued, .enqueued, .claimed])
            #expect(page.events.map(\.task) == [nil, "t1", "t2", "t2"])
            #expect(page.events.allSatisfy { $0.kind == "k" })
            #expect(page.events.map(\.position.place) == [0, 0, 1, 0])
            #expect(page.events[1].position.entry == page.events[2].position.entry)
            #expect(page.events[0].detail == PolicyText.encode(TrackerFixture.policy))
            #expect(page.events[1].worker == nil)
            let last = try #require(page.events.last)
            #expect(last.detail == "\(claim.fence)")
            #expect(last.worker == "host:1:a")
            #expect(last.time == f.clock.now)
            #expect(page.position == last.position)
        }
    }

    @Test("has no kind for what concerns the tracker or a worker")
    func others() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            try await f.tracker.pauseKind(nil, message: "why")
            try await f.send(Beat(.online))
            let events = try await f.tracker.events(from: .oldest).events
            #expect(events.map(\.name) == [.kindPaused, .workerOnline])
            #expect(events.map(\.kind) == [nil, nil])
            #expect(events.map(\.task) == [nil, nil])
            #expect(events.map(\.detail) == ["why", ""])
            #expect(events.map(\.worker) == [nil, "host:1:a"])
        }
    }

    @Test("has no position while nothing ever happened")
    func empty() async throws {
        try await TrackerFixture.run(kinds: []) { f async throws in
            for start in [EventStart.oldest, .newest] {
                let page = try await f.unchanged(Belay.Stream(start: start, limit: 2))
                #expect(page == EventPage(events: [], isLost: false, position: nil, now: f.clock.now))
            }
            let start = EventStart.after(Position(entry: "0-0", place: 0))
            #expect(try await f.tracker.events(from: start).isLost == false)
        }
    }

    @Test("begins with what comes from now on, or after any event, in the midst of one call's")
    func after() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue(count: 3)
            let page = try await f.tracker.events(from: .newest)
            #expect(page.events == [])
            let newest = try #require(page.position)
            #expect(newest.place == 2)
            #expect(try await f.unchanged(Belay.Stream(start: .after(newest), limit: 2)).events == [])
            #expect(try await f.tracker.events(from: .after(newest)).position == newest)
            for place in 0...2 {
                let start = EventStart.after(Position(entry: newest.entry, place: place))
                let rest = try await f.tracker.events(from: start)
                let ids: [TaskID?] = ["t1", "t2", "t3"]
                #expect(rest.events.map(\.task) == Array(ids.dropFirst(place + 1)))
                #expect(rest.position == newest)
            }
            _ = try await f.claim("t1")
            let next = try await f.tracker.events(from: .after(newest))
            #expect(next.events.map(\.name) == [.claimed])
            #expect(next.isLost == false)
        }
    }

    @Test("gives every event once, whatever the page's size", arguments: [2, 3, 500])
    func pages(limit: Int) async throws {
        try await TrackerFixture.run { f async throws in
            for round in 1...7 { try await f.enqueue(count: 4, prefix: "r\(round).") }
            let whole = try await f.tracker.events(from: .oldest).events
            #expect(whole.count == 29)
            var (seen, start) = ([TrackerEvent](), EventStart.oldest)
            for _ in 0..<20 {
                let page = try await f.tracker.events(from: start, limit: limit)
                #expect(!page.isLost)
                seen += page.events
                start = .after(try #require(page.position))
            }
            #expect(seen == whole)
        }
    }

    @Test("says that events are lost when the one that was seen last is not kept any more")
    func lost() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            let position = try #require(try await f.tracker.events(from: .newest).position)
            try await f.enqueue("b")
            try await f.enqueue("c")
            try await f.command("XTRIM", "events", "MAXLEN", "1")
            let page = try await f.unchanged(Belay.Stream(start: .after(position), limit: 500))
            #expect(page.isLost)
            #expect(page.events.map(\.task) == ["c"])
            try await f.command("XTRIM", "events", "MAXLEN", "0")
            let none = try await f.tracker.events(from: .after(position))
            #expect(none.isLost && none.events == [] && none.position == position)
        }
    }

    @Test("ends a page of large entries early, and goes on from there without a gap")
    func size() async throws {
        try await TrackerFixture.run { f async throws in
            var all: [TaskID] = []
            // A call of 500 ids of 100 bytes is an entry of 50 kB.
            for call in 1...30 {
                all += try await f.enqueue(count: 500, prefix: "\(call)" + String(repeating: "x", count: 96))
            }
            var (seen, start, pages) = ([TaskID](), EventStart.oldest, 0)
            repeat {
                let page = try await f.tracker.events(from: start)
                #expect(!page.isLost)
                seen += page.events.compactMap { $0.name == .enqueued ? $0.task : nil }
                pages += 1
                start = .after(try #require(page.position))
            } while seen.count < all.count && pages < 30
            #expect(seen == all)
            #expect(pages > 1)
        }
    }

    @Test("takes a limit of 2 to 500 entries")
    func limits() async throws {
        try await TrackerFixture.run { f async throws in
            for limit in [2, 500] { _ = try await f.tracker.events(from: .oldest, limit: limit) }
            for limit in [1, 0, -1, 501] {
                await #expect(throws: TrackerError.self) { try await f.tracker.events(from: .oldest, limit: limit) }
            }
        }
    }

    @Test("goes on without an end, each event once, also over calls that move many tasks", .timeLimit(.minutes(1)))
    func follows() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("before")
            let events = f.tracker.events(following: .oldest, pollInterval: .milliseconds(5))
            var iterator = events.makeAsyncIterator()
            #expect(try await iterator.next()?.name == .defined)
            #expect(try await iterator.next()?.task == "before")
            var seen: [TaskID?] = []
            for round in 1...3 {
                try await f.enqueue(count: 3, prefix: "r\(round).")
                for _ in 1...3 { seen.append(try await iterator.next()?.task) }
            }
            let expected = (1...3).flatMap { round in (1...3).map { TaskID(trusted: "r\(round).\($0)") } }
            #expect(seen == expected)
        }
    }

    @Test("puts a word into the place of what was lost, and goes on after it", .timeLimit(.minutes(1)))
    func followsOverLoss() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("a")
            let events = f.tracker.events(following: .oldest, pollInterval: .milliseconds(5))
            var iterator = events.makeAsyncIterator()
            for _ in 1...2 { _ = try await iterator.next() }
            for id in ["b", "c"] as [TaskID] { try await f.enqueue(id) }
            try await f.command("XTRIM", "events", "MAXLEN", "1")
            let lost = try #require(try await iterator.next())
            #expect(lost.name == .historyLost)
            #expect(lost.task == nil)
            #expect(try await iterator.next()?.task == "c")
            try await f.enqueue("d")
            #expect(try await iterator.next()?.task == "d")

            try await f.command("XTRIM", "events", "MAXLEN", "0")
            #expect(try await iterator.next()?.name == .historyLost)
            try await f.enqueue("e")
            #expect(try await iterator.next()?.task == "e", "the loss is told once")
        }
    }

    @Test("begins with what comes after the first look, unless told otherwise; ends when its task is cancelled")
    func newestAndCancel() async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("old")
            let ends = await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    do {
                        for try await _ in f.tracker.events() { return false }
                        return true
                    } catch {
                        return false
                    }
                }
                try? await Task.sleep(for: .milliseconds(50))
                group.cancelAll()
                return await group.next() ?? false
            }
            #expect(ends)
        }
    }
}
