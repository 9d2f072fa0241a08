import BelayTestKit
import Logging
import RedisWire
import Testing

@testable import Belay

/// Trackers of several partitions: what is spread, and what must lie together.
@Suite("partitions")
struct PartitionContract {
    /// An id that lies in a partition of three.
    private func id(_ partition: Int, _ name: String) -> TaskID {
        for number in 0... {
            let id = TaskID(trusted: "\(name)-\(number)")
            if PartitionKey.partition(of: id, among: 3) == partition { return id }
        }
        fatalError("every partition has ids")
    }

    private func partitions(of ids: [TaskID]) -> [Int] { ids.map { PartitionKey.partition(of: $0, among: 3) } }

    @Test(
        "a small call is in one partition, a large one in several, and all fill evenly",
        arguments: TestedBackend.parted
    )
    func spreading(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            #expect(try await tracker.backend.partitions == 3)
            var used: [Int: Int] = [:]
            for _ in 0..<6 {
                let ids = try await tracker.enqueue((0..<20).map { _ in NewTask(mail) }).map(\.id)
                #expect(Set(partitions(of: ids)).count == 1)
                for partition in partitions(of: ids) { used[partition, default: 0] += 1 }
            }
            #expect(used == [0: 40, 1: 40, 2: 40])
            let many = try await tracker.enqueue((0..<300).map { _ in NewTask(mail) }).map(\.id)
            for partition in 0..<3 { #expect(partitions(of: many).count { $0 == partition } == 100) }
            #expect(Set(many).count == 300)
            let kind = try await tracker.stats().kinds[0]
            #expect((kind.ready, kind.total) == (420, 420))
            #expect(try await tracker.claim([mail], limit: 500).count == 420)
        }
    }

