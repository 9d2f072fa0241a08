import Logging

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Log lines on stderr: RFC 3339 time, level, message, metadata as `key=value`; or JSON with the metadata flat.
struct LogLines: LogHandler {
    /// How lines look.
    enum Style: Sendable {
        case plain
        case colour
        case json
    }

    let label: String
    let style: Style
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    init(label: String, level: Logger.Level, style: Style) {
        self.label = label
        self.style = style
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        let pairs = fields.map { (key: $0.key, value: "\($0.value)") }.sorted { $0.key < $1.key }
        Terminal.write(line(event.level, "\(event.message)", pairs) + "\n", to: 2)
    }

    private func line(_ level: Logger.Level, _ message: String, _ pairs: [(key: String, value: String)]) -> String {
        // The time of a log line is the host's own; nothing is decided by it.
        let time = Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
        guard style != .json else {
            var object = ["time": time + "Z", "level": level.rawValue, "label": label, "message": message]
            for pair in pairs where object[pair.key] == nil { object[pair.key] = pair.value }
            return JSONOutput.text(object)
        }
        let colours = Colours(isOn: style == .colour)
        let code: Colours.Code? = level >= .error ? .red : level >= .warning ? .yellow : nil
        let word = colours.paint(level.rawValue, code)
        let tail = pairs.map { " \(colours.paint("\($0.key)=", .dim))\(Self.quoted($0.value))" }.joined()
        return "\(colours.paint(time + "Z", .dim)) \(word) \(Escaping.line(message))\(tail)"
    }

    private static func quoted(_ text: String) -> String {
        let safe = Escaping.line(text)
        return safe.contains(" ") ? "\"\(safe)\"" : safe
    }
}
