import Belay
import Synchronization

/// Performs verbs on a value in memory, one at a time.
final class InMemoryBackend: TrackerBackend {
    private struct Listener {
        let worker: String
        let events: AsyncStream<WakeUp>.Continuation
    }

    private struct Shared {
        var state: InMemoryState
        var listeners: [Int: Listener] = [:]
        var nextListener = 0
        var isClosed = false
    }

    private let shared: Mutex<Shared>
    private let time: @Sendable () -> Timestamp

    init(_ state: InMemoryState, time: @escaping @Sendable () -> Timestamp) {
        shared = Mutex(Shared(state: state))
        self.time = time
    }

    var executor: (any TaskExecutor)? { nil }
    var estimatedNow: Timestamp? { time() }
    var partitions: Int { 1 }
    var payloadLimit: Int {
        shared.withLock { shared in
            shared.state.open(now: time())
            return shared.state.payloadLimit
        }
    }

    func perform<V: Verb>(_ verb: V) async throws(TrackerError) -> V.Response {
        let now = time()
        return try shared.withLock { shared throws(TrackerError) in
            guard !shared.isClosed else { throw TrackerError(.closed, "the tracker was closed") }
            let answer = try shared.state.apply(verb, now: now)
            for message in shared.state.messages {
                for listener in shared.listeners.values where listener.worker == message.worker {
                    listener.events.yield(message.event)
                }
            }
            return answer
        }
    }

    func listen(for worker: WorkerName, holding task: TaskID?, _ wake: @Sendable (WakeUp) -> Void) async {
        let (events, continuation) = AsyncStream<WakeUp>.makeStream(bufferingPolicy: .bufferingNewest(64))
        guard let number = join(Listener(worker: worker.description, events: continuation)) else { return }
        defer { leave(number) }
        wake(.listening)
        for await event in events { wake(event) }
    }

    func close() async {
        let listeners = shared.withLock { shared in
            shared.isClosed = true
            return shared.listeners.values.map(\.events)
        }
        for listener in listeners { listener.finish() }
    }

    private func join(_ listener: Listener) -> Int? {
        shared.withLock { shared in
            guard !shared.isClosed else { return nil }
            shared.nextListener += 1
            shared.listeners[shared.nextListener] = listener
            shared.state.listeners[listener.worker, default: 0] += 1
            return shared.nextListener
        }
    }

    private func leave(_ number: Int) {
        shared.withLock { shared in
            guard let listener = shared.listeners.removeValue(forKey: number) else { return }
            shared.state.listeners[listener.worker, default: 1] -= 1
        }
    }
}
