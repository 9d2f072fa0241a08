#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The step between `belay` and the programs that it runs: the program dies with the `belay` that holds its lock.
///
/// When that `belay` is killed, nobody renews the lock, and another host starts the same work a lease later; the program
/// must not go on beside it. On Linux the kernel sees to it: `belay` starts itself once more, asks for SIGKILL at the
/// death of its parent, and then becomes the program. Elsewhere the program is started directly, and outlives a killed
/// `belay`. Processes that the program has started itself are out of reach either way.
enum Leash {
    private static let word = "__leash"

    /// Program and arguments that start the words on a leash; the words themselves where there is none.
    static func command(_ words: [String]) -> [String] {
        #if os(Linux)
            ["/proc/self/exe", word, "\(getpid())"] + words
        #else
            words
        #endif
    }

    /// Becomes the program, when this process was started to do that. Returns otherwise.
    static func runIfAsked(_ arguments: [String]) {
        #if os(Linux)
            guard arguments.count > 3, arguments[1] == word, let parent = Int32(arguments[2]) else { return }
            typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
            if let symbol = dlsym(nil, "prctl") {
                let control = unsafeBitCast(symbol, to: Control.self)
                _ = control(1 /* PR_SET_PDEATHSIG */, UInt(SIGKILL), 0, 0, 0)
            }
            // The parent may have died before the kernel was asked.
            guard getppid() == parent else { exit(137) }
            become(Array(arguments[3...]))
        #endif
    }

    private static func become(_ words: [String]) -> Never {
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        execvp(words[0], pointers)
        let reason = errno
        Terminal.write("belay: cannot run “\(Escaping.line(words[0]))”: \(String(cString: strerror(reason)))\n", to: 2)
        exit(reason == ENOENT ? 127 : 126)
    }
}
