import BelayTestKit
import Testing

@testable import Belay

/// Tags as groups that others wait for, and flows as a whole, on every backend.
@Suite("flows")
struct FlowContract {
    @Test("callbacks of a group: on its end, on its success, on its failure", arguments: TestedBackend.allCases)
    func callbacks(backend: TestedBackend) async throws {
        for end: TaskState? in [.succeeded, .exhausted, .cancelled, .ignored, nil] {
            try await backend.run { tracker, _ in
                let members: [TaskID] = ["a", "b", "c"]
                for id in members { try await tracker.add(new(id, tags: ["batch"])) }
                for condition in Dependencies.Condition.allCases {
                    try await tracker.add(
                        new(try TaskID(condition.rawValue), after: .after(tag: "batch", condition: condition))
                    )
                }
                func states() async throws -> [TaskState?] {
                    try await tracker.get(["ended", "succeeded", "failed", "endedOrFirstFailure"]).map { $0?.state }
                }
                try await tracker.end("a", as: .succeeded)
                #expect(try await states() == [.blocked, .blocked, .blocked, .blocked])
                try await tracker.end("b", as: end)
                let isGood = end == .succeeded
                // A bad end is told at once to those to whom it decides something.
                let early: [TaskState?] =
                    [.blocked] + (isGood ? [.blocked, .blocked, .blocked] : [.cancelled, .ready, .ready])
                #expect(try await states() == early)
                try await tracker.end("c", as: .succeeded)
                #expect(try await states() == [.ready] + (isGood ? [.ready, .cancelled, .ready] : early.dropFirst()))
            }
        }
    }

