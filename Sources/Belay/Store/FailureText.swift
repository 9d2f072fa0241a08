import FoundationEssentials

/// How a failure is stored: JSON without the backtrace, and the backtrace as lines, at most 16 KiB together. The script keeps
/// equal backtraces of a task once. Lua never reads either.
enum FailureText {
    static func encode(_ failure: TaskFailure) -> (error: [UInt8], backtrace: [UInt8]) {
        var failure = failure
        failure.type = shorten(failure.type, to: 256)
        failure.host = failure.host.map { shorten($0, to: 256) }
        let lines = head(failure.backtrace.map(oneLine), bytes: backtraceBytes)
        failure.backtrace = []
        var messageLimit = 4096
        while true {
            failure.message = shorten(failure.message, to: messageLimit)
            if let data = try? encoder.encode(failure), data.count <= Limits.failureBytes - backtraceBytes {
                return (Array(data), Array(lines.joined(separator: "\n").utf8))
            }
            // Escapes made the text longer than its bytes: halve until it fits.
            messageLimit /= 2
        }
    }

    private static let backtraceBytes = 8192

    static func decode(_ bytes: ArraySlice<UInt8>, backtrace: [UInt8] = []) -> TaskFailure? {
        guard !bytes.isEmpty else { return nil }
        var failure: TaskFailure
        if let known = try? JSONDecoder().decode(TaskFailure.self, from: Data(bytes)) {
            failure = known
        } else {
            failure = TaskFailure(type: "text", message: String(decoding: bytes, as: UTF8.self))
        }
        if !backtrace.isEmpty {
            // By bytes: a carriage return and a line feed are one character.
            failure.backtrace = backtrace.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }
        return failure
    }

    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\n" ? " " : $0 }))
    }

    /// A text cut at a character boundary, with a mark where something is missing.
    static func shorten(_ text: String, to bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: max(0, bytes - 3))
        while end > text.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "…"
    }

    private static func head(_ lines: [String], bytes: Int) -> [String] {
        var left = bytes - 4  // for the mark that something is missing
        var kept: [String] = []
        for line in lines {
            let short = shorten(line, to: 1024)
            guard short.utf8.count < left else { return kept + ["…"] }
            kept.append(short)
            left -= short.utf8.count + 1
        }
        return kept
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()
}
