import BelayTestKit
import Testing

@testable import Belay

/// Tags and searches, on every backend.
@Suite("tags")
struct TagContract {
    @Test("a tag's counts follow its tasks through every state", arguments: TestedBackend.allCases)
    func counts(backend: TestedBackend) async throws {
        try await backend.run(KindPolicy(keepOther: .seconds(60))) { tracker, clock in
            try await tracker.define("fax")
            try await tracker.add(new("a", tags: ["t", "u"]), new("f", "fax", tags: ["t"]), new("none"))
            func expect(_ change: (inout TagCounts) -> Void) async throws {
                var expected = TagCounts(tag: "t")
                change(&expected)
                #expect(try await tracker.counts(ofTags: ["t"]) == [expected])
            }
            try await expect { $0.ready = 2 }
            let claim = try await tracker.take("a")
            try await expect { ($0.ready, $0.running) = (1, 1) }
            _ = try await tracker.pause(claim.handle)
            _ = try await tracker.pause(["f"])
            try await expect { $0.paused = 2 }
            #expect(try await tracker.snooze(claim.handle, for: .seconds(9)) == .ready(due: clock.now + .seconds(9)))
            _ = try await tracker.resume(["f"])
            try await expect { $0.ready = 2 }
            try await tracker.end("f", as: .exhausted)
            try await expect { ($0.ready, $0.exhausted) = (1, 1) }
            try await tracker.end("a", as: .cancelled)
            try await expect { ($0.cancelled, $0.exhausted) = (1, 1) }
            try await tracker.end("a", as: .ignored)
            try await expect { ($0.ignored, $0.exhausted) = (1, 1) }
            #expect(try await tracker.retry(["a"]) == [.ready])
            try await tracker.end("a", as: .succeeded)
            try await expect { ($0.succeeded, $0.exhausted) = (1, 1) }
            try await tracker.add(new("b", tags: ["t"], after: .after("none")))
            try await expect { ($0.succeeded, $0.exhausted, $0.blocked) = (1, 1, 1) }
            let counts = try await tracker.counts(ofTags: ["t", "u", "empty"])
            #expect(counts.map(\.total) == [3, 1, 0])
            #expect((counts[0].unfinished, counts[0].ended, counts[2].progress) == (1, 2, 0))
            clock.advance(by: .seconds(60))
            #expect(try await tracker.undefine("fax", force: true) == .removed(tasks: 1))
            try await tracker.end("b", as: nil)
            try await expect { $0.succeeded = 1 }
        }
    }

    @Test("a reaped and a superseded task stay in their tag, a purged one leaves it", arguments: TestedBackend.spread)
    func sweeps(backend: TestedBackend) async throws {
        let policy = KindPolicy(lease: .seconds(10), attempts: 2, retry: .fixed(.zero), keepOther: .seconds(60))
        try await backend.run(policy) { tracker, clock in
            try await tracker.add(new("a", tags: ["t"]))
            _ = try await tracker.take("a")
            _ = try await tracker.take("a", options: .ignoreLock)
            #expect(try await tracker.counts(ofTags: ["t"])[0].running == 1)
            clock.advance(by: .seconds(10))
            #expect(try await tracker.reap().items.map(\.state) == [.exhausted])
            #expect(try await tracker.counts(ofTags: ["t"])[0].exhausted == 1)
            clock.advance(by: .seconds(60))
            #expect(try await tracker.purge().items.map(\.id) == ["a"])
            #expect(try await tracker.counts(ofTags: ["t"])[0].total == 0)
        }
    }

    @Test("a task has at most 8 tags, each once, in the order given", arguments: TestedBackend.spread)
    func record(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let tags = try (0..<9).map { try TaskTag("tag:\(9 - $0)/x@y.z") }
            try await tracker.add(new("a", tags: Array(tags.prefix(8))))
            #expect(try await tracker.get("a")?.tags == Array(tags.prefix(8)))
            #expect(try await tracker.counts(ofTags: tags).map(\.ready) == [1, 1, 1, 1, 1, 1, 1, 1, 0])
            #expect(await code { try await tracker.enqueue([new("b", tags: tags)]) } == .invalidArgument)
            #expect(await code { try await tracker.enqueue([new("b", tags: ["t", "t"])]) } == .invalidArgument)
            for text in ["", "-t", "a b", "ü", String(repeating: "t", count: 63)] {
                #expect(await code { _ = try TaskTag(text) } == .invalidArgument)
            }
            let many = try (0...Limits.tagsPerQuery).map { try TaskTag("t\($0)") }
            #expect(await code { _ = try await tracker.counts(ofTags: many) } == .invalidArgument)
            #expect(await code { _ = try await tracker.counts(ofTags: []) } == .invalidArgument)
        }
    }

    @Test("tasks are found by tag, by worker and by when they were enqueued", arguments: TestedBackend.spread)
    func find(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            try await tracker.define("fax")
            let start = clock.now
            for id: TaskID in ["a", "b", "c"] {
                try await tracker.add(
                    new(id, tags: ["t"]),
                    new(try TaskID("\(id)-fax"), "fax", tags: ["t"]),
                    new(try TaskID("\(id)-no"))
                )
                clock.advance(by: .seconds(1))
            }
            _ = try await tracker.take("b")
            clock.advance(by: .seconds(1))
            _ = try await tracker.take("a")
            func ids(_ page: TaskPage) -> [TaskID] { page.tasks.map(\.id) }
            #expect(
                ids(try await tracker.find(tag: "t")) == ["a-fax", "b-fax", "c", "c-fax", "b", "a"],
                "running ones by when they were claimed"
            )
            #expect(ids(try await tracker.find(kinds: ["fax"], tag: "t")) == ["a-fax", "b-fax", "c-fax"])
            #expect(ids(try await tracker.find(states: [.running], order: .newestFirst, tag: "t")) == ["a", "b"])
            #expect(ids(try await tracker.find(tag: "none")).isEmpty)
            let mine = tracker.workerName.description
            #expect(Set(ids(try await tracker.find(worker: mine))) == ["a", "b"])
            #expect(ids(try await tracker.find(worker: "host:1:other")).isEmpty)
            let second = (start + .seconds(1))..<(start + .seconds(2))
            #expect(Set(ids(try await tracker.find(created: second))) == ["b", "b-fax", "b-no"])
            #expect(ids(try await tracker.find(states: [.running], tag: "t", worker: mine, created: second)) == ["b"])
            var (found, cursor): ([TaskID], String?) = ([], nil)
            repeat {
                let page = try await tracker.find(limit: 1, cursor: cursor, tag: "t", created: start..<clock.now)
                found += ids(page)
                cursor = page.cursor
            } while cursor != nil
            #expect(found == ["a-fax", "b-fax", "c", "c-fax", "b", "a"])
        }
    }

    @Test("stats tell of blocked tasks and of pauses", arguments: TestedBackend.allCases)
    func stats(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(new("a"), new("b", after: .after("a")))
            try await tracker.pauseKind(mail)
            var stats = try await tracker.stats()
            #expect((stats.kinds[0].blocked, stats.kinds[0].total, stats.kinds[0].isPaused) == (1, 2, true))
            #expect(!stats.isPaused)
            try await tracker.resumeKind(mail)
            try await tracker.pauseKind(nil)
            stats = try await tracker.stats()
            #expect((stats.kinds[0].isPaused, stats.isPaused) == (false, true))
            let blocked = try await tracker.find(states: [.blocked]).tasks
            #expect(blocked.map(\.id) == ["b"])
        }
    }
}
