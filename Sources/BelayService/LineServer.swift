import Synchronization

/// Answers JSON lines: one request a line, answers as they are ready, told apart by their ids.
///
/// `{"id": 1, "verb": "get", "namespace": "media", "request": {…}}` is answered with `{"id": 1, "result": {…}}` or
/// `{"id": 1, "problem": {…}}`. Requests run beside each other: who needs an order waits for the answer before. A line that
/// cannot be read is answered with the id null and ends nothing.
public struct LineServer: Sendable {
    private let dispatcher: Dispatcher
    private let inFlight: Int

    /// A server.
    /// - Parameters:
    ///   - dispatcher: What answers; its request limit is the longest line.
    ///   - inFlight: How many requests may wait for their answers; then no line is read until one is written.
    public init(_ dispatcher: Dispatcher, inFlight: Int = 256) {
        self.dispatcher = dispatcher
        self.inFlight = max(1, inFlight)
    }

    /// Serves until the input ends and everything is answered.
    /// - Parameters:
    ///   - input: Bytes in pieces of any length.
    ///   - write: Writes one line with its line feed; called for one line at a time.
    /// - Throws: What reading or writing throws.
    public func run<Input: AsyncSequence & Sendable>(
        _ input: Input,
        write: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws where Input.Element == [UInt8] {
        let permits = Permits(inFlight)
        let (answers, output) = AsyncStream<[UInt8]>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Whoever waits for a permit must not wait for a writer that is gone.
                defer { permits.close() }
                for await line in answers {
                    try await write(line)
                    permits.give()
                }
            }
            group.addTask {
                defer { output.finish() }
                try await read(input, permits, output)
            }
            while try await group.next() != nil {}
        }
    }

    private func read<Input: AsyncSequence & Sendable>(
        _ input: Input,
        _ permits: Permits,
        _ output: AsyncStream<[UInt8]>.Continuation
    ) async throws where Input.Element == [UInt8] {
        try await withThrowingDiscardingTaskGroup { group in
            var splitter = LineSplitter(limit: dispatcher.requestLimit)
            func serve(_ line: LineSplitter.Line) async -> Bool {
                guard !line.isBlank else { return true }
                guard await permits.take() else { return false }
                group.addTask { output.yield(await answer(line)) }
                return true
            }
            for try await piece in input {
                for line in splitter.add(piece) {
                    guard await serve(line) else { return }
                }
            }
            if let last = splitter.rest() { _ = await serve(last) }
        }
    }

    /// The answer to one line, as a line.
    func answer(_ line: LineSplitter.Line) async -> [UInt8] {
        var id = JSONValue.null
        var bytes: [UInt8] = []
        func begin(_ name: String) {
            bytes += "{\"id\":".utf8
            id.write(into: &bytes)
            bytes += ",\"\(name)\":".utf8
        }
        do throws(Problem) {
            guard case .whole(let text) = line else { throw dispatcher.tooLarge() }
            let json = try Dispatcher.parse(text, "the line")
            id = Self.id(json["id"]) ?? .null
            let call: LineCall
            do { call = try StrictDecoder.decode(LineCall.self, from: json) } catch { throw Problem(error) }
            guard id != .null else {
                throw Problem(.malformedRequest, "id must be text or a whole number of 64 bits", field: "id")
            }
            let result = try await dispatcher.call(
                call.verb,
                namespace: call.namespace,
                request: call.request ?? .object([])
            )
            begin("result")
            bytes += result
        } catch {
            begin("problem")
            error.json.write(into: &bytes)
        }
        bytes += "}\n".utf8
        return bytes
    }

    private static func id(_ json: JSONValue?) -> JSONValue? {
        switch json {
        case .string(let text)?: .string(text)
        case .number(let text)? where Int(text) != nil: .number(text)
        default: nil
        }
    }
}

/// A request as a line.
struct LineCall: Documented {
    var id: JSONValue
    var verb: String
    var namespace: String?
    var request: JSONValue?

    static let docs = [
        "id": "Text or a whole number; comes back with the answer.", "verb": "The verb.",
        "namespace": "The tracker; the service's first unless said otherwise.", "request": "What the verb takes.",
    ]
}

/// Cuts bytes into lines, and drops what is too long while it arrives.
struct LineSplitter {
    enum Line: Sendable, Hashable {
        case whole([UInt8])
        case tooLong

        var isBlank: Bool {
            guard case .whole(let bytes) = self else { return false }
            return bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
        }
    }

    let limit: Int
    private var line: [UInt8] = []
    private var isTooLong = false

    init(limit: Int) { self.limit = limit }

    mutating func add(_ piece: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var rest = piece[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            keep(rest[..<end])
            rest = rest[(end + 1)...]
            if let line = self.rest() { lines.append(line) }
        }
        keep(rest)
        return lines
    }

    /// What has no line feed behind it.
    mutating func rest() -> Line? {
        defer { (line, isTooLong) = ([], false) }
        return isTooLong ? .tooLong : line.isEmpty ? nil : .whole(line)
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        isTooLong = isTooLong || line.count + bytes.count > limit
        if isTooLong { line = [] } else { line += bytes }
    }
}

/// So many at once; one waits at a time.
private final class Permits: Sendable {
    private struct State {
        var free: Int
        var isClosed = false
        var waiting: CheckedContinuation<Bool, Never>?
    }
    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    /// Takes one, waiting for it; false when there will be none.
    func take() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isClosed { return false }
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    func give() {
        let waiting = state.withLock { state in
            if state.waiting == nil { state.free += 1 }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: true)
    }

    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: false)
    }
}