    @Test("a call on tasks of several partitions answers in the order of the request", arguments: TestedBackend.parted)
    func order(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let ids = (0..<12).map { id($0 % 3, "t\($0)") }
            let outcomes = try await tracker.enqueue(ids.map { new($0) } + [new(ids[4])])
            #expect(outcomes == ids.map { .created($0) } + [.duplicate(ids[4])])
            #expect(try await tracker.get(ids + ["none"]).map { $0?.id } == ids + [nil])
            let claims = try await tracker.claim([mail], limit: 12)
            #expect(Set(claims.map(\.id)) == Set(ids))
            var handles = claims.map(\.handle)
            handles[3].token = "other"
            let renewed = try await tracker.renew(handles, for: .seconds(5))
            #expect(renewed == (0..<12).map { $0 == 3 ? .stale : .renewed })
            let completed = try await tracker.complete(handles.map { ($0, Body(text: "\($0.id)")) })
            #expect(completed == (0..<12).map { $0 == 3 ? .stale : .accepted })
            let results = try await tracker.get(claims.map(\.id)).map { $0?.result }
            #expect(results == claims.enumerated().map { $0 == 3 ? nil : Body(text: "\($1.id)") })
            let deleted = try await tracker.delete(ids + ["none"])
            #expect(deleted == ids.map { $0 == claims[3].id ? .running : .deleted } + [.notFound])
        }
    }

    @Test(
        "pages hold every task once, in one order",
        arguments: TestedBackend.parted,
        [FindOrder.oldestFirst, .newestFirst]
    )
    func paging(backend: TestedBackend, order: FindOrder) async throws {
        try await backend.run { tracker, clock in
            var ids: [TaskID] = []
            for number in 0..<40 {
                // Not evenly: most lie in one partition.
                ids.append(id(number % 7 == 0 ? 0 : number % 5 == 0 ? 2 : 1, "t\(number)"))
                try await tracker.add(ids[number])
                clock.advance(by: .milliseconds(1))
            }
            #expect(try await tracker.cancel(Array(ids[10..<20])).allSatisfy { $0 == .cancelled })
            var expected = Array(ids[..<10] + ids[20...])
            if order == .newestFirst { expected.reverse() }
            let ended = Set(ids[10..<20])
            for limit in [1, 2, 7, 40] {
                var (seen, cursor): ([TaskID], String?) = ([], nil)
                repeat {
                    let page = try await tracker.find(
                        states: [.ready, .cancelled],
                        order: order,
                        limit: limit,
                        cursor: cursor
                    )
                    #expect(page.tasks.count <= limit)
                    seen += page.tasks.map(\.id)
                    cursor = page.cursor
                } while cursor != nil
                #expect(Array(seen.prefix(30)) == expected)
                #expect(Set(seen.dropFirst(30)) == ended)
                #expect(seen.count == 40)
            }
            #expect(await code { _ = try await tracker.find(cursor: "q 1 a") } == .invalidArgument)
        }
    }

    @Test("events come in the order of time, each once, from wherever a reader begins", arguments: TestedBackend.parted)
    func events(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let newest = try await tracker.events(from: .newest).position
            for number in 0..<30 {
                clock.advance(by: .milliseconds(1))
                try await tracker.add(id([0, 0, 1, 2, 1][number % 5], "t\(number)"))
            }
            clock.advance(by: .milliseconds(1))
            try await tracker.pauseKind(mail)
            try await tracker.beat(.online, kinds: [mail])
            let all = try await tracker.events(from: .oldest).events
            let names = all.map(\.name)
            #expect(names == [.defined] + Array(repeating: .enqueued, count: 30) + [.kindPaused, .workerOnline])
            #expect(all.map(\.time) == all.map(\.time).sorted())
            for start in [0, 1, 15, all.count - 1] {
                var (seen, position) = (Array(all[...start]), all[start].position)
                while true {
                    let page = try await tracker.events(from: .after(position), limit: 2)
                    #expect(!page.isLost)
                    guard let next = page.position, next != position else { break }
                    seen += page.events
                    position = try #require(TrackerEvent.Position(next.description))
                }
                #expect(seen.map(\.task) == all.map(\.task))
            }
            if let newest {
                #expect(
                    try await tracker.events(from: .after(newest)).events.map(\.task) == all.dropFirst().map(\.task)
                )
            }
            let foreign = try #require(TrackerEvent.Position("1-0/0"))
            #expect(await code { _ = try await tracker.events(from: .after(foreign)) } == .invalidArgument)
        }
    }

    @Test("a task and its parents lie in one partition, or are refused by name", arguments: TestedBackend.parted)
    func parents(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let (a, b) = (id(0, "a"), id(1, "b"))
            await #expect { try await tracker.enqueue([new(a), new(b, after: .after(a))]) } throws: { error in
                guard let error = error as? TrackerError else { return false }
                return error.code == .invalidArgument
                    && [a.description, b.description, "{order-7}"].allSatisfy(error.message.contains)
            }
            #expect(try await tracker.get([a, b]) == [nil, nil])
            try await tracker.add(new("{o}a"), new("{o}b", after: .after("{o}a")))
            try await tracker.end("{o}a", as: .succeeded)
            #expect(try await tracker.state(of: "{o}b") == .ready)
            // Ids that are made follow the parents.
            try await tracker.add(a)
            for _ in 0..<5 {
                let child = NewTask(mail, options: EnqueueOptions(after: .after(a)))
                let made = try await tracker.enqueue([child, NewTask(mail)]).map(\.id)
                #expect(partitions(of: made) == [0, 0])
            }
        }
    }

    @Test("all tasks of a flow lie in one partition", arguments: TestedBackend.parted)
    func flow(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for _ in 0..<4 {
                var flow = try Flow()
                let first = try flow.add(NewTask(mail), as: "first")
                let group = try flow.group((0..<5).map { _ in NewTask(mail) }, as: "group", after: [first])
                try flow.add(NewTask(mail), as: "last", after: [group])
                let ids = try await tracker.enqueue(flow).map(\.id)
                #expect(Set(partitions(of: ids)).count == 1)
                for _ in 0..<3 {
                    let claims = try await tracker.claim([mail], limit: 10)
                    for claim in claims { try await tracker.complete(claim.handle) }
                }
                let counts = try await tracker.counts(ofTags: [flow.tag])[0]
                #expect((counts.succeeded, counts.total) == (7, 7))
            }
        }
    }

    @Test("equal content meets, though ids are made", arguments: TestedBackend.parted)
    func unique(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for number in 0..<6 {
                let options = EnqueueOptions(unique: Uniqueness())
                let task = NewTask(mail, payload: Body(text: "{\"n\":\(number)}"), options: options)
                let first = try await tracker.enqueue([task])[0]
                let second = try await tracker.enqueue([task])[0]
                #expect(second == .deduplicated(second.id, of: first.id))
            }
            #expect(try await tracker.stats().kinds[0].total == 6)
        }
    }

    @Test(
        "a queue limit holds for all partitions together, and is told as it was defined",
        arguments: TestedBackend.parted
    )
    func limit(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            let policy = KindPolicy(queueLimit: 10)
            try await tracker.define("few", policy: policy)
            try await tracker.define("few", policy: policy)
            #expect(try await tracker.kinds().first { $0.name == "few" }?.policy == policy)
            var outcomes: [EnqueueOutcome] = []
            for _ in 0..<15 { outcomes += try await tracker.enqueue([NewTask("few")]) }
            #expect(outcomes.count { if case .created = $0 { true } else { false } } == 10)
            #expect(outcomes.last == .full(outcomes[14].id, limit: 10))
            await #expect { try await tracker.define("few", policy: KindPolicy(queueLimit: 11)) } throws: { error in
                (error as? TrackerError)?.message.contains(PolicyText.encode(policy)) == true
            }
            try await tracker.define("few", policy: KindPolicy(queueLimit: 11), replacing: true)
            #expect(try await tracker.kinds().first { $0.name == "few" }?.policy.queueLimit == 11)
        }
    }

    @Test("a kind is defined, paused and removed everywhere", arguments: TestedBackend.parted)
    func kinds(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            // An enqueue that brings a policy defines the kind in every partition.
            let outcome = try await tracker.enqueue([NewTask("fax")], policy: KindPolicy(queueLimit: 7))[0]
            try await tracker.pauseKind("fax", message: "no paper")
            for partition in 0..<3 {
                try await tracker.add(id(partition, "fax"), "fax")
                let reasons = try await tracker.explain(id(partition, "fax"))?.reasons ?? []
                #expect(reasons.contains { if case .kindPaused = $0 { true } else { false } })
            }
            #expect(try await tracker.claim(["fax"], limit: 9).isEmpty)
            try await tracker.resumeKind("fax")
            #expect(try await tracker.kinds().map(\.name) == ["fax", mail])
            #expect(try await tracker.undefine("fax") == .inUse(tasks: 4))
            #expect(try await tracker.claim(["fax"], limit: 9).count == 4)
            #expect(try await tracker.state(of: outcome.id) == .running)
            #expect(try await tracker.undefine("fax", force: true) == .removed(tasks: 4))
            #expect(try await tracker.undefine("fax") == .notFound)
            #expect(await code { try await tracker.pauseKind("fax") } == .unknownKind)
            #expect(try await tracker.kinds().map(\.name) == [mail])
        }
    }

    @Test("the same claim twice gets the same locks, whatever came meanwhile", arguments: TestedBackend.parted)
    func repeated(backend: TestedBackend) async throws {
        try await backend.run { tracker, _ in
            for round in 0..<5 {
                let ids = (0..<3).map { id($0, "t\(round)") }
                try await tracker.add(ids[round % 3])
                let first = try await tracker.claim([mail], limit: 2, token: "token-\(round)")
                #expect(first.map(\.id) == [ids[round % 3]])
                for id in ids where id != ids[round % 3] { try await tracker.add(id) }
                #expect(try await tracker.claim([mail], limit: 2, token: "token-\(round)") == first)
                #expect(try await tracker.claim([mail], limit: 9).count == 2)
            }
        }
    }

    @Test("sweeps, tags and workers are those of all partitions", arguments: TestedBackend.parted)
    func wholes(backend: TestedBackend) async throws {
        try await backend.run { tracker, clock in
            let ids = (0..<9).map { id($0 % 3, "t\($0)") }
            #expect(try await tracker.enqueue(ids.map { new($0, tags: ["all"]) }).count == 9)
            let worker = WorkerName(trusted: "host:1:a")
            try await tracker.beat(as: worker, kinds: [mail], slots: 4)
            #expect(try await tracker.claim([mail], limit: 9, as: worker).count == 9)
            let workers = try await tracker.workers()
            #expect(workers.map(\.name) == ["host:1:a"])
            #expect((workers[0].slots, workers[0].isAlive) == (4, true))
            #expect(try await tracker.stats().workers == 1)
            #expect(try await tracker.counts(ofTags: ["all"])[0].running == 9)
            clock.advance(by: .seconds(10))
            let step = try await tracker.reap(limit: 5)
            #expect((step.items.count, step.more) == (5, true))
            #expect(try await tracker.reap(limit: 500).items.count == 4)
            clock.advance(by: .seconds(5))
            #expect(try await tracker.claim([mail], limit: 2).count == 2)
            let change = try await tracker.cancel(tag: "all")
            #expect((change.changed, change.requested) == (7, 2))
            #expect(try await tracker.retry(tag: "all").changed == 7)
            #expect(try await tracker.clean(tag: "all").changed == 9)
            try await tracker.destroy()
            #expect(try await tracker.kinds().isEmpty)
            #expect(try await tracker.get(ids) == Array(repeating: nil, count: 9))
        }
    }

    @Test("an idle worker is woken by each partition at once", .timeLimit(.minutes(1)))
    func worker() async throws {
        try await withRedisTracker(partitions: 3) { tracker in
            for slots in [1, 4] { try await wakes(tracker, slots: slots) }
        }
        try await wakes(Tracker.inMemory(clock: .running, partitions: 3), slots: 1)
    }

    private func wakes(_ tracker: Tracker, slots: Int) async throws {
        let kind = try KindName("kind-\(slots)")
        let (ran, continuation) = AsyncStream<TaskID>.makeStream()
        var configuration = Worker.Configuration()
        configuration.pollInterval = .seconds(60)
        configuration.slots = slots
        let handler = Handler(kind) { context in
            continuation.yield(context.claim.id)
            return .empty
        }
        let worker = try Worker(tracker, configuration: configuration, handlers: [handler])
        try await withThrowingTaskGroup { group in
            group.addTask { try await worker.run() }
            var ids = ran.makeAsyncIterator()
            try await tracker.define(kind)
            for number in 0..<24 {
                let id = id([0, 2, 1, 1, 2][number % 5], "\(kind)-\(number)")
                if number > 12 { try await Task.sleep(for: .milliseconds(20)) }
                try await tracker.add(id, kind)
                #expect(await ids.next() == id)
            }
            group.cancelAll()
        }
    }

    @Test("one task wakes one worker that has room, though another stood in line too", .timeLimit(.minutes(1)))
    func lines() async throws {
        try await withRedisTracker(partitions: 3) { tracker in
            try await tracker.define(mail)
            let (busy, idle) = (WorkerName(trusted: "busy"), WorkerName(trusted: "idle"))
            let (woken, continuation) = AsyncStream<WorkerName>.makeStream()
            try await withThrowingTaskGroup { group in
                let (listening, listens) = AsyncStream<Void>.makeStream()
                for worker in [busy, idle] {
                    group.addTask {
                        await tracker.backend.listen(for: worker) { event in
                            if event == .listening { listens.yield() } else { continuation.yield(worker) }
                        }
                    }
                }
                var begun = listening.makeAsyncIterator()
                for _ in 0..<6 { await begun.next() }
                for worker in [busy, idle] {
                    var claim = ClaimMany(token: "\(worker)", worker: worker, count: 1, kinds: [mail])
                    claim.wait = .seconds(60)
                    claim.isFresh = true
                    #expect(try await tracker.perform(claim).claims.isEmpty)
                }
                // The first in line finds a task in one partition, and leaves the lines of the others.
                try await tracker.add(id(0, "a"))
                var claim = ClaimMany(token: "2", worker: busy, count: 1, kinds: [mail])
                claim.wait = .seconds(60)
                claim.mayBeWaiting = true
                claim.isFresh = true
                #expect(try await tracker.perform(claim).claims.map(\.id) == [id(0, "a")])
                try await tracker.add(id(1, "b"))
                var heard = woken.makeAsyncIterator()
                #expect(await heard.next() == busy)
                #expect(await heard.next() == idle)
                group.cancelAll()
            }
        }
    }

    @Test("a partition that is away is named, and does not keep the others from working")
    func away() async throws {
        let clock = ManualClock()
        let parts = (0..<3).map { _ in Tracker.inMemory(clock: clock).backend }
        let whole = Tracker(backend: PartitionedBackend(parts), namespace: "test", logger: Logger(label: "test"))
        try await whole.define(mail, policy: KindPolicy(lease: .seconds(1)))
        let ids = (0..<3).map { id($0, "t") }
        for id in ids { try await whole.add(id) }
        let lame = Tracker(
            backend: PartitionedBackend([parts[0], Away(), parts[2]]),
            namespace: "test",
            logger: Logger(label: "test")
        )
        await #expect { try await lame.prioritise(ids, 7) } throws: { error in
            guard let error = error as? TrackerError else { return false }
            return error.code == .unavailable && error.isRetriable && error.outcome == .unknown
                && error.message.contains("[partition 1 of 3]")
        }
        #expect(try await whole.get(ids).map { $0?.priority } == [7, 5, 7])
        #expect(await code { _ = try await lame.stats() } == .unavailable)
        // Who loops takes what there is, each time in another partition, and hears of the outage when there is nothing else.
        let worker = WorkerName(trusted: "w")
        var taken: Set<TaskID> = []
        var claim = ClaimMany(token: "1", worker: worker, count: 1, kinds: [mail], wait: .seconds(1))
        claim.isFresh = true
        for token in ["1", "2"] {
            claim.token = token
            taken.formUnion(try await lame.perform(claim).claims.map(\.id))
        }
        #expect(taken == [ids[0], ids[2]])
        claim.token = "3"
        let verb = claim
        #expect(await code { _ = try await lame.perform(verb) } == .unavailable)
        clock.advance(by: .seconds(1))
        #expect(Set(try await lame.reap().items.map(\.id)) == taken)
        #expect(await code { _ = try await lame.reap() } == .unavailable)
    }

    /// A partition whose server cannot be reached.
    private struct Away: TrackerBackend {
        var executor: (any TaskExecutor)? { nil }
        private var error: TrackerError { TrackerError(.unavailable, "away", isRetriable: true) }
        func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response { throw error }
        var estimatedNow: Timestamp? { nil }
        func listen(for worker: WorkerName, holding task: TaskID?, _ wake: @Sendable (WakeUp) -> Void) async {}
        var payloadLimit: Int { get async throws(TrackerError) { throw error } }
        var partitions: Int { 1 }
        func close() async {}
    }

    @Test("a tracker is opened with as many partitions as it has, or with no number")
    func wrongNumber() async throws {
        try await withRedisTracker(partitions: 4) { tracker in
            try await tracker.define(mail)
            let url = try await PrivateRedisServer.shared().url
            for (number, isRight) in [(nil, true), (4, true), (1, false), (3, false)] as [(Int?, Bool)] {
                var configuration = try Tracker.Configuration(url: url, namespace: tracker.namespace)
                configuration.partitions = number
                let other = try Tracker(configuration: configuration)
                if isRight {
                    #expect(try await other.kinds().map(\.name) == [mail])
                    #expect(try await other.backend.partitions == 4)
                } else {
                    await #expect { try await other.kinds() } throws: { error in
                        (error as? TrackerError)?.code == .incompatibleTracker
                            && (error as? TrackerError)?.message.contains("has 4 partitions") == true
                    }
                }
                await other.close()
            }
            var configuration = try Tracker.Configuration(url: url)
            for number in [0, 257] {
                configuration.partitions = number
                #expect(await code { _ = try Tracker(configuration: configuration) } == .invalidArgument)
            }
        }
    }
}
