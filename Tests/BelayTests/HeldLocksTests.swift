import Testing

@testable import Belay

/// When the loops that look after held locks are woken.
@Suite("Held locks")
struct HeldLocksTests {
    private let start = ContinuousClock.now

    /// A lock whose three moments are seconds after the start.
    private func lock(_ id: TaskID, _ renewal: Double, _ deadline: Double, _ limit: Double? = nil) throws
        -> HeldLocks.Lock
    {
        HeldLocks.Lock(
            context: try .held(id),
            renewal: moment(renewal),
            deadline: moment(deadline),
            softLimit: limit.map { moment($0) }
        )
    }

    private func moment(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func plans(_ held: inout HeldLocks) -> [ContinuousClock.Instant?] {
        HeldLocks.Chore.allCases.map { held.plan($0) }
    }

    @Test("a lock wakes only those loops that would look at it too late")
    func wakes() throws {
        var held = HeldLocks()
        #expect(try held.add(lock("first", 4, 10)) == [.renew, .watch])
        #expect(held.plan(.renew) == moment(4))
        #expect(held.plan(.watch) == moment(10))
        #expect(held.plan(.limit) == nil)
        #expect(try held.add(lock("later", 5, 11)) == [])
        #expect(try held.add(lock("limited", 5, 11, 8)) == [.limit])
        #expect(held.plan(.limit) == moment(8))
        #expect(try held.add(lock("shorter", 2, 3, 9)) == [.renew, .watch])
        #expect(held.plan(.renew) == moment(2))
        #expect(held.plan(.watch) == moment(3))
        #expect(held.change("later") { $0.deadline = moment(2.5) } == [.watch])
        #expect(held.change("later") { $0.deadline = moment(20) } == [])
        #expect(held.change("none") { _ in Issue.record("there is no such lock") } == [])
    }

    @Test("what ends first, or is put off, leaves its loop an alarm too many and nobody unwatched")
    func ends() throws {
        var held = HeldLocks()
        _ = try held.add(lock("a", 4, 10, 6))
        _ = try held.add(lock("b", 5, 11, 7))
        #expect(plans(&held) == [moment(4), moment(10), moment(6)])
        let wereHeld = [held.remove("a"), held.remove("a")]
        #expect(wereHeld == [true, false])
        // The loops look at what was planned, find nothing due, and plan anew.
        #expect(held.due(.watch, at: moment(10)).isEmpty)
        #expect(plans(&held) == [moment(5), moment(11), moment(7)])
        #expect(held.change("b") { $0.softLimit = nil } == [])
        #expect(held.plan(.limit) == nil)
        _ = held.remove("b")
        #expect(plans(&held) == [nil, nil, nil])
        #expect(try held.add(lock("c", 50, 60)) == [.renew, .watch], "who sleeps without an alarm is woken")
    }

    @Test("what is due within a share of its lease is due with the rest")
    func ahead() throws {
        var held = HeldLocks()
        for (id, renewal) in [("a", 4), ("b", 6), ("c", 7)] as [(TaskID, Double)] {
            _ = try held.add(lock(id, renewal, 20))
        }
        func due(_ share: Double) -> Set<TaskID> {
            Set(held.due(.renew, at: moment(4), aheadBy: share).map(\.claim.id))
        }
        #expect(due(0) == ["a"])
        #expect(due(1.0 / 6) == ["a", "b"])
        held.hurry()
        #expect(Set(held.due(.renew, at: .now).map(\.claim.id)) == ["a", "b", "c"])
    }
}
