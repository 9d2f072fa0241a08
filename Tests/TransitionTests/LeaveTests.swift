import Testing

@testable import Belay

@Suite("leave")
struct LeaveTests {
    @Test("takes a worker out of the lines of some kinds, and leaves the others")
    func leaves() async throws {
        try await TrackerFixture.run(kinds: ["k", "l"]) { f async throws in
            for worker in ["a", "b"] {
                let name = WorkerName(trusted: worker)
                var claim = ClaimMany(token: worker, worker: name, count: 1, kinds: ["k", "l"])
                claim.wait = .seconds(1)
                try await f.send(claim)
            }
            let leave = Leave(worker: WorkerName(trusted: "a"), kinds: ["k"])
            let events = try await f.events { try await f.twice(leave) }
            #expect(events == [])
            let dump = try await f.dump()
            #expect(dump.index("i:k").keys.sorted() == ["b"])
            #expect(dump.index("i:l").keys.sorted() == ["a", "b"])
        }
    }
}
