// A real Redis for a test, started in milliseconds and gone without a trace.
//
// Who ends the server when the test process cannot? Every server is started by a small shell that first leaves a watcher
// behind and then becomes `redis-server` itself. The watcher reads one end of a socket pair, the test process holds the
// other ("the leash"). However the test process ends (return, crash, SIGKILL), the kernel closes its end; the watcher
// then kills the server and removes the folder. Both live in a session of their own, so a signal to the terminal's
// process group cannot take the watcher away first.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A private `redis-server` for tests: its own folder, its own socket or port, faults on request.
///
/// ```swift
/// try await withPrivateRedisServer { server in
///     let tracker = try Tracker(url: server.url)
///     server.kill9()
///     try await server.restart()
/// }
/// ```
///
/// The server listens on a unix socket in a fresh folder (or on a free port of 127.0.0.1), so any number of test
/// processes run side by side and none of them can reach a Redis that somebody else uses. It never outlives the
/// process that started it, even if that one is killed.
///
/// The fault calls (``kill9()``, ``pause()``, ``resume()``, ``stop()``) are synchronous, so that they can stand in a
/// `defer`; each returns when the fault has taken effect.
public final class PrivateRedisServer: Sendable {
    /// What to start.
    public struct Options: Sendable, Hashable {
        /// Where the server listens.
        public enum Transport: Sendable, Hashable {
            /// A unix socket inside the server's folder.
            case unixSocket
            /// A free port of 127.0.0.1, never 6379. The port stays the same over ``PrivateRedisServer/restart()``.
            case loopback
        }

        /// Whether writes go to an append-only file, and when that file is synchronised to the disk.
        public enum AppendOnly: Sendable, Hashable {
            /// No file: everything is lost with the process.
            case off
            /// `appendfsync no`: written at once, synchronised when the kernel wishes.
            case unsynchronised
            /// `appendfsync everysec`: the setting that Belay recommends in production.
            case everySecond
            /// `appendfsync always`: every reply stands on disk.
            case always
        }

        /// Where the server listens; a unix socket by default.
        public var transport: Transport
        /// The append-only file; off by default.
        public var appendOnly: AppendOnly
        /// The password that clients must give (`requirepass`); none by default. It is part of ``PrivateRedisServer/url``.
        public var password: String?
        /// Whether `DEBUG` is allowed (`enable-debug-command local`); off by default.
        public var allowsDebugCommand: Bool
        /// Whether the server can be a node of a cluster, which needs ``Transport/loopback`` (its bus listens on the port
        /// plus 10,000); off by default. ``PrivateRedisCluster`` joins such servers.
        public var isClusterNode: Bool
        /// More arguments for `redis-server`, for example `["--maxmemory", "4mb"]`. They come last, so they win.
        public var arguments: [String]
        /// The program's path, for example of `valkey-server` or of a script that runs the server under a debugger; nil, the
        /// default, for the `redis-server` on the `PATH`.
        public var executable: String?

        /// Creates options; every argument has a default.
        public init(
            transport: Transport = .unixSocket,
            appendOnly: AppendOnly = .off,
            password: String? = nil,
            allowsDebugCommand: Bool = false,
            isClusterNode: Bool = false,
            arguments: [String] = [],
            executable: String? = nil
        ) {
            self.transport = transport
            self.appendOnly = appendOnly
            self.password = password
            self.allowsDebugCommand = allowsDebugCommand
            self.isClusterNode = isClusterNode
            self.arguments = arguments
            self.executable = executable
        }
    }

    /// What the server was started with.
    public let options: Options
    /// The server's folder: socket, log and append-only file. Removed by ``stop()``.
    public let folder: String
    /// Where clients connect: `unix:///…/redis.sock` or `redis://127.0.0.1:port`, with the password when there is one.
    public var url: String { endpoint.url(password: options.password) }
    /// The path of the unix socket; nil with ``Options/Transport/loopback``.
    public var socketPath: String? { if case .unix(let path) = endpoint { path } else { nil } }
    /// The port on 127.0.0.1; nil with ``Options/Transport/unixSocket``.
    public var port: Int? { if case .port(let port) = endpoint { Int(port) } else { nil } }
    /// The server's process id, nil while it is not running.
    public var processID: Int32? { state.withLock { $0.process } }

