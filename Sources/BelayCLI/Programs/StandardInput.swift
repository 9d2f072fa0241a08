import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The bytes of stdin as they come, read when they are asked for, on a thread of their own: a read that waits holds nobody
/// up, and what is not asked for stays in the pipe.
final class StandardInput: AsyncSequence, AsyncIteratorProtocol, Sendable {
    private static let reading = DispatchQueue(label: "belay.stdin")
    private static let writing = DispatchQueue(label: "belay.stdout")
    /// How long an end that was asked for may go unnoticed.
    private static let patience: Int32 = 200

    private let isStopped = Mutex(false)

    func makeAsyncIterator() -> StandardInput { self }

    /// Ends the sequence as if there were no more.
    func stop() { isStopped.withLock { $0 = true } }

    /// Some bytes; nil at the end.
    func next() async throws -> [UInt8]? {
        while !Task.isCancelled, !isStopped.withLock({ $0 }) {
            let isReady = await Self.on(Self.reading) {
                var event = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                return poll(&event, 1, Self.patience) != 0
            }
            if isReady {
                return try await Self.on(Self.reading) { Result { try Terminal.readChunk(STDIN_FILENO) } }.get()
            }
        }
        return nil
    }

    /// Writes bytes to stdout, where a slow reader may hold them up.
    static func write(_ bytes: [UInt8]) async { await on(writing) { Terminal.write(bytes, to: STDOUT_FILENO) } }

    private static func on<T: Sendable>(_ queue: DispatchQueue, _ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
    }
}
