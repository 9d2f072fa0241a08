import NIOCore
import Testing

@testable import RedisWire

@Suite("The state of a cluster")
struct ClusterStateTests {
    typealias Endpoint = RedisConfiguration.Endpoint

    private static let a = Endpoint.tcp(host: "a", port: 1)
    private static let b = Endpoint.tcp(host: "b", port: 1)
    private static let c = Endpoint.tcp(host: "c", port: 1)
    private let slot = HashSlot(key: "key")
    private let failure = RedisError(code: .connectionFailed, outcome: .notSent, message: "refused")
    private var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var state = ClusterState<Int>()

    private func map(_ owner: Endpoint) -> SlotMap {
        var map = SlotMap()
        map.setOwner(owner, of: slot)
        return map
    }

    /// A state whose map is known, and whose pause is over.
    private mutating func learn(_ owner: Endpoint) {
        _ = state.wantRefresh(now: now)
        _ = state.refreshed(map(owner), now: now)
        now = now + .seconds(1)
    }

    @Test("asks once for any number of calls without a map, and lets all of them go on")
    mutating func firstMap() {
        let first = state.wait(id: 1, 1, isCancelled: false, now: now)
        #expect(first.refresh)
        let second = state.wait(id: 2, 2, isCancelled: false, now: now)
        #expect(!second.refresh && second.resumed.isEmpty)
        let actions = state.refreshed(map(Self.a), now: now)
        #expect(Set(actions.resumed.map(\.0)) == [1, 2])
        #expect(actions.resumed.allSatisfy { $0.1 == nil })
        #expect(state.wait(id: 3, 3, isCancelled: false, now: now).resumed.count == 1)
    }

    @Test("tells calls that wait why there is no map")
    mutating func noMap() {
        _ = state.wait(id: 1, 1, isCancelled: false, now: now)
        let actions = state.refreshFailed(failure, now: now)
        #expect(actions.resumed.map(\.1?.code) == [.connectionFailed])
        #expect(!actions.hasNewMap)
        _ = state.wait(id: 2, 2, isCancelled: false, now: now)
        #expect(state.expire(id: 2).resumed.map(\.1?.code) == [.connectionFailed])
    }

    @Test("lets a waiting call go when it is cancelled or late, and only once")
    mutating func leaving() {
        _ = state.wait(id: 1, 1, isCancelled: false, now: now)
        _ = state.wait(id: 2, 2, isCancelled: false, now: now)
        #expect(state.wait(id: 3, 3, isCancelled: true, now: now).resumed.map(\.1?.code) == [.cancelled])
        #expect(state.cancel(id: 1).resumed.map(\.1?.code) == [.cancelled])
        #expect(state.expire(id: 2).resumed.map(\.1?.code) == [.timedOut])
        #expect(state.cancel(id: 2).resumed.isEmpty)
        #expect(state.refreshed(map(Self.a), now: now).resumed.isEmpty)
    }

    @Test("asks again after a pause, one question at a time")
    mutating func pacing() {
        #expect(state.wantRefresh(now: now).refresh)
        #expect(!state.wantRefresh(now: now).refresh)
        // What came up meanwhile leads to one more question, after the pause.
        let ended = state.refreshed(map(Self.a), now: now)
        #expect(!ended.refresh)
        #expect(ended.timer == now + ClusterState<Int>.pause)
        #expect(state.wantRefresh(now: now).timer == nil)
        #expect(!state.refreshDue(now: now).refresh)
        now = now + ClusterState<Int>.pause
        #expect(state.refreshDue(now: now).refresh)
        #expect(!state.refreshDue(now: now).refresh)
        #expect(state.refreshed(map(Self.a), now: now).timer == nil)
    }

    @Test("believes a redirection at once, and asks the node that it names first")
    mutating func moved() {
        learn(Self.a)
        let actions = state.moved(slot, to: Self.b, now: now)
        #expect(actions.refresh && actions.hasNewMap)
        #expect(state.map[slot] == Self.b)
        #expect(state.candidates(seeds: [Self.c], turn: 0) == [Self.b, Self.a, Self.c])
        #expect(!state.moved(slot, to: Self.b, now: now).hasNewMap)
    }

    @Test("asks a node that failed last")
    mutating func suspects() {
        learn(Self.a)
        #expect(state.failed(Self.a, now: now).refresh)
        #expect(state.candidates(seeds: [Self.a, Self.b, Self.b], turn: 5) == [Self.b, Self.a])
    }

    @Test("refuses everything once it has ended")
    mutating func ending() {
        _ = state.wait(id: 1, 1, isCancelled: false, now: now)
        let closed = RedisError.closed("closed", endpoint: "e")
        #expect(state.shutDown(closed).resumed.map(\.1?.code) == [.closed])
        #expect(state.wait(id: 2, 2, isCancelled: false, now: now).resumed.map(\.1?.code) == [.closed])
        #expect(!state.wantRefresh(now: now).refresh)
        #expect(state.refreshed(map(Self.a), now: now).resumed.isEmpty)
        #expect(state.moved(slot, to: Self.b, now: now).hasNewMap == false)
    }
}
