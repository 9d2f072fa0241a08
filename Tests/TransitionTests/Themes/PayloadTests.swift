import RedisWire
import Testing

@testable import Belay

/// The bytes that a task is to work on.
@Suite("A payload")
struct PayloadTests {
    @Test("is taken at the limit, and refused with one byte more, without a trace of the batch")
    func payloadLimit() async throws {
        try await TrackerFixture.run(payloadLimit: 1000) { f async throws in
            let fits = Body(bytes: Array(repeating: 7, count: 1000))
            let over = Body(bytes: Array(repeating: 7, count: 1001))
            try await f.enqueue("fits", payload: fits)
            #expect(try await f.record("fits").payload == fits)
            let before = try await f.dump()
            let options = EnqueueOptions(id: "over")
            await #expect {
                try await f.tracker.enqueue([NewTask("k"), NewTask("k", payload: over, options: options)])
            } throws: {
                let error = $0 as? TrackerError
                return error?.code == .tooLarge
                    && error?.message.contains("“over” has 1001 bytes; allowed: 1000") == true
            }
            // A client that does not check is refused by the script.
            let verb = EnqueueTests.verb([EnqueueTests.item("b"), EnqueueTests.item("over", payload: over)])
            await #expect { try await f.send(verb) } throws: {
                let error = $0 as? TrackerError
                return error?.code == .tooLarge
                    && error?.message.contains("“over” has 1001 bytes; allowed: 1000") == true
            }
            #expect(try await f.reply(verb)[1].int == f.now, "the second element of an answer is the time")
            #expect(try await f.dump().changes(since: before) == [])
        }
    }

    @Test(
        "is kept exactly, whatever its size",
        arguments: [0, 1, 63, 64, 65, 128, 129, 192, 193, 255, 256, 257, 4096]
    )
    func payloadSizes(size: Int) async throws {
        try await TrackerFixture.run { f async throws in
            let body = Body(bytes: (0..<size).map { UInt8(truncatingIfNeeded: 255 - $0) }, contentType: "application/x")
            try await f.enqueue("a", payload: body)
            #expect(try await f.record("a").payload == body)
            let dump = try await f.dump()
            #expect(dump.string("b:a")?.count == (size > 256 ? size : nil))
            #expect(dump.record("a")?["P"] == (size > 256 ? "\(size)" : nil))
            #expect(dump.record("a")?["p"] == nil || (1...256).contains(size))
            #expect(try await f.claim("a").payload == body)
        }
    }

    @Test("keeps NUL, line ends and bytes that are no UTF-8")
    func rawBytes() async throws {
        try await TrackerFixture.run { f async throws in
            let bodies = [[0], [0xff, 0xfe], Array("\r\n\n\0$5".utf8), [0xc3], Array(0...255) + [0]].map {
                Body(bytes: $0)
            }
            let outcomes = try await f.tracker.enqueue(bodies.map { NewTask("k", payload: $0) })
            #expect(try await f.tracker.get(outcomes.map(\.id)).map(\.?.payload) == bodies)
            #expect(Set(try await f.tracker.claim(["k"], limit: 10).map(\.payload)) == Set(bodies))
        }
    }
}
