/// A moment of the server's clock: whole microseconds since 1970-01-01T00:00:00Z.
///
/// Belay never reads a host's wall clock; every moment comes from the Redis server's.
public struct Timestamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// Microseconds since 1970.
    public var microseconds: Int

    /// A moment from microseconds since 1970.
    public init(microseconds: Int) { self.microseconds = microseconds }

    /// RFC 3339 in UTC with microseconds, for example `2026-11-21T05:41:19.000250Z`.
    public var description: String {
        let (days, rest) = microseconds.flooredQuotientAndRemainder(by: 86_400_000_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let (seconds, micros) = rest.quotientAndRemainder(dividingBy: 1_000_000)
        func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
        let digits = String(micros + 1_000_000).dropFirst()
        let pad = String(repeating: "0", count: max(0, 4 - "\(year)".count))
        return
            "\(pad)\(year)-\(two(month))-\(two(day))T\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)).\(digits)Z"
    }

    /// Reads what ``description`` writes; the fraction may have 0 to 6 digits. Nil for anything else.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let form = Array("####-##-##T##:##:##".utf8)
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard bytes.count > form.count, bytes.last == UInt8(ascii: "Z"),
            zip(bytes, form).allSatisfy({ $1 == UInt8(ascii: "#") ? digits.contains($0) : $0 == $1 })
        else { return nil }
        func number(_ range: some Sequence<Int>) -> Int {
            range.reduce(0) { $0 * 10 + Int(bytes[$1] - digits.lowerBound) }
        }
        var micros = 0
        let fraction = bytes[form.count..<(bytes.count - 1)]
        if !fraction.isEmpty {
            guard (2...7).contains(fraction.count), fraction.first == UInt8(ascii: "."),
                fraction.dropFirst().allSatisfy(digits.contains)
            else { return nil }
            micros = number(fraction.indices.dropFirst())
            for _ in fraction.count..<7 { micros *= 10 }
        }
        let date = (year: number(0..<4), month: number(5..<7), day: number(8..<10))
        let time = (hour: number(11..<13), minute: number(14..<16), second: number(17..<19))
        guard (1...12).contains(date.month), time.hour < 24, time.minute < 60, time.second < 60 else { return nil }
        let days = Self.days(fromCivil: date)
        // A day that the month does not have comes back as another one.
        guard Self.civil(fromDays: days) == date else { return nil }
        microseconds = ((days * 24 + time.hour) * 60 + time.minute) * 60_000_000 + time.second * 1_000_000 + micros
    }

    /// Reads the text of ``description``.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 UTC time: \(text)")
        }
        self = value
    }

    /// Writes ``description``.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Earlier is less.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }
    /// The moment so much later.
    public static func + (a: Timestamp, b: Duration) -> Timestamp {
        .init(microseconds: a.microseconds + b.microseconds)
    }
    /// How long from `b` to `a`.
    public static func - (a: Timestamp, b: Timestamp) -> Duration { .microseconds(a.microseconds - b.microseconds) }

    // Days since 1970 to a date of the Gregorian calendar and back, by eras of 400 years (146,097 days).
    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = (days + 719_468).flooredQuotientAndRemainder(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func days(fromCivil date: (year: Int, month: Int, day: Int)) -> Int {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let (era, yearOfEra) = year.flooredQuotientAndRemainder(by: 400)
        let dayOfYear = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int {
    fileprivate func flooredQuotientAndRemainder(by divisor: Int) -> (Int, Int) {
        let (q, r) = quotientAndRemainder(dividingBy: divisor)
        return r < 0 ? (q - 1, r + divisor) : (q, r)
    }
}

extension Duration {
    /// Whole microseconds, rounded towards zero.
    package var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }

    /// Seconds, with the fraction.
    package var seconds: Double { Double(microseconds) / 1_000_000 }
}
