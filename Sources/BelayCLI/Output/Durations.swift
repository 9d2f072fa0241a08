import ArgumentParser
import Belay

/// A duration as people write it: `250ms`, `5s`, `1m30s`, `2h`, `1d`.
struct Span: Sendable, Hashable, CustomStringConvertible {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    /// Reads text of the command line.
    static func parse(_ text: String) throws -> Span {
        guard let span = Span(text) else {
            throw ValidationError("not a duration; write it as 250ms, 5s, 1m30s, 2h or 1d")
        }
        return span
    }

    /// Reads numbers with units, largest unit first or not; nil for anything else.
    init?(_ text: String) {
        guard text != "0" else {
            duration = .zero
            return
        }
        var rest = text[...]
        var total = Duration.zero
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(number), value < 1e9, let one = Self.seconds[String(unit)] else { return nil }
            total += .microseconds(Int64((value * one * 1_000_000).rounded()))
        }
        duration = total
    }

    private static let seconds = [
        "us": 0.000_001, "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800,
    ]

    var description: String { Self.text(duration) }

    /// Two units at most, such as `3m 12s`; below ten seconds with a fraction.
    static func text(_ duration: Duration) -> String {
        let micros = duration.microseconds
        if micros < 0 { return "-" + text(.zero - duration) }
        switch micros {
        case 0: return "0s"
        case ..<1000: return "\(micros)us"
        case ..<1_000_000: return "\(decimal(Double(micros) / 1000, below: 10))ms"
        case ..<60_000_000: return "\(decimal(Double(micros) / 1_000_000, below: 10))s"
        default: return large(seconds: micros / 1_000_000)
        }
    }

    private static func decimal(_ value: Double, below limit: Double) -> String {
        guard value < limit else { return "\(Int(value))" }
        let tenths = Int((value * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private static func large(seconds: Int) -> String {
        let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
        guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0s" }
        let (size, name) = units[first]
        let head = "\(seconds / size)\(name)"
        guard first + 1 < units.count else { return head }
        let next = seconds % size / units[first + 1].0
        return next == 0 ? head : "\(head) \(next)\(units[first + 1].1)"
    }
}

extension Timestamp {
    /// Reads an RFC 3339 time with `Z` or an offset such as `+02:00`.
    static func parse(_ text: String) throws -> Timestamp {
        guard let moment = Timestamp(rfc3339: text) else {
            throw ValidationError("not a time; write it as 2030-01-31T06:00:00Z or 2030-01-31T08:00:00+02:00")
        }
        return moment
    }

    private init?(rfc3339 text: String) {
        var utc = text.uppercased()
        var offset = 0
        if let sign = utc.dropFirst(19).lastIndex(where: { $0 == "+" || $0 == "-" }) {
            let parts = utc[utc.index(after: sign)...].split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hours = Int(parts[0]),
                let minutes = Int(parts[1]),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (utc[sign] == "+" ? 1 : -1)
            utc = utc[..<sign] + "Z"
        }
        // The date is written back and compared, so that a 31st of February is refused.
        guard let moment = Timestamp(utc), moment.description.prefix(19) == utc.prefix(19) else { return nil }
        self = Timestamp(microseconds: moment.microseconds - offset * 60_000_000)
    }
}
