/// Writes metrics as Prometheus reads them, text format 0.0.4.
struct Exposition {
    /// What a response says that holds it.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The sort of a family.
    enum Sort: String, Sendable { case counter, gauge, histogram }

    /// The text so far.
    private(set) var text = ""

    /// Begins a family. All its samples follow.
    mutating func family(_ name: String, _ sort: Sort, _ help: String) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(sort.rawValue)\n"
    }

    /// One sample.
    mutating func sample(_ name: String, _ labels: String, _ value: Double) {
        text += "\(name)\(labels) \(Self.number(value))\n"
    }

    /// Labels as they stand behind a name; nothing for none.
    static func labels(_ pairs: [(String, String)]) -> String {
        guard !pairs.isEmpty else { return "" }
        let parts = pairs.map { "\(labelName($0.0))=\"\(escaped($0.1, quotes: true))\"" }
        return "{\(parts.joined(separator: ","))}"
    }

    /// The labels with one more.
    static func labels(_ labels: String, and name: String, _ value: String) -> String {
        labels.isEmpty ? "{\(name)=\"\(value)\"}" : "\(labels.dropLast()),\(name)=\"\(value)\"}"
    }

    /// A metric's name: what it may not hold becomes `_`.
    static func metricName(_ text: String) -> String { name(text, extra: ":") }

    private static func labelName(_ text: String) -> String {
        let clean = name(text, extra: "")
        return clean == "le" || clean == "quantile" || clean.hasPrefix("__") ? "label_\(clean)" : clean
    }

    private static func name(_ text: String, extra: String) -> String {
        let clean = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) || extra.contains($0) ? $0 : "_" })
        return clean.first.map { $0.isNumber } ?? true ? "_\(clean)" : clean
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var clean = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": clean += "\\\\"
            case "\n": clean += "\\n"
            case "\"" where quotes: clean += "\\\""
            default: clean.unicodeScalars.append(scalar)
            }
        }
        return clean
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
