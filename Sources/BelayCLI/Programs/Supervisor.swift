import UnixSignals

/// Runs work until it ends or a signal ends it: the first signal asks, a second one forces.
struct Supervisor: Sendable {
    /// How it went.
    struct End: Sendable {
        /// The first signal that came.
        var signal: Int32?
        /// Whether a second one came.
        var isForced = false

        /// Ends the command as a shell expects it after a signal.
        func throwIfSignalled() throws {
            if let signal { throw Failure.silently(128 + signal) }
        }
    }

    private enum Event: Sendable {
        case ended((any Error)?)
        case signal(Int32)
        case windedDown
    }

    /// The programs to end with the work.
    var children = Children()
    /// How long they may go on after the first signal.
    var grace: Duration = .zero
    /// The time between asking them to end and killing them.
    var killAfter: Duration = .seconds(5)
    /// Called at the first signal.
    var onSignal: @Sendable () async -> Void = {}

    /// Runs the work. When it is over because of a signal, its error is dropped.
    func run(_ work: @escaping @Sendable () async throws -> Void) async throws -> End {
        let (events, feed) = AsyncStream.makeStream(of: Event.self)
        let signals = await UnixSignalsSequence(trapping: [.sigterm, .sigint, .sighup])
        return try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                do {
                    try await work()
                    feed.yield(.ended(nil))
                } catch {
                    feed.yield(.ended(error))
                }
            }
            group.addTask { for await signal in signals { feed.yield(.signal(signal.rawValue)) } }
            var end = End()
            for await event in events {
                switch event {
                case .signal(let signal) where end.signal == nil:
                    end.signal = signal
                    group.addTask {
                        await windDown(signal)
                        feed.yield(.windedDown)
                    }
                case .signal:
                    end.isForced = true
                    children.kill()
                    group.cancelAll()
                case .windedDown:
                    group.cancelAll()
                case .ended(let error):
                    group.cancelAll()
                    if let error, end.signal == nil { throw error }
                    return end
                }
            }
            return end
        }
    }

    private func windDown(_ signal: Int32) async {
        await onSignal()
        if grace > .zero { try? await Task.sleep(for: grace) }
        children.stop(signal)
        if await !children.waitForAll(atMost: killAfter) {
            children.kill()
            _ = await children.waitForAll(atMost: .seconds(2))
        }
    }
}
