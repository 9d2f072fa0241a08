import BelayTestKit
import Foundation
import RedisWire
import Synchronization

/// Stands between clients and a server, and loses replies on request: the server has done what was asked, and the client finds
/// its connection closed instead of an answer.
final class LossyProxy: Sendable {
    private let listener = Sockets.tcp()
    private let target: Int
    private let state = Mutex(State())

    private struct State {
        /// What a call must contain whose reply is to be lost, and how many such calls come before it.
        var plan: (text: [UInt8], before: Int)?
        var lost = 0
    }

    /// How many replies were lost.
    var lost: Int { state.withLock { $0.lost } }

    /// Where clients connect.
    let url: String

    private init(_ server: PrivateRedisServer) throws {
        guard let target = server.port, let port = Sockets.listen(listener) else { throw POSIXError(.EADDRNOTAVAIL) }
        self.target = target
        url = "redis://127.0.0.1:\(port)"
        Thread.detachNewThread { [self] in acceptAll() }
    }

    /// Runs `body` with a proxy in front of a server that listens on a port.
    static func with(_ server: PrivateRedisServer, _ body: (LossyProxy) async throws -> Void) async throws {
        let proxy = try LossyProxy(server)
        defer {
            shutdown(proxy.listener, Int32(SHUT_RDWR))
            close(proxy.listener)
        }
        try await body(proxy)
    }

    /// Loses the reply to a coming call of a script that the server knows.
    /// - Parameter before: So many of its calls are answered before.
    func loseReply(to script: RedisScript, before: Int = 0) {
        state.withLock { $0.plan = (Array(script.sha1.utf8), before) }
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            Thread.detachNewThread { [self] in serve(client) }
        }
    }

    /// Hands bytes on in both directions until one side closes or a reply is lost.
    private func serve(_ client: Int32) {
        let server = Sockets.tcp()
        defer {
            close(client)
            close(server)
        }
        guard Sockets.connect(server, port: target) else { return }
        var sides = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var isLost = false
        while poll(&sides, 2, -1) > 0 {
            if sides[0].revents != 0 {
                guard let bytes = Sockets.receive(client) else { return }
                if isPlanned(bytes) { isLost = true }
                guard Sockets.send(bytes, to: server) else { return }
            }
            if sides[1].revents != 0 {
                guard let bytes = Sockets.receive(server) else { return }
                if isLost {
                    state.withLock { $0.lost += 1 }
                    return
                }
                guard Sockets.send(bytes, to: client) else { return }
            }
        }
    }

    /// Whether the reply to this call is to be lost.
    private func isPlanned(_ bytes: [UInt8]) -> Bool {
        state.withLock { state in
            guard let (text, before) = state.plan, bytes.firstRange(of: text) != nil else { return false }
            state.plan = before > 0 ? (text, before - 1) : nil
            return before == 0
        }
    }
}

/// The system's calls, as far as the proxy needs them.
private enum Sockets {
    #if os(Linux)
        private static let stream = Int32(SOCK_STREAM.rawValue)
        private static let noSignal = Int32(MSG_NOSIGNAL)
    #else
        private static let stream = SOCK_STREAM
        private static let noSignal: Int32 = 0
    #endif

    static func tcp() -> Int32 { socket(AF_INET, stream, 0) }

    /// Listens on a free port of 127.0.0.1, and answers which.
    static func listen(_ descriptor: Int32) -> Int? {
        guard withLoopback(port: 0, { bind(descriptor, $0, $1) }) == 0, Foundation.listen(descriptor, 64) == 0 else {
            return nil
        }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return named == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    static func connect(_ descriptor: Int32, port: Int) -> Bool {
        withLoopback(port: port) { Foundation.connect(descriptor, $0, $1) } == 0
    }

    /// What has come; nil when the other side has closed.
    static func receive(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    static func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let part = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, noSignal)
            }
            guard part > 0 else { return false }
            sent += part
        }
        return true
    }

    private static func withLoopback<T>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
