import Synchronization

/// A flag that tasks wait for: `notify()` ends all waits that have begun; when there is none it ends the next one.
final class Signal: Sendable {
    private struct Waiter {
        let number: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var isRaised = false
        var last = 0
        /// Mostly there is one.
        var first: Waiter?
        var others: [Waiter] = []

        mutating func add(_ waiter: Waiter) {
            if first == nil { first = waiter } else { others.append(waiter) }
        }

        mutating func remove(_ number: Int) -> Waiter? {
            if let waiter = first, waiter.number == number {
                first = others.popLast()
                return waiter
            }
            return others.firstIndex { $0.number == number }.map { others.remove(at: $0) }
        }
    }

    private let state = Mutex(State())

    /// Raises the flag.
    func notify() {
        let (first, others): (Waiter?, [Waiter]) = state.withLock { state in
            defer { (state.first, state.others) = (nil, []) }
            if state.first == nil { state.isRaised = true }
            return (state.first, state.others)
        }
        first?.continuation.resume()
        for waiter in others { waiter.continuation.resume() }
    }

    /// Waits for the flag, or for the cancellation of the calling task.
    func wait() async {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isRaised {
                        state.isRaised = false
                        return true
                    }
                    if Task.isCancelled { return true }
                    state.add(Waiter(number: number, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.remove(number) }?.continuation.resume()
        }
    }

    /// Waits for the flag, at most so long.
    func wait(atMost limit: Duration, clock: any Clock<Duration>) async {
        guard limit > .zero else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await clock.sleep(for: limit) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }
}
