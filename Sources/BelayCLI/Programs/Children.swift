import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The programs that run now, so that a signal reaches all of them.
final class Children: Sendable {
    private struct State {
        /// Process ids, and whether each leads a process group of its own.
        var running: [pid_t: Bool] = [:]
        var signal: Int32?
    }

    private let state = Mutex(State())

    /// Whether all were asked to end.
    var isStopping: Bool { state.withLock { $0.signal != nil } }

    /// Notes a program; one that comes too late is asked to end at once.
    func add(_ process: pid_t, leadsGroup: Bool) {
        let signal = state.withLock { state in
            state.running[process] = leadsGroup
            return state.signal
        }
        if let signal { Self.send(signal, to: process, leadsGroup) }
    }

    func remove(_ process: pid_t) { state.withLock { _ = $0.running.removeValue(forKey: process) } }

    /// Asks all programs to end. A terminal has sent SIGINT to programs of its foreground group already.
    func stop(_ signal: Int32) {
        let running = state.withLock { state in
            if state.signal == nil { state.signal = signal }
            return state.running
        }
        for (process, leadsGroup) in running where leadsGroup || signal != SIGINT {
            Self.send(signal, to: process, leadsGroup)
        }
    }

    /// Ends all programs.
    func kill() {
        for (process, leadsGroup) in state.withLock(\.running) { Self.send(SIGKILL, to: process, leadsGroup) }
    }

    /// Waits until none runs; false when some still do after `limit`.
    func waitForAll(atMost limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while state.withLock({ !$0.running.isEmpty }) {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(10))) != nil else {
                return false
            }
        }
        return true
    }

    /// Sends a signal to a process, or to the group that it leads.
    static func send(_ signal: Int32, to process: pid_t, _ leadsGroup: Bool) {
        #if canImport(Glibc)
            _ = Glibc.kill(leadsGroup ? -process : process, signal)
        #elseif canImport(Musl)
            _ = Musl.kill(leadsGroup ? -process : process, signal)
        #else
            _ = Darwin.kill(leadsGroup ? -process : process, signal)
        #endif
    }
}
