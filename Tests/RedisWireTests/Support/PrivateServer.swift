import Foundation
import RedisWire

/// A redis-server that belongs to one test: in a folder of its own, on a socket and a free port, ended by its pid.
final class PrivateServer: @unchecked Sendable {
    // Unchecked: a test starts, stops and kills its server from one task.

    let directory: URL
    let port: Int
    private let options: [String]
    private var process: Process?

    var socket: String { directory.appendingPathComponent("redis.sock").path }
    var url: String { "redis://127.0.0.1:\(port)" }

    private init(options: [String]) throws {
        directory = URL(fileURLWithPath: "/tmp/redis-wire-\(UInt32.random(in: 0...UInt32.max))", isDirectory: true)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        port = try Self.freePort()
        self.options = options
    }

    /// Runs `body` with a new server.
    static func with<T>(
        _ options: [String] = [],
        prepare: (URL) throws -> Void = { _ in },
        _ body: (PrivateServer) async throws -> T
    ) async throws -> T {
        let server = try PrivateServer(options: options)
        defer { server.remove() }
        try prepare(server.directory)
        try await server.start()
        return try await body(server)
    }

    func configuration(_ change: (inout RedisConfiguration) -> Void = { _ in }) -> RedisConfiguration {
        var configuration = RedisConfiguration(port: port)
        change(&configuration)
        return configuration
    }

    /// Runs `body` with a client of this server and closes the client.
    func withClient<T>(
        _ change: (inout RedisConfiguration) -> Void = { _ in },
        _ body: (RedisClient) async throws -> T
    ) async throws -> T {
        try await RedisClient(configuration: configuration(change)).using(body)
    }

    func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let fixed = [
            "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socket, "--save", "",
            "--appendonly", "no", "--dir", directory.path, "--logfile", "redis.log", "--daemonize", "no",
        ]
        process.arguments = fixed + options.map { $0.replacingOccurrences(of: "DIR", with: directory.path) }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        for _ in 0..<500 where !isListening() {
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func kill() {
        guard let process else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
        try? FileManager.default.removeItem(atPath: socket)
    }

    /// Stops the server's process without ending it.
    func freeze() {
        if let process { Foundation.kill(process.processIdentifier, SIGSTOP) }
    }

    func thaw() {
        if let process { Foundation.kill(process.processIdentifier, SIGCONT) }
    }

    private func remove() {
        kill()
        try? FileManager.default.removeItem(at: directory)
    }

    private func isListening() -> Bool {
        let descriptor = Sockets.tcp()
        defer { close(descriptor) }
        return Sockets.connect(descriptor, port: port)
    }

    private static func freePort() throws -> Int {
        let descriptor = Sockets.tcp()
        defer { close(descriptor) }
        return Sockets.listen(descriptor)
    }
}

/// The few socket calls that the tests need.
enum Sockets {
    #if os(Linux)
        private static let stream = Int32(SOCK_STREAM.rawValue)
    #else
        private static let stream = SOCK_STREAM
    #endif

    static func tcp() -> Int32 { socket(AF_INET, stream, 0) }

    /// Listens on a free port of the loopback interface and answers the port.
    static func listen(_ descriptor: Int32) -> Int {
        withAddress(port: 0) { _ = bind(descriptor, $0, $1) }
        _ = Foundation.listen(descriptor, 64)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func connect(_ descriptor: Int32, port: Int) -> Bool {
        withAddress(port: port) { Foundation.connect(descriptor, $0, $1) } == 0
    }

    private static func withAddress<T>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}

extension RedisClient {
    /// Hands itself to `body`, and is closed however that ends.
    func using<T>(_ body: (RedisClient) async throws -> T) async throws -> T {
        do {
            let result = try await body(self)
            await close()
            return result
        } catch {
            await close()
            throw error
        }
    }
}
