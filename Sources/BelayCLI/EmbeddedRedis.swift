#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Subprocess

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The Redis that `belay` uses when `REDIS_URL` names none: a private `redis-server` of this user on this host.
///
/// It listens on a unix socket only, appends every write to a file that is synchronised once a second, never evicts, and
/// stays when the command that started it ends, so that later commands find their tasks. Everything lies in one folder
/// of mode 0700: `$BELAY_STATE_DIR/redis`, else `$XDG_STATE_HOME/belay/redis`, else `~/.local/state/belay/redis`. Only
/// the socket moves to a shorter place (`$XDG_RUNTIME_DIR/belay` or `/tmp/belay-<uid>`) when its path would be too long
/// for a socket.
///
/// One lock file decides who starts or stops the server; the server itself, asked over its socket, says which process it
/// is. A process id from a file is trusted only when that process is a redis-server that works in this very folder.
/// The folder must not be shared by hosts (a home directory on NFS): set `BELAY_STATE_DIR` to a local one then.
struct EmbeddedRedis: Sendable {
    /// What the socket says about the server.
    enum Status: Sendable, Equatable {
        /// Nobody listens.
        case stopped
        /// It reads its append-only file; commands are refused for a while.
        case loading(processID: Int32?)
        /// It answers.
        case running(processID: Int32?)
        /// Somebody holds the socket open and does not answer.
        case silent
    }

    /// Data, log, process id and lock of the server.
    let folder: String
    /// The unix socket on which the server listens.
    let socketPath: String
    /// Where clients connect: `unix:///…`.
    var url: String { "unix://" + Self.percentEncoded(socketPath) }
    /// The server's log file.
    var logPath: String { folder + "/redis.log" }
    /// Whether the server runs (answering, or still loading its data).
    var isRunning: Bool {
        switch status() {
        case .running, .loading: true
        case .stopped, .silent: false
        }
    }

    private var pidPath: String { folder + "/redis.pid" }
    private var socketFolder: String { String(socketPath[..<(socketPath.lastIndex(of: "/") ?? socketPath.endIndex)]) }

    /// Finds the places from the environment; touches nothing.
    ///
    /// - Throws: ``EmbeddedRedisError`` when there is neither a state folder nor a home directory.
    init(environment: [String: String]) throws {
        func absolute(_ name: String) -> String? {
            guard let value = environment[name], value.hasPrefix("/") else { return nil }
            return value.count > 1 && value.hasSuffix("/") ? String(value.dropLast()) : value
        }
        if let given = environment["BELAY_STATE_DIR"], !given.isEmpty {
            guard let state = absolute("BELAY_STATE_DIR") else {
                throw EmbeddedRedisError(
                    .folderUnusable,
                    "BELAY_STATE_DIR is '\(given)', which is not an absolute path.",
                    hint: "Give a path that begins with '/'."
                )
            }
            folder = state + "/redis"
        } else if let state = absolute("XDG_STATE_HOME") {
            folder = state + "/belay/redis"
        } else if let home = absolute("HOME") ?? Self.homeOfUser() {
            folder = home + "/.local/state/belay/redis"
        } else {
            throw EmbeddedRedisError(
                .folderUnusable,
                "There is no home directory for the data of the embedded Redis.",
                hint: "Set BELAY_STATE_DIR to a folder, or REDIS_URL to a server that runs already."
            )
        }
        socketPath = Self.socketPath(folder: folder, runtimeFolder: absolute("XDG_RUNTIME_DIR"))
    }
}

// MARK: - Start, stop, status

extension EmbeddedRedis {
    /// Returns the URL of the server, after starting it if it does not run and waiting while it loads its data.
    ///
    /// - Throws: ``EmbeddedRedisError``; ``EmbeddedRedisError/Code/serverMissing`` when `redis-server` is not installed.
    func ensureRunning() async throws -> String {
        if case .running = probe() { return url }
        try Self.makePrivateFolder(folder)
        if socketFolder != folder { try Self.makePrivateFolder(socketFolder) }
        try await withLock {
            if try await waitForAnswer(startedNow: false) { return }
            try await launch()
            guard try await waitForAnswer(startedNow: true) else {
                throw EmbeddedRedisError.startFailed("redis-server ended as soon as it was started.", log: logTail())
            }
        }
        return url
    }

