import Testing

@testable import BelayService

@Suite("JSON text")
struct JSONTests {
    @Test(
        "comes back as it was written",
        arguments: [
            "null", "true", "[]", "{}", "[1,[2,{\"a\":[]}]]", "\"é\\n\\\"\\\\\"", "{\"b\":1,\"a\":2}",
            "9007199254740993", "-9223372036854775808", "9223372036854775807", "1.10", "1e400",
            "12345678901234567890123",
        ]
    )
    func roundTrip(text: String) throws { #expect(try json(text).text == text) }

    @Test("is read with white space, escapes and surrogate pairs")
    func forms() throws {
        #expect(try json(" \n\t\r[ 1 , 2 ] ") == [1, 2])
        #expect(try json(#""\u00e9\uD83D\uDE00\/\b\f""#) == .string("é😀/\u{8}\u{c}"))
        #expect(try json(#"{"\u0061":1}"#)["a"] == 1)
    }

    @Test(
        "is refused when it is none",
        arguments: [
            "", " ", "nul", "tru e", "[1,]", "[1", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "01", "1.", ".5", "1e",
            "-",
            "+1", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "1 2",
            "\u{feff}1",
            "NaN", "'a'", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
        ]
    )
    func refused(text: String) {
        #expect(throws: JSONSyntaxError.self) { try json(text) }
    }

    @Test("is refused when it is no UTF-8, and says where")
    func utf8() {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONParser.parse([0x22, 0x61, 0xff, 0x22]) }
        #expect(error?.message == "has text at byte 1 that is no UTF-8")
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse([0x22, 0xed, 0xa0, 0x80, 0x22]) }
    }

    @Test("nests 64 levels and not one more")
    func depth() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        _ = try json(nested(64))
        let error = #expect(throws: JSONSyntaxError.self) { try json(nested(65)) }
        #expect(error?.message.hasPrefix("is nested deeper than 64 levels") == true)
        #expect(throws: JSONSyntaxError.self) { try json(nested(1_000_000)) }
    }
}
