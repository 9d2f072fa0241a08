import RedisWire
import Testing

@testable import Belay

/// What is told at once to the worker that holds a task.
@Suite("A holder")
struct WakeTests {
    enum Taking: String, CaseIterable, CustomStringConvertible {
        case cancel, delete, undefine, retry
        var description: String { rawValue }
    }

    @Test(
        "hears on its wake channel that it is to stop, or that its task was taken",
        .timeLimit(.minutes(1)),
        arguments: Taking.allCases,
        [Place.running, .held]
    )
    func hears(taking: Taking, place: Place) async throws {
        try await TrackerFixture.run { f async throws in
            try await f.enqueue("other")
            try await f.bring("a", to: place)
            let channel = f.keyspace.wakeChannel(f.worker)
            let subscription = f.redis.subscribe(to: [channel], routedBy: f.keyspace.header)
            for await event in subscription {
                switch event {
                case .subscribed:
                    switch taking {
                    case .cancel: #expect(try await f.tracker.cancel(["a"]) == [.requested])
                    case .delete: #expect(try await f.tracker.delete(["a"], force: true) == [.deleted])
                    case .undefine: #expect(try await f.tracker.undefine("k", force: true) == .removed(tasks: 2))
                    case .retry: #expect(try await f.tracker.retry(["a"], force: true) == [.ready])
                    }
                case .message(let from, let payload):
                    #expect(from == channel)
                    #expect(payload == Array("cancel".utf8))
                    return
                }
            }
        }
    }
}
