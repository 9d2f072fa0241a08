import Foundation
import Testing

@testable import Belay

@Suite("A timestamp")
struct TimestampTests {
    @Test(
        "is told as RFC 3339 with microseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1, "1970-01-01T00:00:00.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_709_164_800_000_000, "2024-02-29T00:00:00.000000Z"),
            (1_735_689_599_999_999, "2024-12-31T23:59:59.999999Z"),
            (1_763_703_679_000_250, "2025-11-21T05:41:19.000250Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ]
    )
    func text(microseconds: Int, text: String) throws {
        let moment = Timestamp(microseconds: microseconds)
        #expect(moment.description == text)
        #expect(Timestamp(text) == moment)
    }

    @Test("survives a round trip on every day of 400 years")
    func everyDay() {
        var previous = Timestamp(microseconds: .min)
        for day in -36_525..<109_575 {
            let moment = Timestamp(microseconds: day * 86_400_000_000 + day & 0xfffff)
            #expect(Timestamp(moment.description) == moment)
            #expect(previous < moment)
            previous = moment
        }
    }

    @Test(
        "reads a fraction of any length up to six digits",
        arguments: [
            ("2026-01-01T00:00:00Z", 0), ("2026-01-01T00:00:00.5Z", 500_000), ("2026-01-01T00:00:00.25Z", 250_000),
            ("2026-01-01T00:00:00.000001Z", 1), ("2026-01-01T00:00:00.123456Z", 123_456),
        ]
    )
    func fractions(text: String, micros: Int) {
        #expect(Timestamp(text) == Timestamp(microseconds: 1_767_225_600_000_000 + micros))
    }

    @Test(
        "is not made of anything else",
        arguments: [
            "", "Z", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00z",
            "2026-01-01 00:00:00Z", "2026/01/01T00:00:00Z", "2026-01-01T00.00.00Z", "2026-1-1T0:0:0Z",
            "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
            "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567Z",
            "2026-01-01T00:00:00,5Z", "-026-01-01T00:00:00Z", " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ",
            "99999999999999999999-01-01T00:00:00Z", "２026-01-01T00:00:00Z", "2026-01-01T00:00:00.5.5Z",
        ]
    )
    func badText(text: String) { #expect(Timestamp(text) == nil) }

    @Test("is coded as its text, and bad text is refused")
    func coding() throws {
        let moment = Timestamp(microseconds: 1_767_225_600_000_001)
        let data = try JSONEncoder().encode([moment])
        #expect(String(decoding: data, as: UTF8.self) == #"["2026-01-01T00:00:00.000001Z"]"#)
        #expect(try JSONDecoder().decode([Timestamp].self, from: data) == [moment])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Timestamp].self, from: Data(#"["x"]"#.utf8)) }
    }

    @Test("can be moved and compared")
    func arithmetic() {
        let moment = Timestamp(microseconds: 1_000_000)
        #expect(moment + .milliseconds(1) == Timestamp(microseconds: 1_001_000))
        #expect(moment + .seconds(-2) < moment)
        #expect((moment + .seconds(3)) - moment == .seconds(3))
        #expect(Duration.nanoseconds(1999).microseconds == 1)
        #expect(Duration.nanoseconds(-1999).microseconds == -1)
        #expect(Duration.milliseconds(1500).seconds == 1.5)
    }
}