    private let executable: String
    private let state: Mutex<State>
    private static let sharedServers = Mutex<[Options: PrivateRedisServer]>([:])

    private struct State {
        var endpoint: Endpoint
        var process: pid_t?
        var leash: Int32?
        var isStopped = false
    }

    private init(_ options: Options) throws {
        self.options = options
        executable = try options.executable ?? Self.findExecutable()
        folder = try Self.makeFolder()
        let endpoint: Endpoint =
            switch options.transport {
            case .unixSocket: .unix(path: folder + "/redis.sock")
            case .loopback: .port(try Endpoint.freePort(forCluster: options.isClusterNode))
            }
        state = Mutex(State(endpoint: endpoint))
    }

    deinit { stop() }
}

// MARK: - Life

extension PrivateRedisServer {
    /// Starts a server and returns when it answers. Whoever starts it calls ``stop()``.
    ///
    /// - Throws: ``PrivateRedisServerError`` when `redis-server` is not installed or does not come up.
    public static func start(_ options: Options = Options()) async throws -> PrivateRedisServer {
        let server = try PrivateRedisServer(options)
        do {
            try await server.launchUntilReady()
        } catch {
            server.stop()
            throw error
        }
        return server
    }

    /// One server per test process for each set of options, started by the first caller and ended with the process.
    ///
    /// Tests that share it keep to a namespace of their own and do not stop, kill or pause it.
    ///
    /// - Throws: ``PrivateRedisServerError`` when `redis-server` is not installed or does not come up.
    public static func shared(_ options: Options = Options()) async throws -> PrivateRedisServer {
        let server = try sharedServers.withLock { servers in
            if let server = servers[options], server.processID != nil { return server }
            let server = try PrivateRedisServer(options)
            try server.launch()
            servers[options] = server
            return server
        }
        try await server.waitUntilReady()
        return server
    }

    /// Ends the server in good order if it runs (SIGTERM, so that the append-only file is written out), starts it again
    /// in the same folder and at the same address, and returns when it answers. Also the way back after ``kill9()``.
    ///
    /// - Throws: ``PrivateRedisServerError`` when the server was stopped or does not come up again.
    public func restart() async throws {
        signal(SIGTERM)
        signal(SIGCONT)  // one that is paused acts on SIGTERM only when it runs
        let deadline = ContinuousClock.now + .seconds(10)
        while !reapIfEnded() {
            if ContinuousClock.now > deadline { kill9() }
            try await Task.sleep(for: .milliseconds(2))
        }
        try await launchUntilReady()
    }

    /// Ends the server by SIGKILL and returns when it is gone. Its folder stays: ``restart()`` continues from there.
    public func kill9() {
        state.withLock { state in
            guard let process = state.process else { return }
            _ = kill(process, SIGKILL)
            // Said before the process id is given back to the system: the watcher never kills a number that is not ours.
            Leash.say("dead", to: state.leash)
            while waitpid(process, nil, 0) == -1, errno == EINTR {}
            state.process = nil
        }
    }

    /// Stops the server by SIGSTOP: connections stay open and nothing answers. Returns when it stands.
    public func pause() {
        state.withLock { state in
            guard let process = state.process else { return }
            guard kill(process, SIGSTOP) == 0 else { return }
            var status: Int32 = 0
            while true {
                let waited = waitpid(process, &status, WUNTRACED)
                if waited == -1, errno == EINTR { continue }
                // Low byte 0x7f: stopped. Anything else means that it ended instead, and is reaped by this very call.
                if waited == process, status & 0xff != 0x7f { state.process = nil }
                return
            }
        }
    }

    /// Lets a server go on that ``pause()`` stopped.
    public func resume() {
        signal(SIGCONT)
    }

