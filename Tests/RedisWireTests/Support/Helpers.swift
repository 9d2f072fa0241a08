import Foundation
import RedisWire
import Synchronization
import Testing

/// Random numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// The error of a call that must fail.
func failure(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> some Any
) async throws -> RedisError {
    do {
        let value = try await body()
        Issue.record("succeeded with \(value)", sourceLocation: sourceLocation)
        throw CancellationError()
    } catch let error as RedisError {
        return error
    }
}

/// Waits until something holds, at most five seconds.
func eventually(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    for _ in 0..<500 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("did not come true within 5 s", sourceLocation: sourceLocation)
}

extension RedisArguments {
    init(_ strings: String...) {
        self.init()
        for string in strings { append(string) }
    }
}

extension RedisError {
    /// The outcome of a call that failed because of the server's state, for tests of retries.
    var isUnderstood: Bool {
        [.connectionFailed, .connectionClosed, .timedOut].contains(code) || (code == .server && serverError != nil)
    }
}

/// A value that several tasks of a test share.
final class Locked<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { mutex.withLock { body(&$0) } }
}
