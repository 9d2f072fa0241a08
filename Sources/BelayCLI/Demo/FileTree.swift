#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The files under a folder, and what the demo needs to know of them.
enum FileTree {
    /// Folders that hold no files of the user's own.
    static let skipped: Set<String> = [".git", ".build"]

    /// What a file was when it was found.
    struct Stamp: Hashable, Sendable {
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    /// Regular files under `path`, or `path` itself, in order; symbolic links are not followed.
    static func files(under path: String) throws -> [String] {
        guard let resolved = realpath(path, nil) else {
            throw Failure(.notFound, "“\(Escaping.line(path))”: \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        var found: [String] = []
        collect(String(cString: resolved), &found)
        return found
    }

    private static func collect(_ path: String, _ found: inout [String]) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        switch info.st_mode & S_IFMT {
        case S_IFREG: found.append(path)
        case S_IFDIR:
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            for name in names.sorted() where !skipped.contains(name) {
                collect(path == "/" ? "/\(name)" : "\(path)/\(name)", &found)
            }
        default: break
        }
    }

    /// Size and time of a file; nil when it is gone.
    static func stamp(_ path: String) -> Stamp? {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        #if canImport(Darwin)
            let time = info.st_mtimespec
        #else
            let time = info.st_mtim
        #endif
        return Stamp(size: Int(info.st_size), seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
    }

    /// A fresh folder of this user's own.
    static func makeTemporary() throws -> String {
        var template = Array("/tmp/belay-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(.cannotCreate, "no temporary folder: \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
