import Testing

@testable import Belay

@Suite("What a worker does next")
struct WorkerStateTests {
    @Test("it asks for its free slots, one call at a time when it is small")
    func small() {
        var state = WorkerState(slots: 8)
        #expect(state.nextClaim() == .claim(8, lane: 0))
        #expect(state.nextClaim() == .wait)
        state.answered(8, leftLine: false)
        state.started(8, lane: 0)
        #expect(state.nextClaim() == .wait)
        #expect(state.running == 8)
    }

    @Test("a second call goes out for many tasks when the tracker had as many as it was asked for")
    func second() throws {
        var state = WorkerState(slots: 100)
        #expect(state.nextClaim() == .claim(100, lane: 0))
        state.started(60, lane: 0)
        // The tracker had less than that: one call at a time.
        #expect(state.nextClaim() == .claim(40, lane: 0))
        state.started(40, lane: 0)
        try end(50, of: &state)
        #expect(state.nextClaim() == .claim(50, lane: 0))
        #expect(state.takeUnsettled().count == 50)
        state.settled(50)
        try end(WorkerState.many - 1, of: &state)
        #expect(state.nextClaim() == .wait)
        try end(1, of: &state)
        #expect(state.nextClaim() == .claim(WorkerState.many, lane: 1))
        try end(10, of: &state)
        #expect(state.nextClaim() == .wait)
        state.started(50, lane: 0)
        #expect(state.nextClaim() == .wait)
        state.started(0, lane: 1)
        #expect(state.nextClaim() == .claim(10 + WorkerState.many, lane: 0))
    }

    @Test("what runs, is asked for and is not written never is more than twice the slots")
    func bound() throws {
        var state = WorkerState(slots: 40)
        #expect(state.nextClaim() == .claim(40, lane: 0))
        state.started(40, lane: 0)
        try end(40, of: &state)
        #expect(state.nextClaim() == .claim(40, lane: 0))
        state.started(40, lane: 0)
        try end(30, of: &state)
        #expect(state.nextClaim() == .wait)
        #expect(state.takeUnsettled().count == 70)
        #expect(state.nextClaim() == .wait)
        state.settled(70)
        #expect(state.nextClaim() == .claim(30, lane: 0))
    }

    @Test("ends are written in one call, in a second one only when there are many")
    func ends() throws {
        var state = WorkerState(slots: 100)
        state.started(100, lane: 0)
        try end(1, of: &state)
        #expect(state.takeUnsettled().count == 1)
        try end(WorkerState.many - 1, of: &state)
        #expect(state.takeUnsettled().isEmpty)
        try end(1, of: &state)
        #expect(state.takeUnsettled().count == WorkerState.many)
        try end(1, of: &state)
        state.settled(1)
        #expect(state.takeUnsettled().isEmpty)
        state.settled(WorkerState.many)
        #expect(state.takeUnsettled().count == 1)
    }

    @Test("it is idle when nothing runs, is asked for or is unwritten")
    func idle() throws {
        var state = WorkerState(slots: 1)
        #expect(state.isIdle)
        _ = state.nextClaim()
        #expect(!state.isIdle)
        state.started(1, lane: 0)
        #expect(!state.isIdle)
        try end(1, of: &state)
        #expect(!state.isIdle)
        _ = state.takeUnsettled()
        #expect(!state.isIdle)
        state.settled(1)
        #expect(state.isIdle)
    }

    @Test("it stands in line from an empty answer on until a call that takes it out finds something")
    func line() {
        var state = WorkerState(slots: 100)
        #expect(!state.mayBeWaiting)
        state.answered(0, leftLine: false)
        #expect(state.mayBeWaiting)
        // This call was sent before, by the other lane, and knew nothing of the line.
        state.answered(5, leftLine: false)
        #expect(state.mayBeWaiting)
        state.answered(0, leftLine: true)
        #expect(state.mayBeWaiting)
        state.answered(5, leftLine: true)
        #expect(!state.mayBeWaiting)
    }

    @Test("failures are counted until an answer comes")
    func failures() {
        var state = WorkerState(slots: 1)
        #expect([state.failed(), state.failed()] == [1, 2])
        state.answered(0, leftLine: false)
        #expect(state.failed() == 1)
    }

    @Test("it asks for nothing once it is to stop")
    func stop() {
        var state = WorkerState(slots: 1)
        state.stop()
        #expect(state.nextClaim() == .stop)
    }

    /// Ends so many tasks well.
    private func end(_ count: Int, of state: inout WorkerState) throws {
        let context = try ClaimContext.held("t")
        for _ in 0..<count { _ = state.ended(.complete(context, .empty)) }
    }
}