    @Test("a group that ended before decides at once; one that goes on spoilt, too", arguments: TestedBackend.allCases)
    func endedBefore(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(
                new("good", tags: ["good"]),
                new("bad", tags: ["bad", "mixed"]),
                new("open", tags: ["mixed"])
            )
            try await tracker.end("good", as: .succeeded)
            try await tracker.end("bad", as: .exhausted)
            let expected: [(TaskTag, Dependencies.Condition, TaskState)] = [
                ("good", .ended, .ready), ("good", .succeeded, .ready), ("good", .failed, .cancelled),
                ("bad", .ended, .ready), ("bad", .succeeded, .cancelled), ("bad", .failed, .ready),
                ("mixed", .ended, .blocked), ("mixed", .succeeded, .cancelled), ("mixed", .failed, .ready),
                ("mixed", .endedOrFirstFailure, .ready),
            ]
            for (place, (tag, condition, state)) in expected.enumerated() {
                let id = try TaskID("child-\(place)")
                try await tracker.add(new(id, after: .after(tag: tag, condition: condition)))
                let record = try await tracker.get(id)
                #expect(record?.state == state, "\(tag) \(condition)")
                #expect(record?.cause == (state == .cancelled ? .parentFailed(.tag(tag)) : nil))
            }
        }
    }

    @Test("a group may grow while others wait for it, and be enqueued with them", arguments: TestedBackend.allCases)
    func growing(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(
                new("a", tags: ["batch"]),
                new("after", after: .after(tag: "batch", condition: .succeeded))
            )
            let claim = try await tracker.take("a")
            try await tracker.add(new("b", tags: ["batch"]), new("c", tags: ["batch"], after: .after("b")))
            #expect(try await tracker.complete(claim.handle) == .accepted)
            try await tracker.end("b", as: .succeeded)
            #expect(try await tracker.state(of: "after") == .blocked, "c is of the group and may run only now")
            try await tracker.end("c", as: .succeeded)
            #expect(try await tracker.state(of: "after") == .ready)
            #expect(try await tracker.told([.unblocked]).count == 2)
        }
    }

    @Test("a flow that is run again as a whole waits for its parents again", arguments: TestedBackend.allCases)
    func retry(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(
                new("a", tags: ["flow"]),
                new("b", tags: ["flow"], after: .after("a", condition: .succeeded)),
                new("c", tags: ["flow", "last"], after: .after("b", condition: .succeeded)),
                new("after", after: .after(tag: "last"))
            )
            try await tracker.end("a", as: .exhausted)
            #expect(try await tracker.counts(ofTags: ["flow"])[0].cancelled == 2)
            #expect(try await tracker.state(of: "after") == .ready)
            #expect(try await tracker.retry(tag: "flow") == TagChange(changed: 3))
            let records = try await tracker.get(["a", "b", "c"])
            #expect(records.map { $0?.state } == [.ready, .blocked, .blocked])
            #expect(records.allSatisfy { $0?.cause == nil })
            for id: TaskID in ["a", "b", "c"] { try await tracker.end(id, as: .succeeded) }
            #expect(try await tracker.counts(ofTags: ["flow"])[0].succeeded == 3)
            #expect(try await tracker.retry(tag: "flow") == TagChange(), "successes are not meant unless said")
            #expect(try await tracker.retry(["c"]) == [.ready], "its parents ended well")
            #expect(try await tracker.retry(["b"]) == [.ready])
            #expect(try await tracker.retry(["b", "none"]) == [.ready, .notFound])
            try await tracker.end("c", as: .exhausted)
            #expect(try await tracker.retry(["c"]) == [.waiting], "b has not ended")
            #expect(try await tracker.retry(["c"]) == [.blocked])
            #expect(await code { _ = try await tracker.retry(tag: "flow", states: [.running]) } == .invalidArgument)
        }
    }

    @Test(
        "a task that is run again in one call with a group waits for it, in any order",
        arguments: TestedBackend.spread
    )
    func retryWithGroup(backend: TestedBackend) async throws {
        for order: [TaskID] in [["a", "after"], ["after", "a"]] {
            try await backend.run { tracker, _ in
                try await tracker.add(
                    new("a", tags: ["batch"]),
                    new("after", after: .after(tag: "batch", condition: .succeeded))
                )
                try await tracker.end("a", as: .exhausted)
                #expect(try await tracker.state(of: "after") == .cancelled)
                #expect(try await tracker.retry(order) == order.map { $0 == "a" ? .ready : .waiting })
                try await tracker.end("a", as: .succeeded)
                #expect(try await tracker.state(of: "after") == .ready)
            }
        }
    }

    @Test("a retry that can never have what it needs runs all the same", arguments: TestedBackend.allCases)
    func retryAlone(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add(new("a"), new("b", after: .after("a", condition: .succeeded)))
            try await tracker.end("a", as: .exhausted)
            #expect(try await tracker.retry(["b"]) == [.ready])
            #expect(try await tracker.told([.requeued]) == ["requeued b c"])
            #expect(try await tracker.take("b").attempt == 1)
        }
    }

    @Test("a tag's tasks are recovered or cleaned up after a crash of everything", arguments: TestedBackend.allCases)
    func recoverAndClean(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            func fill() async throws {
                for id: TaskID in ["done", "runs", "held", "waits"] { try await tracker.add(new(id, tags: ["flow"])) }
                try await tracker.add(new("child", tags: ["flow"], after: .after("runs")))
                try await tracker.add(new("outside", after: .after(tag: "flow", condition: .failed)))
                try await tracker.end("done", as: .succeeded)
                _ = try await tracker.take("runs")
                _ = try await tracker.pause(tracker.take("held").handle)
            }
            try await fill()
            #expect(try await tracker.recover(tag: "flow") == TagChange(changed: 1))
            #expect(try await tracker.get("runs")?.state == .ready)
            #expect(try await tracker.attempts(of: "runs")?.map(\.outcome) == [.superseded])
            #expect(try await tracker.get(["held", "child"]).map { $0?.state } == [.paused, .blocked])
            _ = try await tracker.take("runs")
            #expect(try await tracker.clean(tag: "flow") == TagChange(changed: 4))
            let counts = try await tracker.counts(ofTags: ["flow"])[0]
            #expect((counts.total, counts.succeeded, counts.progress) == (1, 1, 1))
            #expect(try await tracker.state(of: "outside") == .ready)
            #expect(try await tracker.clean(tag: "flow") == TagChange())
        }
    }

    @Test("whole flows of many tasks are cancelled and run again in steps", arguments: TestedBackend.allCases)
    func manyTasks(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for batch in 0..<3 {
                try await tracker.enqueue(
                    (0..<300).map { number in
                        var task = new(try TaskID("\(batch)-\(number)"), tags: ["flow", "other"])
                        if batch == 2 { task.options.after = .after("0-0") }
                        return task
                    }
                )
            }
            #expect(try await tracker.claim([mail], limit: 40).count == 40)
            let counts = try await tracker.counts(ofTags: ["other", "none", "flow"])
            #expect(counts.map(\.total) == [900, 0, 900])
            #expect((counts[2].ready, counts[2].blocked, counts[2].running) == (560, 300, 40))
            #expect(try await tracker.cancel(tag: "flow", reason: "stop") == TagChange(changed: 860, requested: 40))
            #expect(try await tracker.cancel(tag: "flow") == TagChange(changed: 0, requested: 40))
            #expect(try await tracker.retry(tag: "flow") == TagChange(changed: 860))
            #expect(try await tracker.counts(ofTags: ["flow"])[0].blocked == 300, "0-0 still runs")
        }
    }
}

extension TagChange {
    fileprivate init(changed: Int, requested: Int = 0) {
        self.init()
        (self.changed, self.requested) = (changed, requested)
    }
}
