import Belay
import Testing

@testable import BelayService

private struct Part: Documented, Equatable {
    var count: Int
    var ratio: Double?
    var states: [TaskState]?
    static let docs = ["count": "", "ratio": "", "states": ""]
}

private struct Whole: Documented, Equatable {
    var name: String
    var parts: [Part]?
    var flags: [String: Bool]?
    var small: Int32?
    static let docs = ["name": "", "parts": "", "flags": "", "small": ""]
}

private struct Nothing: Documented {
    static let docs: [String: String] = [:]
}

@Suite("Requests")
struct DecodingTests {
    private func problem<T: Decodable>(_ type: T.Type, _ text: String) throws -> Problem {
        let value = try json(text)
        return try #require(#expect(throws: Problem.self) { try StrictDecoder.decode(type, from: value) })
    }

    @Test("are read whole; null is absent")
    func whole() throws {
        let text =
            #"{"name":"a","parts":[{"count":1,"states":["ready"]},{"count":2,"ratio":0.5}],"flags":{"x":true},"small":null}"#
        let value = try StrictDecoder.decode(Whole.self, from: json(text))
        #expect(
            value
                == Whole(
                    name: "a",
                    parts: [Part(count: 1, states: [.ready]), Part(count: 2, ratio: 0.5)],
                    flags: ["x": true]
                )
        )
    }

    @Test("with a field that nobody knows are refused by its path, with what is allowed")
    func unknown() throws {
        var problem = try problem(Whole.self, #"{"name":"a","parts":[{"count":1},{"count":1,"cuont":2}]}"#)
        #expect(problem.code == .unknownField)
        #expect(problem.detail == "parts[1].cuont is not a field; allowed: count, ratio, states")
        #expect(problem.field == "parts[1].cuont")
        #expect(problem.allowed == ["count", "ratio", "states"])
        problem = try self.problem(Whole.self, #"{"nmae":"a"}"#)
        #expect(problem.detail == "nmae is not a field; allowed: name, parts, flags, small")
        problem = try self.problem(Nothing.self, #"{"a":1}"#)
        #expect(problem.detail == "a is not a field; allowed: none")
        #expect(try self.problem(Nothing.self, "[]").code == .malformedRequest)
    }

    @Test(
        "of another type say where, what was found and what is allowed",
        arguments: [
            (#"{}"#, "name is missing"), (#"{"name":null}"#, "name is missing"),
            (#"[]"#, "the request must be an object, found an empty list"),
            (#"{"name":1}"#, "name must be text, found the number 1"),
            (#"{"name":"a","parts":{}}"#, "parts must be a list, found an object"),
            (#"{"name":"a","parts":[1]}"#, "parts[0] must be an object, found the number 1"),
            (
                #"{"name":"a","parts":[{"count":"1"}]}"#,
                "parts[0].count must be a whole number of 64 bits, found the text “1”"
            ),
            (
                #"{"name":"a","parts":[{"count":1.5}]}"#,
                "parts[0].count must be a whole number of 64 bits, found the number 1.5"
            ),
            (#"{"name":"a","flags":{"x":1}}"#, "flags.x must be true or false, found the number 1"),
        ]
    )
    func wrongTypes(text: String, detail: String) throws {
        let problem = try problem(Whole.self, text)
        #expect(problem.code == .malformedRequest)
        #expect(problem.detail == detail)
    }

    @Test("with a word or number that is not allowed are refused with those that are")
    func words() throws {
        let problem = try problem(Whole.self, #"{"name":"a","parts":[{"count":1,"states":["ready","runing"]}]}"#)
        #expect(problem.code == .invalidArgument)
        #expect(problem.field == "parts[0].states[1]")
        #expect(problem.found == "runing")
        #expect(problem.allowed == TaskState.allCases.map(\.rawValue))
        #expect(try self.problem(Whole.self, #"{"name":"a","small":2147483648}"#).code == .invalidArgument)
    }

    @Test("keep 64-bit numbers")
    func integers() throws {
        for text in ["9007199254740993", "9223372036854775807", "-9223372036854775808"] {
            #expect(try StrictDecoder.decode(Part.self, from: json("{\"count\":\(text)}")).count == Int(text))
        }
        #expect(try StrictDecoder.decode(Part.self, from: json(#"{"count":1e3}"#)).count == 1000)
        for text in ["9223372036854775808", "1e19", "9007199254740993.5", "1e400"] {
            #expect(try problem(Part.self, "{\"count\":\(text)}").code == .malformedRequest)
        }
        #expect(try problem(Part.self, #"{"count":1,"ratio":1e400}"#).code == .malformedRequest)
    }

    @Test(
        "take durations as seconds or ISO 8601",
        arguments: [
            ("1.5", 1_500_000), ("0", 0), ("-2", -2_000_000), ("0.000001", 1), ("\"PT0.5S\"", 500_000),
            ("\"PT1H30M\"", 5_400_000_000), ("\"P1D\"", 86_400_000_000), ("\"P1W\"", 604_800_000_000),
            ("\"P1DT12H\"", 129_600_000_000), ("\"PT36H\"", 129_600_000_000), ("315360000.123456", 315_360_000_123_456),
        ]
    )
    func durations(text: String, microseconds: Int) throws {
        let seconds = try StrictDecoder.decode(Seconds.self, from: json(text))
        #expect(seconds.duration == .microseconds(microseconds))
        let written = String(decoding: try JSONText.bytes([seconds]), as: UTF8.self)
        #expect(try StrictDecoder.decode([Seconds].self, from: json(written)) == [seconds])
    }

    @Test(
        "refuse what is no duration",
        arguments: [
            "true", "\"1s\"", "\"P\"", "\"PT\"", "\"P1Y\"", "\"P1M\"", "\"PT1M1H\"", "\"P1H\"", "\"PT.5S\"",
            "\"PT1.5H1M\"", "\"PT-1S\"",
            "\"\"", "\"PT1S1S\"", "\"P1DT\"", "1e300", "\"PT1e3S\"", "\"PT١S\"", "[]",
        ]
    )
    func noDurations(text: String) throws {
        #expect(try problem(Seconds.self, text).code == .invalidArgument)
    }

    @Test("name tasks by id, or by kind and identifier")
    func references() throws {
        #expect(try StrictDecoder.decode(TaskRef.self, from: json(#""a""#)).id == "a")
        #expect(try StrictDecoder.decode(TaskRef.self, from: json(#"{"id":"a"}"#)).id == "a")
        #expect(try StrictDecoder.decode(TaskRef.self, from: json(#"{"kind":"k","identifier":"7"}"#)).id == "k#7")
        #expect(try problem([TaskRef].self, #"["a",{"kind":"k"}]"#).field == "[1]")
        #expect(try problem(GetRequest.self, #"{"tasks":["a",""]}"#).field == "tasks[1]")
        let unknown = try problem(GetRequest.self, #"{"tasks":[{"ident":"a"}]}"#)
        #expect(unknown.detail == "tasks[0].ident is not a field; allowed: id, kind, identifier")
        #expect(try problem(GetRequest.self, #"{"tasks":[1]}"#).code == .malformedRequest)
    }

    @Test("give bytes in exactly one of three ways")
    func bodies() throws {
        func body(_ text: String) throws -> Body {
            try StrictDecoder.decode(NewBodyJSON.self, from: json(text)).body("payload")
        }
        #expect(try body(#"{"base64":"AP8=","contentType":"a/b"}"#) == Body(bytes: [0, 255], contentType: "a/b"))
        #expect(try body(#"{"base64":""}"#) == .empty)
        #expect(try body(#"{"text":"é"}"#) == Body(text: "é"))
        let exact = #"{"b":1.10,"a":[9007199254740993,"\u00e9",null]}"#
        #expect(try body("{\"json\":\(exact)}").text == #"{"b":1.10,"a":[9007199254740993,"é",null]}"#)
        #expect(try body(#"{"json":"a"}"#).contentType == "application/json")
        for wrong in [
            #"{}"#, #"{"text":"a","base64":""}"#, #"{"base64":"A"}"#, #"{"base64":"AP8"}"#, #"{"base64":"AP-_"}"#,
        ] {
            #expect(throws: Problem.self) { try body(wrong) }
        }
    }
}
