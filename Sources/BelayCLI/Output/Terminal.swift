#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The terminal, if there is one: its width, whether it shows colours, and writing to it.
enum Terminal {
    /// Writes all of a text. A reader that has gone ends the process as SIGPIPE would, without a word.
    static func write(_ text: String, to descriptor: Int32) {
        write(Array(text.utf8), to: descriptor)
    }

    /// Writes all bytes.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { posixWrite(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&event, 1, 1000)
            } else if errno == EPIPE, descriptor == STDOUT_FILENO {
                signal(SIGPIPE, SIG_DFL)
                raise(SIGPIPE)
                exit(141)
            } else if errno != EINTR {
                return
            }
        }
    }

    private static func posixWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, bytes, count)
        #elseif canImport(Musl)
            Musl.write(descriptor, bytes, count)
        #else
            Darwin.write(descriptor, bytes, count)
        #endif
    }

    /// Reads to the end, at most `limit` bytes; nil when there is more.
    static func readAll(_ descriptor: Int32, limit: Int) throws -> [UInt8]? {
        var all: [UInt8] = []
        while let chunk = try readChunk(descriptor) {
            all += chunk
            if all.count > limit { return nil }
        }
        return all
    }

    /// Some bytes; nil at the end.
    static func readChunk(_ descriptor: Int32) throws -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count > 0 { return Array(buffer[..<count]) }
            if count == 0 { return nil }
            guard errno == EINTR else { throw Failure(.notFound, "cannot read: \(String(cString: strerror(errno)))") }
        }
    }

    /// Whether a person looks at it.
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal on stdout; `COLUMNS` outdoes it; nil when lines need not fit anything.
    static func width(environment: [String: String]) -> Int? {
        if let columns = environment["COLUMNS"].flatMap({ Int($0) }), columns >= 20 { return columns }
        guard isTerminal(STDOUT_FILENO) else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return max(20, Int(size.ws_col))
    }
}
