import FoundationEssentials

/// How a failure is stored: JSON of at most 16 KiB. Lua never reads it.
enum FailureText {
    static func encode(_ failure: TaskFailure) -> [UInt8] {
        var failure = failure
        failure.type = shorten(failure.type, to: 256)
        failure.host = failure.host.map { shorten($0, to: 256) }
        var messageLimit = 4096
        var backtraceLimit = 8192
        while true {
            failure.message = shorten(failure.message, to: messageLimit)
            failure.backtrace = head(failure.backtrace, bytes: backtraceLimit)
            if let data = try? encoder.encode(failure), data.count <= Limits.failureBytes { return Array(data) }
            // Escapes made the text longer than its bytes: halve until it fits.
            messageLimit /= 2
            backtraceLimit /= 2
        }
    }

    static func decode(_ bytes: ArraySlice<UInt8>) -> TaskFailure? {
        guard !bytes.isEmpty else { return nil }
        if let failure = try? JSONDecoder().decode(TaskFailure.self, from: Data(bytes)) { return failure }
        return TaskFailure(type: "text", message: String(decoding: bytes, as: UTF8.self))
    }

    /// A text cut at a character boundary, with a mark where something is missing.
    static func shorten(_ text: String, to bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: max(0, bytes - 3))
        while end > text.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "…"
    }

    private static func head(_ lines: [String], bytes: Int) -> [String] {
        var left = bytes
        var kept: [String] = []
        for line in lines {
            guard left > 0 else { return kept + ["…"] }
            kept.append(shorten(line, to: min(left, 1024)))
            left -= min(line.utf8.count, 1024) + 3  // with its quotes and comma
        }
        return kept
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()
}
