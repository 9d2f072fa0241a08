import BelayTestKit
import Testing

@testable import Belay

/// Flows that are described and sent in one call, on every backend.
@Suite("described flows")
struct FlowBuilderContract {
    private static let step = TaskKind<String, NoOutput>("step", policy: KindPolicy(attempts: 1))

    @Test("a chain, a fan-out and a fan-in run in their order", arguments: TestedBackend.spread)
    func order(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            var flow = try Flow()
            let start = try flow.chain(Self.step, ["1", "2"])
            let fan = try ["3", "4"].map { payload throws(TrackerError) in
                try flow.add(Self.step, payload, after: [start], when: .success)
            }
            let end = try flow.add(Self.step, "5", after: fan, when: .success)
            let outcomes = try await tracker.enqueue(flow)
            #expect(outcomes.count == 5)
            #expect(outcomes.allSatisfy { if case .created = $0 { true } else { false } })
            var waves: [[String]] = []
            while true {
                let claims = try await tracker.claim([Self.step.name], limit: 10)
                if claims.isEmpty { break }
                waves.append(try claims.map { try $0.payload.decoded(as: String.self) }.sorted())
                for claim in claims { try await tracker.complete(claim.handle) }
            }
            #expect(waves == [["1"], ["2"], ["3", "4"], ["5"]])
            let counts = try await tracker.counts(ofTags: [flow.tag])[0]
            #expect((counts.succeeded, counts.total, counts.progress) == (5, 5, 1))
            #expect(try await tracker.state(of: flow.tasks(of: end)[0]) == .succeeded)
        }
    }

    @Test("a group calls back: complete, success or exhausted", arguments: TestedBackend.spread, [true, false])
    func callbacks(backend: TestedBackend, isGood: Bool) async throws {
        try await backend.run { tracker, _ in
            var flow = try Flow("f")
            let group = try flow.group(Self.step, ["a", "b", "c"], as: "group")
            var ids: [Flow.Trigger: TaskID] = [:]
            for trigger in Flow.Trigger.allCases {
                let step = try flow.add(
                    Self.step,
                    trigger.rawValue,
                    as: trigger.rawValue,
                    after: [group],
                    when: trigger
                )
                ids[trigger] = flow.tasks(of: step)[0]
            }
            try await tracker.enqueue(flow)
            #expect(try await tracker.counts(ofTags: [flow.tag(of: group)])[0].total == 3)
            for (place, id) in flow.tasks(of: group).enumerated() {
                let claim = try await tracker.take(id)
                if isGood || place != 1 {
                    try await tracker.complete(claim.handle)
                } else {
                    _ = try await tracker.fail(claim.handle, TaskFailure(type: "t", message: "m"), .exhaust)
                }
            }
            func state(_ trigger: Flow.Trigger) async throws -> TaskState? {
                try await tracker.state(of: try #require(ids[trigger]))
            }
            #expect(try await state(.complete) == .ready)
            #expect(try await state(.completeOrFailure) == .ready)
            #expect(try await state(.success) == (isGood ? .ready : .cancelled))
            #expect(try await state(.exhausted) == (isGood ? .cancelled : .ready))
        }
    }

    @Test("a failed child fails its parent, is ignored, or lets it go on", arguments: TestedBackend.spread)
    func failurePolicies(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            var flow = try Flow("f")
            let fails = try flow.add(Self.step, "fails", as: "fails")
            let other = try flow.add(Self.step, "other", as: "other")
            for trigger in [Flow.Trigger.complete, .success, .completeOrFailure] {
                try flow.add(Self.step, "", as: trigger.rawValue, after: [fails, other], when: trigger)
            }
            try flow.add(Self.step, "", as: "after", after: ["success"], when: .success)
            try await tracker.enqueue(flow)
            let claim = try await tracker.take(flow.tasks(of: fails)[0])
            _ = try await tracker.fail(claim.handle, TaskFailure(type: "t", message: "m"), .exhaust)
            let ids: [TaskID] = ["flow/f/complete", "flow/f/success", "flow/f/completeOrFailure", "flow/f/after"]
            #expect(try await tracker.get(ids).map { $0?.state } == [.blocked, .cancelled, .ready, .cancelled])
            try await tracker.complete(try await tracker.take(flow.tasks(of: other)[0]).handle)
            #expect(try await tracker.state(of: ids[0]) == .ready)
        }
    }

    @Test(
        "a flow is cancelled, and retried, as a whole; sent again, it creates nothing",
        arguments: TestedBackend.spread
    )
    func whole(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            var flow = try Flow("f")
            let first = try flow.add(Self.step, "1", as: "1")
            try flow.add(Self.step, "2", as: "2", after: [first], when: .success)
            #expect(try await tracker.enqueue(flow) == [.created("flow/f/1"), .created("flow/f/2")])
            #expect(try await tracker.enqueue(flow) == [.existing("flow/f/1"), .existing("flow/f/2")])
            #expect(try await tracker.cancel(tag: flow.tag).changed == 2)
            #expect(try await tracker.counts(ofTags: [flow.tag])[0].cancelled == 2)
            #expect(try await tracker.retry(tag: flow.tag).changed == 2)
            #expect(try await tracker.get(["flow/f/1", "flow/f/2"]).map { $0?.state } == [.ready, .blocked])
        }
    }

    @Test("a flow that cannot be is refused before anything is sent", arguments: TestedBackend.spread)
    func refused(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            var flow = try Flow("f")
            try flow.add(Self.step, "", as: "a", after: ["b"])
            try flow.add(Self.step, "", as: "b", after: ["a"])
            #expect(await code { _ = try await tracker.enqueue(flow) } == .invalidArgument)
            flow = try Flow("f")
            try flow.add(Self.step, "", as: "a", after: ["b"])
            #expect(await code { _ = try await tracker.enqueue(flow) } == .unknownParent)
            // Unknown kinds are refused for all, too: children and parents come together or not at all.
            flow = try Flow("f")
            try flow.add(Self.step, "", as: "a")
            try flow.add(NewTask("nobody"), as: "b", after: ["a"])
            #expect(await code { _ = try await tracker.enqueue(flow) } == .unknownKind)
            #expect(try await tracker.counts(ofTags: [flow.tag])[0].total == 0)
        }
    }
}