    /// Ends the server in good order and waits until it is gone; its data stays. Returns false when it did not run.
    ///
    /// - Throws: ``EmbeddedRedisError`` when the process is not certainly ours, or does not end within 30 s.
    func stop() async throws -> Bool {
        guard Self.isPrivateFolder(folder) else { return false }
        return try await withLock {
            guard let process = try runningProcess() else {
                unlink(pidPath)
                return false
            }
            guard kill(process, SIGTERM) == 0 || errno == ESRCH else {
                throw EmbeddedRedisError.notOurs(process, folder: folder)
            }
            kill(process, SIGCONT)  // a paused process acts on SIGTERM only when it goes on
            let deadline = ContinuousClock.now + .seconds(30)
            while Self.isAlive(process) {
                guard ContinuousClock.now < deadline else {
                    throw EmbeddedRedisError(
                        .notAnswering,
                        "redis-server (process \(process)) did not end within 30 s of SIGTERM.",
                        hint: "Its log \(logPath) says what it is doing."
                    )
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            unlink(pidPath)
            return true
        }
    }

    /// Asks the server how it is; takes at most 2 s, and that only when somebody holds the socket and is silent.
    func status() -> Status {
        for _ in 0..<20 {
            let status = probe()
            if status != .silent { return status }
        }
        return .silent
    }

    /// Waits until the server answers. Returns false when there is none (any more), so that one can be started.
    private func waitForAnswer(startedNow: Bool) async throws -> Bool {
        var deadline = ContinuousClock.now + .seconds(10)
        while true {
            switch probe() {
            case .running: return true
            case .loading: deadline = .now + .seconds(10)
            case .silent: break
            case .stopped:
                // No socket: about to listen, about to end, or not there at all.
                let process = readProcessID()
                let isComing = process.map { isOurServer($0) } ?? startedNow
                if !isComing { return false }
            }
            guard ContinuousClock.now < deadline else {
                throw EmbeddedRedisError(
                    .notAnswering,
                    "The embedded Redis in \(folder) did not answer for 10 s. Its log ends:\n\(logTail())",
                    hint: "End it with 'belay dev --stop', or set REDIS_URL to another server."
                )
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private func launch() async throws {
        unlink(pidPath)
        unlink(socketPath)
        let arguments = [
            "--daemonize", "yes", "--supervised", "no", "--pidfile", pidPath, "--logfile", logPath, "--dir", folder,
            "--port", "0", "--unixsocket", socketPath, "--unixsocketperm", "700", "--save", "",
            "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
        ]
        do {
            let result = try await run(
                .name("redis-server"),
                arguments: Arguments(arguments),
                output: .string(limit: 1 << 16),
                error: .string(limit: 1 << 16)
            )
            guard result.terminationStatus.isSuccess else {
                let said = result.standardOutput + result.standardError
                throw EmbeddedRedisError.startFailed("redis-server: \(result.terminationStatus).", log: said)
            }
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw EmbeddedRedisError.serverMissing
        }
    }

    /// The process to end: named by the server itself, or by its file when it does not answer; nil when none runs.
    private func runningProcess() throws -> Int32? {
        let status = status()
        let named: Int32? =
            switch status {
            case .running(let process), .loading(let process): process ?? readProcessID()
            case .silent, .stopped: readProcessID()
            }
        if let named, isOurServer(named) { return named }
        // Not listening: the file is an old one, and its number belongs to nobody, or to somebody else by now.
        guard status == .stopped else { throw EmbeddedRedisError.notOurs(named, folder: folder) }
        return nil
    }
}

// MARK: - Socket

extension EmbeddedRedis {
    /// One question over the socket; at most 100 ms.
    private func probe() -> Status {
        // Never talk to a server in a folder that somebody else could have made.
        guard Self.isPrivateFolder(socketFolder) else { return .stopped }
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return .silent }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        guard connectToSocket(descriptor) else {
            // EAGAIN: listening, but too busy to accept.
            return errno == EAGAIN ? .silent : .stopped
        }
        let request = Array("PING\r\nINFO server\r\n".utf8)
        #if canImport(Darwin)
            var yes: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
            let flags: Int32 = 0
        #else
            let flags = Int32(MSG_NOSIGNAL)
        #endif
        guard send(descriptor, request, request.count, flags) == request.count else { return .silent }

        var reply: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        let deadline = ContinuousClock.now + .milliseconds(100)
        while true {
            let left = Int32(((deadline - .now) / .milliseconds(1)).rounded(.up))
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&event, 1, left) == 1 else { break }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            reply += buffer[..<count]
            if let status = Self.status(in: String(decoding: reply, as: UTF8.self)) { return status }
        }
        return .silent
    }

    /// Reads the replies to PING and INFO; nil while they are not complete.
    ///
    /// INFO is answered while the data is loaded, too; a server that runs a long script refuses both (`-BUSY`).
    static func status(in reply: String) -> Status? {
        let lines = reply.split(separator: "\r\n", omittingEmptySubsequences: false)
        guard lines.count > 2, let first = lines.first else { return nil }
        let isRefused = lines[1].hasPrefix("-")
        let field = lines.dropLast().first { $0.hasPrefix("process_id:") }
        guard isRefused || field != nil else { return nil }
        let process = field.flatMap { Int32($0.dropFirst("process_id:".count)) }
        return first.hasPrefix("-LOADING") ? .loading(processID: process) : .running(processID: process)
    }

    private func connectToSocket(_ descriptor: Int32) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isLong = withUnsafeMutableBytes(of: &address.sun_path) { space in
            guard socketPath.utf8.count < space.count else { return true }
            space.copyBytes(from: socketPath.utf8)
            return false
        }
        guard !isLong else { return false }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}

// MARK: - Files and processes

extension EmbeddedRedis {
    /// Runs `body` while no other process does so for this folder. The kernel frees the lock of a process that dies.
    private func withLock<Value>(_ body: () async throws -> Value) async throws -> Value {
        let descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw EmbeddedRedisError.folder(folder, "cannot create the lock file") }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw EmbeddedRedisError.folder(folder, "cannot lock the lock file")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        return try await body()
    }

    private func readProcessID() -> Int32? {
        guard let data = FileManager.default.contents(atPath: pidPath) else { return nil }
        let digits = data.prefix { (0x30...0x39).contains($0) }
        return Int32(String(decoding: digits, as: UTF8.self)).flatMap { $0 > 1 ? $0 : nil }
    }

    /// Whether this process is a redis-server that works in our folder.
    private func isOurServer(_ process: Int32) -> Bool {
        guard Self.isAlive(process) else { return false }
        #if os(Linux)
            guard let name = FileManager.default.contents(atPath: "/proc/\(process)/comm"),
                String(decoding: name, as: UTF8.self).hasPrefix("redis-server"),
                let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd"),
                let resolved = realpath(folder, nil)
            else { return false }
            defer { free(resolved) }
            return place == String(cString: resolved)
        #else
            // No /proc: only the server's own word, over the socket in our folder, counts.
            switch probe() {
            case .running(let named), .loading(let named): return named == process
            case .silent, .stopped: return false
            }
        #endif
    }

    private static func isAlive(_ process: Int32) -> Bool {
        guard kill(process, 0) == 0 || errno == EPERM else { return false }
        #if os(Linux)
            // A process that ended stays as a zombie where nobody collects it, as in a container without an init.
            guard let stat = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return false }
            let text = String(decoding: stat, as: UTF8.self)
            guard let end = text.lastIndex(of: ")") else { return true }
            return !text[end...].dropFirst().hasPrefix(" Z")
        #else
            return true
        #endif
    }

    private func logTail() -> String {
        guard let data = FileManager.default.contents(atPath: logPath) else { return "(no log)" }
        return String(decoding: data.suffix(1500), as: UTF8.self)
    }

    /// Makes the folder and what is missing above it, all with mode 0700, and checks that nobody else could enter it.
    private static func makePrivateFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw EmbeddedRedisError.folder(path, "cannot be created")
        }
        guard !isPrivateFolder(path) else { return }
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == geteuid() else {
            throw EmbeddedRedisError.folder(path, "belongs to somebody else, or is not a folder", number: 0)
        }
        guard chmod(path, 0o700) == 0 else { throw EmbeddedRedisError.folder(path, "cannot be made private") }
    }

    /// Whether the path is a folder (no symbolic link) of this user that only this user can enter.
    private static func isPrivateFolder(_ path: String) -> Bool {
        var info = stat()
        guard lstat(path, &info) == 0 else { return false }
        return info.st_mode & S_IFMT == S_IFDIR && info.st_uid == geteuid() && info.st_mode & 0o077 == 0
    }

    /// Beside the data if the path fits into a socket's address (103 bytes on macOS, 107 on Linux), else a shorter place.
    private static func socketPath(folder: String, runtimeFolder: String?) -> String {
        let name = fingerprint(folder) + ".sock"
        let last = "/tmp/belay-\(geteuid())/\(name)"
        let candidates = [folder + "/redis.sock", runtimeFolder.map { "\($0)/belay/\(name)" }, last].compactMap { $0 }
        let capacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        return candidates.first { $0.utf8.count < capacity } ?? last
    }

    private static func homeOfUser() -> String? {
        guard let entry = getpwuid(geteuid()), let home = entry.pointee.pw_dir else { return nil }
        let path = String(cString: home)
        return path.hasPrefix("/") ? path : nil
    }

    /// Sixteen digits that differ for different folders (FNV-1a).
    private static func fingerprint(_ text: String) -> String {
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func percentEncoded(_ path: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)
        return path.utf8.reduce(into: "") { encoded, byte in
            let digits = String(byte, radix: 16, uppercase: true)
            encoded += plain.contains(byte) ? String(UnicodeScalar(byte)) : byte < 16 ? "%0\(digits)" : "%\(digits)"
        }
    }
}

