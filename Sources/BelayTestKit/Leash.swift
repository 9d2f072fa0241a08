#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The socket pair between this process and a server's watcher.
enum Leash {
    /// `near` stays in this process and is closed on exec; `far` becomes the shell's standard input.
    static func make() throws -> (near: Int32?, far: Int32) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Darwin)
            guard socketpair(AF_UNIX, SOCK_STREAM, 0, &ends) == 0 else {
                throw PrivateRedisServerError.system("socketpair")
            }
            var yes: Int32 = 1
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &yes, socklen_t(MemoryLayout<Int32>.size))
            }
        #else
            guard socketpair(AF_UNIX, Endpoint.stream | Endpoint.closeOnExec, 0, &ends) == 0 else {
                throw PrivateRedisServerError.system("socketpair")
            }
        #endif
        return (ends[0], ends[1])
    }

    static func say(_ word: String, to leash: Int32?) {
        guard let leash else { return }
        let line = Array((word + "\n").utf8)
        _ = send(leash, line, line.count, Endpoint.noSignal)
    }

    /// Sends the watcher home: it ends and touches nothing.
    static func release(_ leash: inout Int32?) {
        guard let descriptor = leash else { return }
        say("bye", to: descriptor)
        close(descriptor)
        leash = nil
    }
}
