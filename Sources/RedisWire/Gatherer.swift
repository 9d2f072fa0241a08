import Synchronization

/// What a ``Gatherer`` must know of the errors of its calls.
package protocol GatheredFailure: Error {
    /// Whether the same call may succeed later without a change: the server is away.
    var isRetriable: Bool { get }
    /// Whether the call was refused for one of its values, so that others may be accepted without it.
    var concernsValues: Bool { get }
    /// The error of a caller whose task was cancelled before, or after, its item was sent.
    static func cancelled(wasSent: Bool) -> Self
}

/// Lets calls that many callers make at the same moment share one command.
///
/// While fewer than ``limit`` are under way a call goes out by itself, at once: a caller who is alone waits for nobody. What
/// comes meanwhile goes together, as soon as one of those has its answer. When such a call is refused because of one item,
/// the others are sent without it. When the server is away, those who still wait hear of it too, so that nobody waits longer
/// than a call may take.
///
/// A caller whose task is cancelled is told at once; what was sent for it goes on.
package final class Gatherer<Item: Sendable, Answer: Sendable, Failure: GatheredFailure>: Sendable {
    package typealias Send = @Sendable ([Item]) async throws(Failure) -> [Answer]
    private typealias Outcome = Result<Answer, Failure>
    private typealias Waiter = CheckedContinuation<Outcome?, Never>

    private struct Entry {
        let number: Int
        let item: Item
        let bytes: Int
    }

    private struct State {
        var underWay = 0
        var last = 0
        /// What waits to be sent.
        var waiting: [Entry] = []
        /// Who waits for an answer, by the number of the entry.
        var waiters: [Int: Waiter] = [:]

        mutating func takeBatch(items: Int, bytes limit: Int) -> [Entry] {
            var (count, bytes) = (0, 0)
            for entry in waiting.prefix(items) {
                bytes += entry.bytes
                if count > 0, bytes > limit { break }
                count += 1
            }
            defer { waiting.removeFirst(count) }
            return Array(waiting[..<count])
        }
    }

    /// So many calls are under way at once: one is carried out while the answer of the other travels.
    private static var limit: Int { 2 }

    private let executor: (any TaskExecutor)?
    private let most: (items: Int, bytes: Int)
    private let state = Mutex(State())

    /// - Parameters:
    ///   - executor: Where calls of several callers are made.
    ///   - items: How many go in one call at most.
    ///   - bytes: How large one call is at most, unless one item is larger.
    package init(on executor: (any TaskExecutor)?, items: Int, bytes: Int) {
        self.executor = executor
        most = (items, bytes)
    }

    /// How many calls wait to be sent.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Performs a call, alone or with others.
    /// - Parameters:
    ///   - item: What is sent.
    ///   - bytes: Its size.
    ///   - send: Sends items in one call, and answers for each of them.
    package func perform(_ item: Item, bytes: Int, _ send: @escaping Send) async throws(Failure) -> Answer {
        if let outcome = await join(item, bytes: bytes) { return try outcome.get() }
        defer { sendNext(send) }
        return try await send([item])[0]
    }

    /// Nil when the call may go out by itself; else its outcome.
    private func join(_ item: Item, bytes: Int) async -> Outcome? {
        let isShielded = RedisClient.ignoresCancellation
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isAlone = state.withLock { state in
                    guard state.underWay >= Self.limit else {
                        state.underWay += 1
                        return true
                    }
                    state.waiting.append(Entry(number: number, item: item, bytes: bytes))
                    state.waiters[number] = waiter
                    return false
                }
                if isAlone { return waiter.resume(returning: nil) }
                // A cancellation before this point found nothing.
                if Task.isCancelled, !isShielded { giveUp(number) }
            }
        } onCancel: {
            if !isShielded { giveUp(number) }
        }
    }

    private func giveUp(_ number: Int) {
        let (waiter, wasSent) = state.withLock { state in
            let place = state.waiting.firstIndex { $0.number == number }
            if let place { state.waiting.remove(at: place) }
            return (state.waiters.removeValue(forKey: number), place == nil)
        }
        waiter?.resume(returning: .failure(.cancelled(wasSent: wasSent)))
    }

    /// A call has ended: what waits goes out.
    private func sendNext(_ send: @escaping Send) {
        let batch: [Entry] = state.withLock { state in
            if state.waiting.isEmpty { state.underWay -= 1 }
            return state.takeBatch(items: most.items, bytes: most.bytes)
        }
        guard !batch.isEmpty else { return }
        // Nobody's cancellation may end it: it is the call of many.
        Task.detached(executorPreference: executor) {
            await self.perform(batch[...], send)
            self.sendNext(send)
        }
    }

    private func perform(_ batch: ArraySlice<Entry>, _ send: Send) async {
        do throws(Failure) {
            let answers = try await send(batch.map(\.item))
            resume(zip(batch, answers).map { ($0.number, .success($1)) })
        } catch {
            if batch.count > 1, error.concernsValues {
                let middle = batch.startIndex + batch.count / 2
                await perform(batch[..<middle], send)
                await perform(batch[middle...], send)
            } else {
                var numbers = batch.map(\.number)
                if error.isRetriable {
                    numbers += state.withLock { $0.takeBatch(items: most.items, bytes: most.bytes) }.map(\.number)
                }
                resume(numbers.map { ($0, .failure(error)) })
            }
        }
    }

    private func resume(_ outcomes: [(number: Int, outcome: Outcome)]) {
        let waiters = state.withLock { state in outcomes.map { state.waiters.removeValue(forKey: $0.number) } }
        for (waiter, item) in zip(waiters, outcomes) { waiter?.resume(returning: item.outcome) }
    }
}
