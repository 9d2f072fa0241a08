import Testing

@testable import Belay

@Suite("A stored failure")
struct FailureTextTests {
    @Test("survives a round trip")
    func roundTrip() {
        let failures = [
            TaskFailure(type: "", message: ""),
            TaskFailure(type: "exit", message: "code 1", backtrace: ["a", "", "b"], host: "h", pid: 1),
            TaskFailure(type: "t\n\0", message: "“é” \"\\\u{1} 🧗🏽‍♀️ / \u{2028}"),
        ]
        for failure in failures { #expect(FailureText.decode(FailureText.encode(failure)[...]) == failure) }
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
        let bytes = FailureText.encode(failure)
        #expect(bytes.count <= Limits.failureBytes)
        let kept = try #require(FailureText.decode(bytes[...]))
        #expect(kept.message.hasPrefix("message " + character + character))
        #expect(kept.message.hasSuffix("…"))
        #expect(kept.type.hasSuffix("…"))
        #expect(kept.backtrace.first?.hasPrefix("line ") == true)
        #expect(kept.backtrace.count < 500)
    }

    @Test("keeps its message although the backtrace has very many empty lines")
    func emptyLines() throws {
        let failure = TaskFailure(type: "t", message: "what happened", backtrace: Array(repeating: "", count: 100_000))
        let bytes = FailureText.encode(failure)
        #expect(bytes.count <= Limits.failureBytes)
        let kept = try #require(FailureText.decode(bytes[...]))
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
