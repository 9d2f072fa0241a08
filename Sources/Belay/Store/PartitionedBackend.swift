import Synchronization

/// A tracker of several partitions: each is a complete little tracker, and a verb says how it is spread over them.
///
/// A call whose tasks lie in one partition is one script. One over several is a script in each, sent at the same time: each is
/// atomic, the call is not. When one of them fails the call throws its error, after the others have done their part; to send the
/// call again is safe.
package final class PartitionedBackend: TrackerBackend {
    /// The partitions in their order.
    package let parts: [any TrackerBackend]
    /// Kinds that this process has seen to be known to all partitions.
    private let settled = Mutex<Set<KindName>>([])
    private let places: Mutex<ClaimPlaces>

    package init(_ parts: [any TrackerBackend]) {
        self.parts = parts
        places = Mutex(ClaimPlaces(count: parts.count))
    }

    package func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response {
        try await verb.spread(over: self)
    }

    package var partitions: Int { parts.count }
    package var executor: (any TaskExecutor)? { parts.first?.executor }
    package var estimatedNow: Timestamp? { parts.lazy.compactMap(\.estimatedNow).max() }
    package var payloadLimit: Int { get async throws(TrackerError) { try await parts[0].payloadLimit } }

    /// Listens in each partition: a worker is woken where it stands in line. Who holds one task stands in no line.
    package func listen(
        for worker: WorkerName,
        holding task: TaskID?,
        _ wake: @Sendable (WakeUp) -> Void
    ) async {
        if let task { return await parts[partition(of: task)].listen(for: worker, wake) }
        await withoutActuallyEscaping(wake) { wake in
            await withDiscardingTaskGroup { group in
                for (place, part) in parts.enumerated() {
                    group.addTask {
                        await part.listen(for: worker) { event in
                            if event == .ready { self.places.withLock { $0.woken(worker, in: place) } }
                            wake(event)
                        }
                    }
                }
            }
        }
        places.withLock { $0.forget(worker) }
    }

    package func close() async { for part in parts { await part.close() } }

    // MARK: Spreading

    /// The partition of a task.
    package func partition(of id: TaskID) -> Int { PartitionKey.partition(of: id, among: parts.count) }

    /// Performs a verb about one task.
    func one<V: Verb>(_ verb: V, of id: TaskID) async throws(TrackerError) -> V.Response {
        try await parts[partition(of: id)].perform(verb)
    }

    /// Performs a verb in the first partition, where everything lies that is kept once.
    func first<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response { try await parts[0].perform(verb) }

    /// Performs a verb in every partition.
    func all<V: Verb>(_ verb: V) async throws(TrackerError) -> [V.Response] {
        try await each(parts.indices) { _, part throws(TrackerError) in try await part.perform(verb) }
    }

    /// Calls partitions at the same time; answers in the order of their places.
    func each<Answer: Sendable>(
        _ places: some Collection<Int>,
        _ call: @escaping @Sendable (Int, any TrackerBackend) async throws(TrackerError) -> Answer
    ) async throws(TrackerError) -> [Answer] {
        let results = await results(places, call)
        let hasAnswer = results.contains { if case .success = $0 { true } else { false } }
        var answers: [Answer] = []
        for (place, result) in zip(places, results) {
            do throws(TrackerError) { answers.append(try result.get()) } catch {
                throw results.count == 1 ? error : error.inPartition(place, of: parts.count, hasAnswer)
            }
        }
        return answers
    }

    /// As ``each(_:_:)``, with the failures among the answers.
    func results<Answer: Sendable>(
        _ places: some Collection<Int>,
        _ call: @escaping @Sendable (Int, any TrackerBackend) async throws(TrackerError) -> Answer
    ) async -> [Swift.Result<Answer, TrackerError>] {
        let places = Array(places)
        if places.count == 1 { return [await Self.result(places[0], parts[places[0]], call)] }
        return await withTaskGroup(of: (Int, Swift.Result<Answer, TrackerError>).self) { group in
            for (number, place) in places.enumerated() {
                let part = parts[place]
                group.addTask { (number, await Self.result(place, part, call)) }
            }
            var results: [(Int, Swift.Result<Answer, TrackerError>)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private static func result<Answer: Sendable>(
        _ place: Int,
        _ part: any TrackerBackend,
        _ call: @Sendable (Int, any TrackerBackend) async throws(TrackerError) -> Answer
    ) async -> Swift.Result<Answer, TrackerError> {
        do throws(TrackerError) { return .success(try await call(place, part)) } catch { return .failure(error) }
    }

    /// Hands each partition its items and puts the answers back in the order of the items.
    func split<Item: Sendable, Outcome: Sendable>(
        _ items: [Item],
        by id: (Item) -> TaskID,
        _ call: @escaping @Sendable (any TrackerBackend, [Item]) async throws(TrackerError) -> [Outcome]
    ) async throws(TrackerError) -> [Outcome] {
        let groups = grouped(items, by: id)
        if groups.count == 1 { return try await call(parts[groups[0].partition], items) }
        let answers = try await each(groups.map(\.partition)) { place, part throws(TrackerError) in
            let group = groups.first { $0.partition == place }
            return try await call(part, group?.items ?? [])
        }
        var outcomes: [Outcome?] = Array(repeating: nil, count: items.count)
        for (group, answer) in zip(groups, answers) {
            for (place, outcome) in zip(group.places, answer) { outcomes[place] = outcome }
        }
        return outcomes.compactMap(\.self)
    }

    /// Items by partition, in the order of the partitions, with their places among all.
    func grouped<Item: Sendable>(
        _ items: [Item],
        by id: (Item) -> TaskID
    ) -> [(partition: Int, places: [Int], items: [Item])] {
        var places: [Int: [Int]] = [:]
        for (place, item) in items.enumerated() { places[partition(of: id(item)), default: []].append(place) }
        return places.sorted { $0.key < $1.key }.map { ($0.key, $0.value, $0.value.map { items[$0] }) }
    }

    /// Asks one partition after the other for what is missing to a limit. One that fails is passed over, and is told of when
    /// there is nothing else to tell.
    func inTurn<Item: Sendable>(
        limit: Int,
        _ call: (any TrackerBackend, Int) async throws(TrackerError) -> SweepStep<Item>
    ) async throws(TrackerError) -> SweepStep<Item> {
        var (items, more, failure): ([Item], Bool, TrackerError?) = ([], false, nil)
        for (place, part) in parts.enumerated() {
            guard items.count < limit else { return SweepStep(items: items, more: true) }
            do throws(TrackerError) {
                let step = try await call(part, limit - items.count)
                items += step.items
                more = more || step.more
            } catch { failure = error.inPartition(place, of: parts.count, true) }
        }
        if let failure, items.isEmpty { throw failure }
        return SweepStep(items: items, more: more)
    }

    // MARK: Kinds

    /// All kinds by name, as they were defined: the shares of a queue limit together are the limit.
    func kinds() async throws(TrackerError) -> [DefinedKind] {
        Kinds.merged(try await all(Kinds()))
    }

    /// Makes a kind known to every partition, when it is to some, or when none knows it and a policy is offered.
    func settle(_ kind: KindName, offered: KindPolicy?) async throws(TrackerError) {
        let answers = try await all(Kinds())
        let stored = Kinds.merged(answers).first { $0.name == kind }?.policy
        guard let policy = stored ?? offered else { return }
        let missing = parts.indices.filter { place in !answers[place].contains { $0.name == kind } }
        let count = parts.count
        _ = try await each(missing) { place, part throws(TrackerError) in
            let share = policy.share(of: place, among: count)
            do throws(TrackerError) { try await part.perform(Define(kind: kind, policy: share, replace: false)) } catch
            {
                // Somebody else was faster.
                guard error.code == .kindConflict else { throw error }
            }
        }
    }

    /// Does so once in the life of this process.
    func settleOnce(_ kind: KindName, offered: KindPolicy) async throws(TrackerError) {
        if settled.withLock({ $0.contains(kind) }) { return }
        try await settle(kind, offered: offered)
        settled.withLock { _ = $0.insert(kind) }
    }

    /// Looks again at the next occasion.
    func unsettle(_ kind: KindName? = nil) {
        settled.withLock { settled in
            if let kind { settled.remove(kind) } else { settled = [] }
        }
    }

    // MARK: Claiming

    /// What is known of where claims find tasks.
    func withPlaces<T: Sendable>(_ body: (inout ClaimPlaces) -> T) -> T { places.withLock { body(&$0) } }
}

extension TrackerError {
    /// The error of a call over several partitions, of which one failed.
    fileprivate func inPartition(_ place: Int, of count: Int, _ hasAnswer: Bool) -> TrackerError {
        TrackerError(
            code,
            "\(message) [partition \(place) of \(count)]",
            isRetriable: isRetriable,
            outcome: hasAnswer ? .unknown : outcome,
            cause: cause
        )
    }
}

/// Where claims look first, and where workers stand in line. A pure value.
struct ClaimPlaces: Sendable {
    private struct Standing {
        /// Partitions that have woken the worker since it claimed there last, the first one first.
        var woken: [Int] = []
        /// Partitions in which it stands in line.
        var lines: Set<Int> = []
    }

    private let count: Int
    private var next: Int
    /// Partitions whose last claim failed: they are asked last.
    private var away: Set<Int> = []
    private var standings: [WorkerName: Standing] = [:]

    init(count: Int, start: Int = .random(in: 0..<256)) {
        self.count = count
        next = start % count
    }

    /// The partitions in the order in which a worker's loop asks them, and whether one of them has woken it.
    mutating func order(for worker: WorkerName) -> (places: [Int], isWoken: Bool) {
        let woken = standings[worker]?.woken ?? []
        standings[worker]?.woken = []
        next = (next + 1) % count
        let turn = (next..<next + count).map { $0 % count }.filter { !woken.contains($0) }
        return (woken + turn.filter { !away.contains($0) } + turn.filter(away.contains), !woken.isEmpty)
    }

    /// Whether a worker stands in line in a partition.
    func stands(_ worker: WorkerName, in place: Int) -> Bool { standings[worker]?.lines.contains(place) ?? false }

    /// Notes what a claim in a partition gave: nil when it failed.
    mutating func asked(_ worker: WorkerName, in place: Int, found: Bool?) {
        if found == nil { away.insert(place) } else { away.remove(place) }
        switch found {
        case true?: standings[worker]?.lines.remove(place)
        case false?: standings[worker, default: Standing()].lines.insert(place)
        case nil: break
        }
    }

    /// A partition has taken the worker out of its line and woken it.
    mutating func woken(_ worker: WorkerName, in place: Int) {
        standings[worker, default: Standing()].lines.remove(place)
        if standings[worker]?.woken.contains(place) == false { standings[worker]?.woken.append(place) }
    }

    /// The partitions in whose lines a worker stands, which it leaves.
    mutating func leave(_ worker: WorkerName) -> [Int] {
        defer { standings[worker]?.lines = [] }
        return standings[worker]?.lines.sorted() ?? []
    }

    mutating func forget(_ worker: WorkerName) { standings[worker] = nil }
}