/// Why the embedded Redis cannot be used; the description says what to do about it.
struct EmbeddedRedisError: Error, CustomStringConvertible {
    enum Code: Sendable {
        /// `redis-server` is not on the `PATH`.
        case serverMissing
        /// The state folder is missing, somebody else's, or cannot be written.
        case folderUnusable
        /// `redis-server` refused to start; the message ends with its log.
        case startFailed
        /// A server is there and does not answer, or does not end.
        case notAnswering
        /// A server listens, but it is not certain that the process may be ended.
        case notOurs
    }

    let code: Code
    let message: String
    let hint: String
    var description: String { message + "\n" + hint }

    init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    static var serverMissing: Self {
        Self(
            .serverMissing,
            "REDIS_URL is not set, and redis-server is not installed, so there is no Redis to use.",
            hint: """
                Install the package redis-server: sudo apt-get install redis-server
                Or name a server that runs already: export REDIS_URL=redis://host:6379
                """
        )
    }

    static func startFailed(_ what: String, log: String) -> Self {
        Self(
            .startFailed,
            "The embedded Redis did not start. \(what) It said:\n\(log)",
            hint: "Set REDIS_URL to use another server, or BELAY_STATE_DIR to begin in another folder."
        )
    }

    static func notOurs(_ process: Int32?, folder: String) -> Self {
        let name = process.map { "process \($0)" } ?? "an unknown process"
        return Self(
            .notOurs,
            "A server listens for \(folder), but \(name) is not certainly that redis-server; it was left alone.",
            hint: "It may run in another container or as another user: end it there."
        )
    }

    static func folder(_ path: String, _ problem: String, number: Int32 = errno) -> Self {
        let reason = number == 0 ? "" : ": \(String(cString: strerror(number)))"
        return Self(
            .folderUnusable,
            "The folder \(path) of the embedded Redis \(problem)\(reason).",
            hint: "Set BELAY_STATE_DIR to a folder of your own, or REDIS_URL to a server that runs already."
        )
    }
}
