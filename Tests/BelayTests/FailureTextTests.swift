import Testing

@testable import Belay

@Suite("A stored failure")
struct FailureTextTests {
    /// A failure after it was stored and read again.
    static func stored(_ failure: TaskFailure) -> TaskFailure? {
        let (error, backtrace) = FailureText.encode(failure)
        return FailureText.decode(error[...], backtrace: backtrace)
    }

    @Test("survives a round trip")
    func roundTrip() {
        let failures = [
            TaskFailure(type: "", message: ""),
            TaskFailure(type: "exit", message: "code 1", backtrace: ["a", "", "b"], host: "h", pid: 1),
            TaskFailure(type: "t\n\0", message: "“é” \"\\\u{1} 🧗🏽‍♀️ / \u{2028}"),
        ]
        for failure in failures { #expect(Self.stored(failure) == failure) }
    }

    @Test("keeps its backtrace apart, one line a line, so that equal ones are equal bytes")
    func apart() {
        let lines = ["at a", "", " at b"]
        let first = FailureText.encode(TaskFailure(type: "t", message: "1", backtrace: lines))
        let second = FailureText.encode(TaskFailure(type: "u", message: "2", backtrace: lines, pid: 7))
        #expect(first.backtrace == Array("at a\n\n at b".utf8))
        #expect(second.backtrace == first.backtrace)
        #expect(second.error != first.error)
        #expect(!String(decoding: first.error, as: UTF8.self).contains("at a"))
        #expect(FailureText.encode(TaskFailure(type: "t", message: "m")).backtrace == [])
        let odd = TaskFailure(type: "t", message: "m", backtrace: ["a\nb", "c\r", "d\r\ne", "\r", ""])
        #expect(Self.stored(odd)?.backtrace == ["a b", "c\r", "d\r e", "\r", ""])
    }

    @Test("is read also where an older version kept the backtrace inside")
    func older() {
        let text = #"{"backtrace":["a","b"],"message":"m","type":"t"}"#
        let failure = FailureText.decode(Array(text.utf8)[...])
        #expect(failure == TaskFailure(type: "t", message: "m", backtrace: ["a", "b"]))
    }

    @Test("is text of another form where it is no failure of ours, and none where it is empty")
    func foreign() {
        #expect(FailureText.decode([]) == nil)
        #expect(FailureText.decode(Array("boom".utf8)[...]) == TaskFailure(type: "text", message: "boom"))
        #expect(FailureText.decode([0xff, 0x41])?.message == "\u{fffd}A")
        #expect(FailureText.decode(Array("{\"a\":1}".utf8)[...])?.type == "text")
    }

    @Test(
        "has at most 16 KiB and keeps the beginning of everything",
        arguments: ["x", "\u{1}", "\"", "é", "🧗", "\n", "e\u{301}"]
    )
    func worstCase(character: String) throws {
        let long = String(repeating: character, count: 60_000)
        let failure = TaskFailure(
            type: long,
            message: "message " + long,
            backtrace: Array(repeating: "line " + long, count: 500),
            host: long,
            pid: 1
        )
        let (error, backtrace) = FailureText.encode(failure)
        #expect(error.count + backtrace.count <= Limits.failureBytes)
        let kept = try #require(FailureText.decode(error[...], backtrace: backtrace))
        #expect(kept.message.hasPrefix("message " + character + character))
        #expect(kept.message.hasSuffix("…"))
        #expect(kept.type.hasSuffix("…"))
        #expect(kept.backtrace.first?.hasPrefix("line ") == true)
        #expect(kept.backtrace.count < 500)
    }

    @Test("keeps its message although the backtrace has very many empty lines")
    func emptyLines() throws {
        let failure = TaskFailure(type: "t", message: "what happened", backtrace: Array(repeating: "", count: 100_000))
        let (error, backtrace) = FailureText.encode(failure)
        #expect(error.count + backtrace.count <= Limits.failureBytes)
        let kept = try #require(FailureText.decode(error[...], backtrace: backtrace))
        #expect(kept.message == "what happened")
        #expect(kept.backtrace.last == "…")
    }

    @Test("is shortened between two characters, with a mark")
    func shorten() {
        #expect(FailureText.shorten("abc", to: 3) == "abc")
        #expect(FailureText.shorten("abcd", to: 3) == "…")
        #expect(FailureText.shorten("abcdefg", to: 6) == "abc…")
        #expect(FailureText.shorten("ab🧗🏽‍♀️cd", to: 10) == "ab…")
        #expect(FailureText.shorten("ééééé", to: 8) == "éé…")
        #expect(FailureText.shorten("", to: 0) == "")
    }

    @Test("tells of any thrown error by its type and its text, and keeps one that is thrown as such")
    func fromErrors() {
        struct Boom: Error, CustomStringConvertible { var description: String { "bang" } }
        let failure = TaskFailure(Boom())
        #expect(failure.type.hasSuffix("Boom"))
        #expect(failure.message == "bang")
        let own = TaskFailure(type: "a", message: "b")
        #expect(TaskFailure(own) == own)
        #expect(PermanentFailure("no").failure.type == "permanent")
    }
}
