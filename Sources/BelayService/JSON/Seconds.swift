import Belay

/// A duration: answered as seconds, taken as seconds or as ISO 8601 (`PT1H30M`, `P1D`, `PT0.5S`).
struct Seconds: Plain, Encodable, Hashable {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }
    init?(_ duration: Duration?) {
        guard let duration else { return nil }
        self.duration = duration
    }

    static var schema: JSONValue {
        ["oneOf": [["type": "number"], ["type": "string", "format": "duration"]]]
    }
    static var label: String { "seconds, or ISO 8601 such as PT1H30M" }
    static var example: JSONValue { 1 }

    /// More than this is a mistake, and would not fit.
    private static let limit = 1e10

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let seconds: Double?
        if let text = try? container.decode(String.self) {
            seconds = Self.iso8601(text)
        } else if let number = try? container.decode(Double.self) {
            seconds = number
        } else {
            seconds = nil
        }
        guard let seconds, abs(seconds) <= Self.limit else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a duration; write seconds as a number, or ISO 8601 such as PT1H30M, P1D, PT0.5S"
            )
        }
        duration = .microseconds(Int64((seconds * 1_000_000).rounded()))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(duration.seconds)
    }

    /// Weeks, days, hours, minutes and seconds, each at most once and in this order; the last may have a fraction.
    /// Years and months have no fixed length.
    private static func iso8601(_ text: String) -> Double? {
        var rest = text[...]
        guard rest.popFirst() == "P", !rest.isEmpty else { return nil }
        var total = 0.0
        var units: [(Character, Double)] = [("W", 604_800), ("D", 86_400)]
        var isTime = false
        var isFraction = false
        while let first = rest.first {
            if first == "T" {
                guard !isTime, rest.count > 1 else { return nil }
                (isTime, units) = (true, [("H", 3600), ("M", 60), ("S", 1)])
                rest.removeFirst()
                continue
            }
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest.removeFirst(number.count)
            guard !isFraction, let unit = rest.popFirst(), let place = units.firstIndex(where: { $0.0 == unit }),
                number.first != ".", number.last != ".", let value = Double(number)
            else { return nil }
            total += value * units[place].1
            units.removeFirst(place + 1)
            isFraction = number.contains(".")
        }
        return total
    }
}
