import Foundation
import Synchronization

/// A server that answers whatever the test says: each connection gets `greeting` for its first request (the client's
/// handshake), then `answer` for each further read.
final class FakeServer: Sendable {
    let port: Int
    private let descriptor: Int32
    private let greeting: @Sendable (_ connection: Int) -> String
    private let answer: @Sendable (_ request: [UInt8], _ connection: Int) -> [UInt8]?
    private let accepted = Mutex(0)

    /// How many connections have been accepted.
    var connections: Int { accepted.withLock { $0 } }

    /// - Parameters:
    ///   - greeting: The answer to the handshake of a connection, counted from 1.
    ///   - answer: The bytes to send, or `nil` to close the connection.
    init(
        greeting: @escaping @Sendable (_ connection: Int) -> String = { _ in "+PONG\r\n" },
        answer: @escaping @Sendable (_ request: [UInt8], _ connection: Int) -> [UInt8]?
    ) {
        self.greeting = greeting
        descriptor = Sockets.tcp()
        port = Sockets.listen(descriptor)
        self.answer = answer
        Thread.detachNewThread { [self] in acceptAll() }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    private func acceptAll() {
        while true {
            let connection = accept(descriptor, nil, nil)
            guard connection >= 0 else { return }
            let number = accepted.withLock { count in
                count += 1
                return count
            }
            Thread.detachNewThread { [self] in serve(connection, number) }
        }
    }

    private func serve(_ connection: Int32, _ number: Int) {
        defer { close(connection) }
        var isFirst = true
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            let request = Array(buffer[..<count])
            guard let bytes = isFirst ? Array(greeting(number).utf8) : answer(request, number) else { return }
            isFirst = false
            var sent = 0
            while sent < bytes.count {
                let part = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, noSignal) }
                guard part > 0 else { return }
                sent += part
            }
        }
    }

    #if os(Linux)
        private let noSignal = Int32(MSG_NOSIGNAL)
    #else
        private let noSignal: Int32 = 0
    #endif
}
