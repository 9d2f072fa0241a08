#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where a private server listens, and the few bytes of protocol that tell whether it is there.
enum Endpoint: Sendable {
    case unix(path: String)
    case port(UInt16)

    enum Answer { case ready, loading, silent }

    #if canImport(Glibc)
        static let stream = Int32(SOCK_STREAM.rawValue)
        static let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
        static let noSignal = Int32(MSG_NOSIGNAL)
    #elseif canImport(Musl)
        static let stream = SOCK_STREAM
        static let closeOnExec = SOCK_CLOEXEC
        static let noSignal = Int32(MSG_NOSIGNAL)
    #else
        static let stream = SOCK_STREAM
        static let noSignal: Int32 = 0
    #endif

    func url(password: String?) -> String {
        let user = password.map { ":\(Self.percentEncoded($0))@" } ?? ""
        return switch self {
        case .unix(let path): "unix://\(user)\(Self.percentEncoded(path, keeping: "/"))"
        case .port(let port): "redis://\(user)127.0.0.1:\(port)"
        }
    }

    private static func percentEncoded(_ text: String, keeping more: String = "") -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~\(more)".utf8)
        return text.utf8.reduce(into: "") { encoded, byte in
            let digits = String(byte, radix: 16, uppercase: true)
            encoded += plain.contains(byte) ? String(UnicodeScalar(byte)) : byte < 16 ? "%0\(digits)" : "%\(digits)"
        }
    }

    /// A port of 127.0.0.1 that was free a moment ago; for a cluster's node below 32,768, where no outgoing connection
    /// takes it, and with a free port 10,000 above for its bus.
    static func freePort(forCluster: Bool = false) throws -> UInt16 {
        while true {
            let wanted: UInt16 = forCluster ? .random(in: 10_000..<22_000) : 0
            if forCluster, !isFree(wanted + 10_000) { continue }
            let descriptor = socket(AF_INET, stream, 0)
            guard descriptor >= 0 else { throw PrivateRedisServerError.system("socket") }
            defer { close(descriptor) }
            let bound = withLoopbackAddress(port: wanted) { bind(descriptor, $0, $1) }
            if bound != 0, wanted != 0 { continue }
            guard bound == 0 else { throw PrivateRedisServerError.system("bind 127.0.0.1") }
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let named = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            guard named == 0 else { throw PrivateRedisServerError.system("getsockname") }
            let port = UInt16(bigEndian: address.sin_port)
            if port != 6379 { return port }
        }
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withLoopbackAddress(port: port) { bind(descriptor, $0, $1) } == 0
    }

    /// Asks whether the server with this process id answers here. Takes at most 50 ms.
    ///
    /// The process id is compared because a port may meanwhile belong to somebody else's server.
    func probe(process: pid_t, password: String?) -> Answer {
        var request = ""
        for words in [password.map { ["AUTH", $0] }, ["PING"], ["INFO", "server"]].compactMap({ $0 }) {
            request += "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        }
        let reply = exchange(Array(request.utf8), until: "\r\nprocess_id:\(process)\r\n")
        guard reply.contains("\r\nprocess_id:\(process)\r\n") else { return .silent }
        return reply.contains("+PONG\r\n") ? .ready : .loading
    }

    private func exchange(_ request: [UInt8], until end: String) -> String {
        let descriptor = socket(isUnix ? AF_UNIX : AF_INET, Self.stream, 0)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        let connected = withAddress { connect(descriptor, $0, $1) }
        guard connected == 0 || errno == EINPROGRESS else { return "" }
        let deadline = ContinuousClock.now + .milliseconds(50)
        guard Self.wait(for: POLLOUT, on: descriptor, until: deadline) else { return "" }
        guard send(descriptor, request, request.count, Self.noSignal) == request.count else { return "" }

        var reply: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        while Self.wait(for: POLLIN, on: descriptor, until: deadline) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            reply += buffer[..<count]
            if String(decoding: reply, as: UTF8.self).contains(end) { break }
        }
        return String(decoding: reply, as: UTF8.self)
    }

    private static func wait(for event: Int32, on descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        let left = (deadline - .now) / .milliseconds(1)
        guard left > 0 else { return false }
        var request = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        return poll(&request, 1, Int32(left.rounded(.up))) == 1 && Int32(request.revents) & event != 0
    }

    private var isUnix: Bool { if case .unix = self { true } else { false } }

    private func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        switch self {
        case .port(let port): return Self.withLoopbackAddress(port: port, body)
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
    }

    private static func withLoopbackAddress(
        port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
