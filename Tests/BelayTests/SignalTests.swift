import Testing

@testable import Belay

@Suite("A signal")
struct SignalTests {
    @Test("a notification before the wait ends it, once")
    func before() async {
        let signal = Signal()
        signal.notify()
        signal.notify()
        await signal.wait()
        let second = Task { await signal.wait() }
        await Self.waiting(for: second)
        signal.notify()
        await second.value
    }

    @Test("a notification ends all waits that have begun")
    func all() async {
        let signal = Signal()
        let waits = (0..<3).map { _ in Task { await signal.wait() } }
        for wait in waits { await Self.waiting(for: wait) }
        signal.notify()
        for wait in waits { await wait.value }
    }

    @Test("the end of one wait leaves the others")
    func cancelled() async {
        let signal = Signal()
        let waits = (0..<3).map { _ in Task { await signal.wait() } }
        for wait in waits { await Self.waiting(for: wait) }
        waits[1].cancel()
        await waits[1].value
        waits[0].cancel()
        await waits[0].value
        signal.notify()
        await waits[2].value
    }

    @Test("waits with a limit end side by side")
    func limits() async {
        let signal = Signal()
        await withDiscardingTaskGroup { group in
            for limit in [20, 5, 10] {
                group.addTask { await signal.wait(atMost: .milliseconds(limit), clock: ContinuousClock()) }
            }
        }
    }

    /// Gives a task the time to begin its wait.
    private static func waiting(for task: Task<Void, Never>) async {
        try? await Task.sleep(for: .milliseconds(20))
    }
}
