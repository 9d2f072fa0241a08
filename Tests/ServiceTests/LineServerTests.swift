import Belay
import BelayTestKit
import Synchronization
import Testing

@testable import BelayService

@Suite("JSON lines")
struct LineServerTests {
    /// Serves pieces of input and returns the lines of output.
    private func lines(_ service: Dispatcher, inFlight: Int = 256, _ pieces: [[UInt8]]) async throws -> [JSONValue] {
        let output = Mutex<[UInt8]>([])
        let input = AsyncStream { continuation in
            for piece in pieces { continuation.yield(piece) }
            continuation.finish()
        }
        try await LineServer(service, inFlight: inFlight).run(input) { line in output.withLock { $0 += line } }
        return try output.withLock { $0 }.split(separator: UInt8(ascii: "\n")).map { try JSONParser.parse(Array($0)) }
    }

    private func bytes(_ lines: String...) -> [[UInt8]] { [Array((lines.joined(separator: "\n") + "\n").utf8)] }

    @Test("answers a thousand requests at once, each by its id, also cut anywhere and with few in flight")
    func thousand() async throws {
        try await withRedisTracker { tracker in
            let service = try Dispatcher(tracker)
            try await service.call("define", #"{"kind":"k"}"#)
            let text = (0..<1000).map { number in
                #"{"id":\#(number),"verb":"enqueue","request":{"tasks":[{"kind":"k","id":"t\#(number)"}]}}"# + "\n"
            }.joined()
            let all = Array(text.utf8)
            let pieces = stride(from: 0, to: all.count, by: 777).map { Array(all[$0..<min($0 + 777, all.count)]) }
            let answers = try await lines(service, pieces)
            #expect(Set(answers.compactMap { $0["id"]?.int }) == Set(0..<1000))
            for answer in answers {
                let id = try #require(answer["id"]?.int)
                #expect(answer.at("result.tasks.0.id") == .string("t\(id)"))
                #expect(answer.at("result.tasks.0.outcome") == "created")
            }
            let again = try await lines(service, inFlight: 3, pieces)
            #expect(again.count == 1000)
            #expect(again.allSatisfy { $0.at("result.tasks.0.outcome") == "duplicate" })
        }
    }

    @Test("answers bad lines and goes on")
    func bad() async throws {
        try await withService { service, _ in
            let input = bytes(
                "",
                "   ",
                "nonsense",
                "[1]",
                #"{"verb":"stats"}"#,
                #"{"id":1.5,"verb":"stats"}"#,
                #"{"id":"a","verb":"nope"}"#,
                #"{"id":"b","verb":"stats","extra":1}"#,
                #"{"id":"c"}"#,
                #"{"id":9223372036854775807,"verb":"stats"}"#,
                #"{"id":"d","verb":"stats","namespace":"other"}"#,
                #"{"id":"e","verb":"get","request":{"tasks":1}}"#,
                #"{"id":"f","verb":"stats","request":null}"# + "\r"
            )
            let answers = try await lines(service, input)
            #expect(answers.count == 11)
            func code(_ id: JSONValue) -> [String] {
                answers.filter { $0["id"] == id }.map { $0.at("problem.code")?.string ?? "result" }
            }
            #expect(code(.null).sorted() == Array(repeating: "malformedRequest", count: 4))
            #expect(code("a") == ["unknownVerb"])
            #expect(code("b") == ["unknownField"])
            #expect(code("c") == ["malformedRequest"])
            #expect(code(.number("9223372036854775807")) == ["result"])
            #expect(code("d") == ["unknownNamespace"])
            #expect(code("e") == ["malformedRequest"])
            #expect(code("f") == ["result"])
        }
    }

    @Test("drops a line that is too long while it arrives, and takes a last line without a line feed")
    func long() async throws {
        try await withInMemoryTracker { tracker, _ in
            let service = try Dispatcher(tracker, requestLimit: 64)
            let tooLong = Array(repeating: UInt8(ascii: "x"), count: 40)
            let answers = try await lines(
                service,
                [tooLong, tooLong, Array("\n{\"id\":1,\"ve".utf8), Array("rb\":\"stats\"}".utf8)]
            )
            #expect(answers.map { $0["id"] } == [.null, 1] || answers.map { $0["id"] } == [1, .null])
            #expect(answers.contains { $0.at("problem.code") == "requestTooLarge" })
            #expect(answers.contains { $0.at("result.workers") != nil })
        }
    }

    @Test("ends with the error of its output, though the input goes on")
    func brokenPipe() async throws {
        struct Broken: Error {}
        try await withService { service, _ in
            let (input, source) = AsyncStream<[UInt8]>.makeStream()
            source.yield(Array("{\"id\":1,\"verb\":\"stats\"}\n{\"id\":2,\"verb\":\"stats\"}\n".utf8))
            await #expect(throws: Broken.self) {
                try await LineServer(service, inFlight: 1).run(input) { _ in throw Broken() }
            }
        }
    }
}