    /// Ends the server at once and removes its folder. Does nothing the second time.
    public func stop() {
        kill9()
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            Leash.release(&state.leash)
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    /// The last lines of the server's log, at most `bytes` bytes.
    public func log(last bytes: Int = 4096) -> String {
        guard let data = FileManager.default.contents(atPath: folder + "/redis.log") else { return "" }
        return String(decoding: data.suffix(bytes), as: UTF8.self)
    }
}

/// Runs `body` with a private `redis-server` that answers, and ends the server when `body` returns or throws.
///
/// - Parameters:
///   - options: What to start; a server on a unix socket, without append-only file or password, by default.
///   - body: The work; it may kill, pause and restart the server.
/// - Returns: What `body` returns.
/// - Throws: ``PrivateRedisServerError`` when the server cannot be started, and whatever `body` throws.
public func withPrivateRedisServer<Value>(
    _ options: PrivateRedisServer.Options = PrivateRedisServer.Options(),
    _ body: (PrivateRedisServer) async throws -> Value
) async throws -> Value {
    let server = try await PrivateRedisServer.start(options)
    defer { server.stop() }
    return try await body(server)
}

/// Why a private server could not be started.
public struct PrivateRedisServerError: Error, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Sendable, Hashable {
        private enum Kind { case notInstalled, didNotStart, stopped, system }
        private let kind: Kind

        /// `redis-server` is not on the `PATH`.
        public static let notInstalled = Code(kind: .notInstalled)
        /// The process ended, or did not answer in time; the description holds the end of its log.
        public static let didNotStart = Code(kind: .didNotStart)
        /// ``PrivateRedisServer/stop()`` was called before.
        public static let stopped = Code(kind: .stopped)
        /// A call to the system failed: no folder, no process, no free port.
        public static let system = Code(kind: .system)
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and what to do.
    public let description: String

    fileprivate static var notInstalled: Self {
        Self(
            code: .notInstalled,
            description: """
                redis-server is not on the PATH, and the tests start a private one. \
                Install the package redis-server: sudo apt-get install redis-server (macOS: brew install redis)
                """
        )
    }

    static func system(_ call: String, _ number: Int32 = errno) -> Self {
        Self(code: .system, description: "\(call): \(String(cString: strerror(number)))")
    }
}

// MARK: - Starting

extension PrivateRedisServer {
    private var endpoint: Endpoint { state.withLock { $0.endpoint } }

    private func launchUntilReady() async throws {
        // A free port may be taken by another process before the server binds it. The server ends then: take another.
        for attemptsLeft in (0..<5).reversed() {
            try launch()
            do {
                return try await waitUntilReady()
            } catch let error as PrivateRedisServerError where error.code == .didNotStart {
                let isTaken = options.transport == .loopback && processID == nil && log().contains("in use")
                guard isTaken, attemptsLeft > 0 else { throw error }
                let port = try Endpoint.freePort(forCluster: options.isClusterNode)
                state.withLock { $0.endpoint = .port(port) }
            }
        }
    }

    /// The shell that becomes the server. `$1` folder, `$2` program, then the program's arguments; the leash is stdin.
    private static let shell = """
        folder=$1 program=$2 server=$$
        shift 2
        exec 3<&0 </dev/null
        (
            trap '' HUP INT QUIT TERM
            while read -r word; do
                case $word in
                dead) server= ;;
                bye) exit 0 ;;
                esac
            done
            [ -z "$server" ] || kill -KILL "$server"
            rm -rf -- "$folder" || { sleep 0.2; rm -rf -- "$folder"; }
        ) <&3 3<&- >/dev/null 2>&1 &
        exec "$program" "$@" 3<&- >>"$folder/redis.log" 2>&1
        """

    private func launch() throws {
        try state.withLock { state in
            guard !state.isStopped else {
                throw PrivateRedisServerError(code: .stopped, description: "this private redis-server was stopped")
            }
            guard state.process == nil else { return }
            var leash = try Leash.make()
            defer { close(leash.far) }
            do {
                state.process = try Self.spawn(
                    ["sh", "-c", Self.shell, "belay-private-redis", folder, executable] + arguments(state.endpoint),
                    standardInput: leash.far
                )
            } catch {
                Leash.release(&leash.near)
                throw error
            }
            // The watcher of the former process guarded the folder until now.
            Leash.release(&state.leash)
            state.leash = leash.near
        }
    }

