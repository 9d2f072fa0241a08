import BelayTestKit
import RedisWire
import Testing

@testable import Belay

/// The events of a tracker, on every backend.
@Suite("events")
struct EventContract {
    @Test("every transition is told in its order, with its task, worker and detail", arguments: TestedBackend.allCases)
    func order(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            let start = clock.now
            try await tracker.enqueue(
                [("a", mail), ("f", "fax"), ("b", mail)].map { NewTask($1, options: EnqueueOptions(id: $0)) }
            )
            clock.advance(by: .seconds(1))
            let claims = try await tracker.claim([mail, "fax"], limit: 3)
            #expect(claims.map(\.id) == ["a", "b", "f"])
            _ = try await tracker.progress(claims[0].handle, 0.25)
            try await tracker.complete(claims[0].handle)
            try await tracker.fail(claims[1].handle, TaskFailure(type: "e", message: "m"))
            _ = try await tracker.cancel(["f"], reason: "why")
            try await tracker.release([claims[2].handle])
            try await tracker.pauseKind(nil, message: "stop")
            try await tracker.beat(.online, kinds: [mail])
            _ = try await tracker.delete(["a"])
            let events = try await tracker.events(from: .oldest).events.dropFirst(2)
            let (fence, due) = ("\(clock.now.microseconds)", (clock.now + .seconds(5)).microseconds)
            #expect(
                events.map { "\($0.name) \($0.kind?.description ?? "-") \($0.task?.description ?? "-") \($0.detail)" }
                    == [
                        "enqueued mail a ", "enqueued mail b ", "enqueued fax f ",
                        "claimed mail a \(fence)", "claimed mail b \(fence)", "claimed fax f \(fence)",
                        "progressed mail a 250", "succeeded mail a ", "retrying mail b \(due)",
                        "cancel-requested fax f why", "cancelled fax f ",
                        "kind-paused - - stop", "worker-online - - ", "deleted mail a s",
                    ]
            )
            let own: Set<TrackerEvent.Name> = [.enqueued, .deleted, .kindPaused]
            for event in events {
                #expect(event.time == (event.name == .enqueued ? start : clock.now))
                #expect(event.worker == (own.contains(event.name) ? nil : "\(tracker.workerName)"))
            }
        }
    }

    @Test("a reader goes on after any event, also in the middle of an entry", arguments: TestedBackend.allCases)
    func resuming(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.enqueue((0..<3).map { NewTask(mail, options: EnqueueOptions(id: try TaskID("a\($0)"))) })
            for id: TaskID in ["b", "c"] { try await tracker.add(id) }
            let all = try await tracker.events(from: .oldest)
            #expect(all.events.map { $0.task?.description ?? "" } == ["", "a0", "a1", "a2", "b", "c"])
            #expect(all.position == all.events.last?.position)
            for (place, event) in all.events.enumerated() {
                let text = "\(event.position)"
                let rest = try await tracker.events(from: .after(#require(TrackerEvent.Position(text))))
                #expect(rest.events == Array(all.events.dropFirst(place + 1)))
                #expect(!rest.isLost)
                #expect(rest.position == all.position)
            }
            var (seen, page) = ([TrackerEvent](), try await tracker.events(from: .oldest, limit: 2))
            while !page.events.isEmpty {
                seen += page.events
                page = try await tracker.events(from: .after(#require(page.position)), limit: 2)
            }
            #expect(seen == all.events)
            #expect(await code { _ = try await tracker.events(from: .oldest, limit: 1) } == .invalidArgument)
        }
    }

    @Test("a reader of what is new sees nothing of before", arguments: TestedBackend.spread)
    func newest(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.enqueue((0..<3).map { _ in NewTask(mail) })
            let start = try await tracker.events(from: .newest)
            #expect(start.events.isEmpty)
            let position = try #require(start.position)
            #expect(try await tracker.events(from: .after(position)).events.isEmpty)
            try await tracker.add("a")
            #expect(try await tracker.events(from: .after(position)).events.map(\.task) == ["a"])
        }
    }

    @Test("what changes nothing is no event", arguments: TestedBackend.spread)
    func silence(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.add("a")
            let claim = try await tracker.take("a")
            _ = try await tracker.progress(claim.handle, 0.5)
            let position = try #require(try await tracker.events(from: .newest).position)
            _ = try await tracker.progress(claim.handle, 0.5)
            clock.advance(by: .seconds(1))
            _ = try await tracker.renew([claim])
            _ = try await tracker.log(claim.handle, "a line")
            try await tracker.beat(kinds: [mail])
            try await tracker.resumeKind(mail)
            #expect(try await tracker.claim([mail]).isEmpty)
            #expect(try await tracker.complete(ClaimHandle(id: "a", token: "other", fence: 1)) == .stale)
            #expect(await code { try await tracker.pauseKind("none") } == .unknownKind)
            _ = try await tracker.explain("a")
            #expect(try await tracker.events(from: .after(position)).events.isEmpty)
        }
    }

    @Test("a follower sees each event once while tasks move", arguments: TestedBackend.allCases)
    func following(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let followed = tracker.events(following: .oldest, pollInterval: .milliseconds(5))
            let seen = try await withThrowingTaskGroup(of: [TrackerEvent].self) { group in
                group.addTask {
                    var seen: [TrackerEvent] = []
                    for try await event in followed {
                        seen.append(event)
                        if event.name == .succeeded, event.task == "last" { break }
                    }
                    return seen
                }
                for turn in 0..<20 {
                    try await tracker.enqueue((0..<5).map { _ in NewTask(mail) })
                    if turn == 19 { try await tracker.add("last", priority: 0) }
                    let claims = try await tracker.claim([mail], limit: 6)
                    _ = try await tracker.complete(claims.map { ($0.handle, .empty) })
                }
                return try await group.next() ?? []
            }
            #expect(seen.count == 1 + 3 * 101)
            #expect(Set(seen.map(\.position)).count == seen.count)
            #expect(try await tracker.events(from: .oldest).events == seen)
            for name: TrackerEvent.Name in [.enqueued, .claimed, .succeeded] {
                #expect(seen.count { $0.name == name } == 101)
            }
        }
    }

    @Test("a follower ends when its task is cancelled", arguments: TestedBackend.spread)
    func cancelled(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let count = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    var count = 0
                    for try await _ in tracker.events() { count += 1 }
                    return count
                }
                group.cancelAll()
                return try await group.next() ?? -1
            }
            #expect(count == 0)
        }
    }

    @Test("a reader is told what it missed", arguments: TestedBackend.allCases)
    func lost(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.enqueue([NewTask(mail), NewTask(mail)])
            let position = try #require(try await tracker.events(from: .newest).position)
            try await forgetOldest(tracker, backend)
            let page = try await tracker.events(from: .after(position), limit: 2)
            #expect(page.isLost)
            #expect(page.events.count == 2)
            #expect(try await tracker.events(from: .after(page.events[0].position)).isLost == false)
            var followed = tracker.events(following: .after(position)).makeAsyncIterator()
            let first = try await followed.next()
            #expect((first?.name, first?.position) == (.historyLost, position))
            #expect(try await followed.next() == page.events[0])
            try await tracker.destroy()
            let none = try await tracker.events(from: .after(position))
            #expect((none.isLost, none.events, none.position) == (true, [], position))
        }
    }

    /// More than is kept: in memory by events, on Redis by its own command, which is faster.
    private func forgetOldest(_ tracker: Tracker, _ backend: TestedBackend) async throws {
        switch backend {
        case .inMemory, .inMemoryParts:
            for turn in 0..<10_200 { try await turn % 2 == 0 ? tracker.pauseKind(mail) : tracker.resumeKind(mail) }
            let kept = try await entries(of: tracker)
            #expect((10_000..<10_200).contains(kept))
        case .redis, .redisParts:
            for _ in 1...2 { try await tracker.enqueue([NewTask(mail)]) }
            let client = RedisClient(
                configuration: try RedisConfiguration(url: try await PrivateRedisServer.shared().url)
            )
            let stream = Keyspace(namespace: tracker.namespace).events
            _ = try await client.send(RedisCommand("XTRIM", stream, "MAXLEN", "2"))
            await client.close()
        }
    }

    private func entries(of tracker: Tracker) async throws -> Int {
        var (count, page) = (0, try await tracker.events(from: .oldest))
        while !page.events.isEmpty, let position = page.position {
            count += page.events.count
            page = try await tracker.events(from: .after(position))
        }
        return count
    }
}
