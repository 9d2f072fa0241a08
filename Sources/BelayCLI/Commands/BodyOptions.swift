import ArgumentParser
import Belay

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Bytes that a holder gives: text of the command line, a file, or stdin.
struct BodyOptions: ParsableArguments {
    @Option(help: "The bytes, as text.")
    var text: String?

    @Option(help: "The file that holds the bytes; '-' is stdin.")
    var file: String?

    @Option(
        help: "Default: application/json when it is JSON, else text/plain, or application/octet-stream when not UTF-8."
    )
    var contentType: String?

    func validate() throws {
        guard text == nil || file == nil else { throw ValidationError("--text and --file exclude each other") }
    }

    /// The bytes with their type; none when nothing was given.
    func body() throws -> Body {
        if let text { return try Body(Array(text.utf8), contentType: contentType) }
        return try Body(file.map(Body.bytes(of:)) ?? [], contentType: contentType)
    }
}

extension Body {
    /// The bytes of a file; `-` is stdin.
    static func bytes(of file: String) throws -> [UInt8] {
        var descriptor = STDIN_FILENO
        if file != "-" {
            descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw Failure(.notFound, "file “\(Escaping.line(file))”: \(String(cString: strerror(errno)))")
            }
        }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        guard let bytes = try Terminal.readAll(descriptor, limit: Limits.maximumPayloadBytes) else {
            throw Failure(
                .badData,
                "“\(Escaping.line(file))” has more than \(Limits.maximumPayloadBytes) bytes; keep them elsewhere and give "
                    + "the place instead"
            )
        }
        return bytes
    }

    /// Bytes of a type; guessed where none is given, and held against it where it is JSON.
    init(_ bytes: [UInt8], contentType: String?) throws {
        guard let contentType else {
            self.init(guessing: bytes)
            return
        }
        if contentType == Body.json, !bytes.isEmpty, !JSONOutput.isJSON(bytes) {
            throw Failure(.badData, "that is not JSON; mend it, or give another --content-type")
        }
        self.init(bytes: bytes, contentType: contentType)
    }

    /// Bytes whose content type shows in themselves.
    init(guessing bytes: [UInt8]) {
        let isText = !bytes.contains(0) && String(validating: bytes, as: UTF8.self) != nil
        let isJSON = bytes.isEmpty || isText && JSONOutput.isJSON(bytes)
        self.init(bytes: bytes, contentType: isJSON ? Body.json : isText ? "text/plain" : "application/octet-stream")
    }
}