    private func arguments(_ endpoint: Endpoint) -> [String] {
        var list = ["--dir", folder, "--save", "", "--logfile", "", "--daemonize", "no"]
        switch endpoint {
        case .unix(let path): list += ["--port", "0", "--unixsocket", path, "--unixsocketperm", "700"]
        case .port(let port): list += ["--port", "\(port)", "--bind", "127.0.0.1"]
        }
        switch options.appendOnly {
        case .off: list += ["--appendonly", "no"]
        case .unsynchronised: list += ["--appendonly", "yes", "--appendfsync", "no"]
        case .everySecond: list += ["--appendonly", "yes", "--appendfsync", "everysec"]
        case .always: list += ["--appendonly", "yes", "--appendfsync", "always"]
        }
        if let password = options.password { list += ["--requirepass", password] }
        if options.isClusterNode { list += ["--cluster-enabled", "yes"] }
        if options.allowsDebugCommand { list += ["--enable-debug-command", "local"] }
        return list + options.arguments
    }

    private func waitUntilReady() async throws {
        var deadline = ContinuousClock.now + .seconds(10)
        while true {
            guard !reapIfEnded(), let process = processID else { throw didNotStart("ended at once") }
            switch endpoint.probe(process: process, password: options.password) {
            case .ready: return
            case .loading: deadline = ContinuousClock.now + .seconds(10)
            case .silent: if ContinuousClock.now > deadline { throw didNotStart("did not answer for 10 s") }
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    private func didNotStart(_ what: String) -> PrivateRedisServerError {
        PrivateRedisServerError(
            code: .didNotStart,
            description: "\(executable) \(what). Its log ends:\n\(log(last: 2048))"
        )
    }

    /// Whether the server is not running; collects the exit status of one that ended by itself.
    private func reapIfEnded() -> Bool {
        state.withLock { state in
            guard let process = state.process else { return true }
            // WNOWAIT: look first. The number stays ours until the watcher has been told.
            var info = siginfo_t()
            let looked = waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT)
            guard looked == -1 && errno == ECHILD || looked == 0 && info.si_signo == SIGCHLD else { return false }
            Leash.say("dead", to: state.leash)
            _ = waitpid(process, nil, WNOHANG)
            state.process = nil
            return true
        }
    }

    private func signal(_ number: Int32) {
        state.withLock { state in
            guard let process = state.process else { return }
            _ = kill(process, number)
        }
    }
}

// MARK: - The system's calls

extension PrivateRedisServer {
    private static func findExecutable() throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/redis-server"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw PrivateRedisServerError.notInstalled
    }

    private static func makeFolder() throws -> String {
        // A unix socket's path holds 103 bytes on macOS and 107 on Linux: a long TMPDIR does not do.
        var parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        if !parent.hasPrefix("/") || parent.utf8.count > 70 { parent = "/tmp" }
        while parent.count > 1, parent.hasSuffix("/") { parent.removeLast() }
        var template = Array("\(parent)/belay-redis-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PrivateRedisServerError.system("mkdtemp in \(parent)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Starts `/bin/sh` in a session of its own, with default signals and nothing of this process but `standardInput`.
    private static func spawn(_ arguments: [String], standardInput: Int32) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
            let newSession: Int32 = POSIX_SPAWN_SETSID
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
            let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID: in both C libraries, but hidden behind _GNU_SOURCE
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, standardInput, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // Pipes of others that are not closed on exec (Foundation's Process makes such) would stay open in the server,
        // and whoever waits for their end would wait for ever. 256 more than are open now: another thread may open some.
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd"))?.compactMap { Int32($0) }
        for descriptor in 3...(open?.max() ?? 3) + 256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = newSession | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        let variables = ["PATH=\(path)", "LC_ALL=C"]
        var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { (argv + environment).forEach { free($0) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, "/bin/sh", &actions, &attributes, &argv, &environment)
        guard failure == 0 else { throw PrivateRedisServerError.system("posix_spawn /bin/sh", failure) }
        return process
    }
}
