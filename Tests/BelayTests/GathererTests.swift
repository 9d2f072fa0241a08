import RedisWire
import Synchronization
import Testing

@testable import Belay

@Suite("Calls of many callers")
struct GathererTests {
    @Test("one that is alone goes at once, by itself")
    func alone() async throws {
        let line = Line()
        for item in 0..<3 { #expect(try await line.call(item) == -item) }
        #expect(line.calls == [[0], [1], [2]])
    }

    @Test("what comes while two are under way goes together, in its order")
    func together() async throws {
        let line = Line()
        let first = try await line.hold()
        let others = await line.wait(10..<20)
        line.open()
        for (item, call) in others { #expect(try await call.value == -item) }
        for call in first { _ = try await call.value }
        #expect(line.calls.count == 3)
        #expect(line.calls[2] == Array(10..<20))
    }

    @Test("a call has at most 500 items and 4 MiB")
    func limits() async throws {
        let line = Line()
        let first = try await line.hold()
        var others = await line.wait(1000..<1700)
        others += await line.wait(2000..<2003, bytes: 3 << 20)
        line.open()
        for (_, call) in others { _ = try await call.value }
        for call in first { _ = try await call.value }
        #expect(line.calls.dropFirst(2).map(\.count).sorted() == [1, 1, 201, 500].sorted())
    }

    @Test("a refusal for one value leaves the others")
    func refused() async throws {
        let line = Line()
        let first = try await line.hold()
        let others = await line.wait(90..<105)  // 99 is refused
        line.open()
        for (item, call) in others {
            if item == 99 {
                await #expect { try await call.value } throws: { ($0 as? TrackerError)?.code == .tooLarge }
            } else {
                #expect(try await call.value == -item)
            }
        }
        for call in first { _ = try await call.value }
    }

    @Test("when the server is away all who wait are told, and later calls go out again")
    func away() async throws {
        let line = Line()
        let first = try await line.hold()
        let others = await line.wait([666] + Array(200..<300))
        line.open()
        for (_, call) in others {
            await #expect { try await call.value } throws: { ($0 as? TrackerError)?.code == .unavailable }
        }
        for call in first { _ = try await call.value }
        #expect(line.calls.count == 3)
        #expect(try await line.call(5) == -5)
    }

    @Test("a caller that is cancelled returns at once: unsent, or with an unknown outcome")
    func cancelled() async throws {
        let line = Line()
        let first = try await line.hold()
        let others = await line.wait(10..<13)
        others[1].call.cancel()
        await #expect { try await others[1].call.value } throws: { Self.isCancelled($0, .nothing) }
        line.letGo()
        await line.until { $0.calls.count == 3 }
        #expect(line.calls[2] == [10, 12])
        others[2].call.cancel()
        await #expect { try await others[2].call.value } throws: { Self.isCancelled($0, .unknown) }
        line.open()
        #expect(try await others[0].call.value == -10)
        for call in first { _ = try await call.value }
    }

    private static func isCancelled(_ error: any Error, _ outcome: TrackerError.Outcome) -> Bool {
        guard let error = error as? TrackerError else { return false }
        return error.code == .cancelled && error.outcome == outcome
    }
}

/// A server that answers -item, refuses 99, is away for 666, and holds its answers back while its gate is closed.
private final class Line: Sendable {
    private struct State {
        var calls: [[Int]] = []
        var isOpen = true
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let gatherer = Gatherer<Int, Int, TrackerError>(on: nil, items: 500, bytes: 4 << 20)
    private let state = Mutex(State())

    var calls: [[Int]] { state.withLock { $0.calls } }

    func call(_ item: Int, bytes: Int = 1) async throws(TrackerError) -> Int {
        try await gatherer.perform(item, bytes: bytes) { items throws(TrackerError) in
            await withCheckedContinuation { answer in
                let isOpen = self.state.withLock { state in
                    state.calls.append(items)
                    if !state.isOpen { state.held.append(answer) }
                    return state.isOpen
                }
                if isOpen { answer.resume() }
            }
            if items.contains(99) { throw TrackerError(.tooLarge, "99") }
            if items.contains(666) { throw TrackerError(.unavailable, "away", isRetriable: true) }
            return items.map { -$0 }
        }
    }

    /// Two calls whose answers are held back.
    func hold() async throws -> [Task<Int, any Error>] {
        close()
        let calls = (0..<2).map { item in Task { try await self.call(item) } }
        await until { $0.calls.count == 2 }
        return calls
    }

    /// Calls that have to wait, in this order.
    func wait(_ items: some Sequence<Int>, bytes: Int = 1) async -> [(item: Int, call: Task<Int, any Error>)] {
        var calls: [(Int, Task<Int, any Error>)] = []
        for item in items {
            let before = gatherer.waitingCount
            calls.append((item, Task { try await self.call(item, bytes: bytes) }))
            await until { _ in self.gatherer.waitingCount > before }
        }
        return calls
    }

    func close() { state.withLock { $0.isOpen = false } }

    /// Lets go what is held, and holds no more.
    func open() {
        state.withLock { $0.isOpen = true }
        letGo()
    }

    /// Lets go what is held now.
    func letGo() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer.resume() }
    }

    func until(_ condition: (Line) -> Bool) async {
        while !condition(self) { try? await Task.sleep(for: .milliseconds(1)) }
    }
}
