import BelayTestKit
import Testing

@testable import Belay

/// New tasks and kinds, on every backend.
@Suite("enqueue and define")
struct EnqueueContract {
    @Test("a new task waits with everything it was given", arguments: TestedBackend.spread)
    func newTask(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let options = EnqueueOptions(id: "a", delay: .seconds(60), priority: 9, attempts: 7)
            let payload = Body(bytes: Array(0...255) + [1, 2, 3], contentType: "application/octet-stream")
            #expect(try await tracker.enqueue([NewTask(mail, payload: payload, options: options)]) == [.created("a")])
            let task = try #require(try await tracker.get("a"))
            #expect(task.state == .ready)
            #expect(task.kind == mail)
            #expect(task.payload == payload)
            #expect((task.priority, task.attemptLimit, task.attempts) == (9, 7, 0))
            #expect((task.created, task.due) == (clock.now, clock.now + .seconds(60)))
            #expect((task.worker, task.fence, task.began, task.result, task.lastFailure) == (nil, nil, nil, nil, nil))
        }
    }

    @Test("bodies of every size come back as they were", arguments: TestedBackend.spread)
    func sizes(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for size in [0, 1, 63, 64, 65, 128, 129, 192, 193, 256, 257, 5000] {
                let body = Body(bytes: (0..<size).map { UInt8($0 % 251) }, contentType: "x/y")
                let id = try await tracker.enqueue([NewTask(mail, payload: body)])[0].id
                let claim = try await tracker.take(id)
                #expect(claim.payload == body)
                try await tracker.complete(claim.handle, result: body)
                let task = try await tracker.get(id)
                #expect(task?.payload == body)
                #expect(task?.result == (size == 0 ? nil : body))
            }
        }
    }

    @Test("generated ids are new and sort by time", arguments: TestedBackend.spread)
    func generatedIDs(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let first = try await tracker.enqueue((0..<20).map { _ in NewTask(mail) }).map(\.id)
            clock.advance(by: .seconds(1))
            let second = try await tracker.enqueue([NewTask(mail)])[0].id
            #expect(first == first.sorted() && Set(first).count == 20)
            #expect(first.allSatisfy { $0 < second })
        }
    }

    @Test("an id that is taken is refused, or answered with the task that has it", arguments: TestedBackend.spread)
    func duplicates(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            try await tracker.add("a")
            let refuse = EnqueueOptions(id: "a")
            let accept = EnqueueOptions(id: "a", ifExists: .returnExisting, priority: 9)
            let fresh = EnqueueOptions(id: "b")
            let outcomes = try await tracker.enqueue(
                [refuse, accept, fresh, fresh].map { NewTask(mail, payload: Body(text: "other"), options: $0) }
            )
            #expect(outcomes == [.duplicate("a"), .existing("a"), .created("b"), .duplicate("b")])
            #expect(try await tracker.get("a")?.payload == Body(text: "payload of a"))
            #expect(try await tracker.get("a")?.priority == 5)
        }
    }

    @Test("the same request twice makes its tasks once", arguments: TestedBackend.spread)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let item = Enqueue.Item(
                id: "a",
                kind: 0,
                due: .now,
                priority: 5,
                payload: .empty,
                attempts: nil,
                trace: ["traceparent": "00-ab-cd-01"]
            )
            var verb = Enqueue(
                nonce: "n",
                actor: "anna",
                kinds: [(name: mail, policy: nil)],
                items: [item],
                payloadLimit: 100
            )
            for _ in 1...2 {
                let response = try await tracker.perform(verb)
                #expect(response == Enqueue.Response())
            }
            verb.nonce = "m"
            #expect(try await tracker.perform(verb) == Enqueue.Response(duplicates: [0]))
            #expect(try await tracker.stats().kinds.map(\.total) == [1])
            #expect(try await tracker.take("a").trace == ["traceparent": "00-ab-cd-01"])
        }
    }

    @Test("a kind is defined on first use, and its stored policy stands", arguments: TestedBackend.spread)
    func kindOnFirstUse(backend: TestedBackend) async throws {
        struct Letter: Codable, Sendable { var to: String }
        try await backend.run { tracker, _ in
            let policy = KindPolicy(lease: .seconds(7), attempts: 2, keepSucceeded: nil)
            let letters = TaskKind<Letter, NoOutput>("letter", policy: policy)
            let other = TaskKind<Letter, NoOutput>("letter", policy: KindPolicy(lease: .seconds(9)))
            try await tracker.enqueue(letters, Letter(to: "Anna"))
            try await tracker.enqueue(other, contentsOf: [Letter(to: "Berta"), Letter(to: "Clara")])
            #expect(try await tracker.kinds().map(\.name) == ["letter", mail])
            #expect(try await tracker.kinds()[0].policy == policy)
            #expect(try await tracker.payloads(of: letters).map(\.to) == ["Anna", "Berta", "Clara"])
        }
    }

    @Test("a kind is defined once, refused when it differs, and replaced on request", arguments: TestedBackend.spread)
    func define(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let list = KindPolicy(retry: .list([.seconds(1), .milliseconds(1500)], jitter: 0.25), keepOther: nil)
            try await tracker.define("list", policy: list)
            try await tracker.define("list", policy: list)
            #expect(await code { try await tracker.define("list") } == .kindConflict)
            #expect(try await tracker.kinds().map(\.policy)[0] == list)
            try await tracker.define("list", replacing: true)
            #expect(try await tracker.kinds().map(\.policy)[0] == .default)
        }
    }

    @Test("a tracker holds 1,000 kinds", arguments: TestedBackend.spread)
    func fullOfKinds(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for number in 1..<1000 { try await tracker.define(KindName("kind-\(number)")) }
            #expect(await code { try await tracker.define("one-more") } == .full)
            let kind = TaskKind<Int, NoOutput>("one-more")
            #expect(await code { try await tracker.enqueue(kind, 1) } == .full)
            #expect(try await tracker.kinds().count == 1000)
        }
    }

    @Test("bad input is refused, and nothing is written", arguments: TestedBackend.spread)
    func badInput(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let decades = Duration.seconds(3651 * 86_400)
            for options in [
                EnqueueOptions(priority: 10), EnqueueOptions(priority: -1), EnqueueOptions(attempts: 0),
                EnqueueOptions(attempts: 10_001), EnqueueOptions(delay: .seconds(-1)), EnqueueOptions(delay: decades),
                EnqueueOptions(delay: .seconds(1), runAt: Timestamp(microseconds: 0)),
                EnqueueOptions(runAt: Timestamp(microseconds: -1)),
            ] {
                let tasks = [NewTask(mail), NewTask(mail, options: options)]
                #expect(await code { try await tracker.enqueue(tasks) } == .invalidArgument, "\(options)")
            }
            let many = Array(repeating: NewTask(mail), count: 501)
            #expect(await code { try await tracker.enqueue(many) } == .invalidArgument)
            #expect(await code { try await tracker.enqueue([]) } == .invalidArgument)
            #expect(await code { try await tracker.enqueue([NewTask(mail), NewTask("unknown")]) } == .unknownKind)
            let type = Body(bytes: [], contentType: String(repeating: "x", count: 65))
            #expect(await code { try await tracker.enqueue([NewTask(mail, payload: type)]) } == .invalidArgument)
            let large = Body(bytes: Array(repeating: 0, count: Limits.defaultPayloadBytes + 1))
            #expect(
                await code { try await tracker.enqueue([NewTask(mail), NewTask(mail, payload: large)]) } == .tooLarge
            )
            let stats = try await tracker.stats()
            #expect(stats.kinds.map(\.total) == [0])
        }
    }

    @Test("a policy out of range is refused", arguments: TestedBackend.spread)
    func badPolicies(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for policy in [
                KindPolicy(lease: .zero), KindPolicy(lease: .seconds(86_401)), KindPolicy(attempts: 0),
                KindPolicy(retry: .fixed(.seconds(-1))), KindPolicy(retry: .list([])),
                KindPolicy(retry: .exponential(factor: 0.5)), KindPolicy(retry: .exponential(jitter: 1.1)),
                KindPolicy(retry: .exponential(base: .seconds(2), cap: .seconds(1))), KindPolicy(keepSucceeded: .zero),
            ] {
                #expect(await code { try await tracker.define("bad", policy: policy) } == .invalidArgument, "\(policy)")
            }
            let kinds = try await tracker.kinds()
            #expect(kinds.map(\.name) == [mail])
        }
    }
}
