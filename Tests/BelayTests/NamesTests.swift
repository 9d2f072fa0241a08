import Foundation
import Testing

@testable import Belay

@Suite("A name")
struct NamesTests {
    /// Runs `body`, which must refuse its value with a message that names it and what is allowed.
    static func refused(
        _ words: [String],
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        #expect(sourceLocation: sourceLocation) {
            try body()
        } throws: {
            guard let error = $0 as? TrackerError, error.code == .invalidArgument, !error.isRetriable else {
                return false
            }
            return (words + ["allowed: "]).allSatisfy(error.message.contains)
        }
    }

    @Test(
        "of a task may hold any characters but control characters",
        arguments: [
            "a", " ", "{a}", "}", "a b", "é", "🧗🏽‍♀️", "\u{a0}", "\u{2028}", "日本", "\"\\'", "%d",
            String(repeating: "x", count: 256), String(repeating: "🧗", count: 64),
        ]
    )
    func goodIDs(text: String) throws { #expect(try TaskID(text).description == text) }

    @Test(
        "of a task is refused when it is empty, too long or has control characters",
        arguments: [
            "", "\0", "a\0b", "a\nb", "\r\n", "\t", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{9f}",
            String(repeating: "x", count: 257), String(repeating: "é", count: 129), String(repeating: "🧗", count: 65),
        ]
    )
    func badIDs(text: String) {
        Self.refused(["task id", "1 to 256 bytes"]) { _ = try TaskID(text) }
        let json = try? JSONEncoder().encode(text)
        #expect(throws: TrackerError.self) { try JSONDecoder().decode(TaskID.self, from: json ?? Data()) }
    }

    @Test("of a task is compared by its bytes")
    func bytes() {
        let (composed, decomposed) = ("\u{e9}" as TaskID, "e\u{301}" as TaskID)
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        let ordered: [TaskID] = ["Z", "a", "aa", "é"]
        #expect(ordered.reversed().sorted() == ordered)
        #expect(ordered[1] == "a")
    }

    @Test("of a task may be made of its kind and an identifier, which is unique so")
    func identifiers() throws {
        let id = try TaskID(kind: "a/b", identifier: "1#2")
        #expect(id == "a/b#1#2")
        #expect(TaskRecord(id: id, kind: "a/b", state: .ready, created: Timestamp(microseconds: 1)).identifier == "1#2")
        for (id, kind) in [("a#", "a"), ("b#1", "b")] as [(TaskID, KindName)] {
            let record = TaskRecord(id: id, kind: kind, state: .ready, created: Timestamp(microseconds: 1))
            #expect(record.identifier == String(id.description.dropFirst(2)))
        }
        let other = TaskRecord(id: "b#1", kind: "a", state: .ready, created: Timestamp(microseconds: 1))
        #expect(other.identifier == nil)
        #expect(try TaskID(kind: "k", identifier: String(repeating: "x", count: 254)).description.utf8.count == 256)
        for bad in ["", "a\nb", "\0", String(repeating: "x", count: 255)] {
            Self.refused(["identifier", "1 to 254 bytes"]) { _ = try TaskID(kind: "k", identifier: bad) }
        }
    }

    @Test("of a task or a kind survives JSON as plain text")
    func coding() throws {
        #expect(String(decoding: try JSONEncoder().encode(["a b"] as [TaskID]), as: UTF8.self) == #"["a b"]"#)
        #expect(try JSONDecoder().decode([KindName].self, from: Data(#"["k"]"#.utf8)) == ["k"])
        #expect(throws: TrackerError.self) { try JSONDecoder().decode([KindName].self, from: Data(#"["k k"]"#.utf8)) }
    }

    @Test("of a kind is taken", arguments: ["k", "K9", "0", "a.b_c:d/e-f", String(repeating: "k", count: 64)])
    func goodKinds(text: String) throws { #expect(try KindName(text).description == text) }

    @Test(
        "of a kind is refused",
        arguments: [
            "", ".a", "-a", "_a", "/a", ":a", "a b", "{a}", "a{", "é", "a\n", "a\0", "a*", "a?", "a\\", "a%",
            String(repeating: "k", count: 65),
        ]
    )
    func badKinds(text: String) { Self.refused(["kind", "1 to 64 of A-Z"]) { _ = try KindName(text) } }

    @Test("of a worker is printable ASCII without spaces, at most 64 characters")
    func workers() throws {
        for text in ["a", "host:1:x", "{x}", String(repeating: "w", count: 64)] {
            #expect(try WorkerName(text).description == text)
        }
        for text in ["", "a b", "é", "a\n", "a\0", "\u{7f}", String(repeating: "w", count: 65)] {
            Self.refused(["worker name", "1 to 64"]) { _ = try WorkerName(text) }
        }
    }

    @Test(
        "of a worker is made of host, process and a nonce, whatever the host is called",
        arguments: ["", "db-1", "a:b", "h ö st", String(repeating: "h", count: 300)]
    )
    func workerParts(host: String) throws {
        let name = WorkerName(host: host, pid: .max, nonce: "abc xyz" + String(repeating: "n", count: 50))
        #expect(try WorkerName(name.description) == name)
        #expect(name.pid == .max)
        #expect(!name.host.isEmpty)
        #expect(WorkerName(host: "db-1", pid: 7, nonce: "n").host == "db-1")
        #expect(try WorkerName("just-a-name").pid == nil)
    }

    @Test("of this process's workers differs each time")
    func ownWorkers() throws {
        let names = Set((0..<100).map { _ in Host.workerName().description })
        #expect(names.count == 100)
        for name in names { _ = try WorkerName(name) }
    }

    @Test("of a lock is a fresh UUID of version 4 without its dashes, as a name of who acts is one word")
    func words() throws {
        let tokens = Set((0..<100).map { _ in Host.token() })
        #expect(tokens.count == 100)
        #expect(tokens.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}/) != nil })
        let nonces = Set((0..<100).map { _ in Host.nonce() })
        #expect(nonces.count == 100)
        #expect(nonces.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{12}/) != nil })
        for token in tokens.union(nonces) { try Names.checkWord("token", token, limit: 32) }
    }

    @Test("of a namespace is taken", arguments: ["n", "9", "a.b_c-d", String(repeating: "n", count: 64)])
    func goodNamespaces(text: String) throws {
        #expect(try Tracker(url: "unix:///none.sock", namespace: text).namespace == text)
    }

    @Test(
        "of a namespace is refused",
        arguments: ["", ".a", "a b", "{a}", "a}", "a:b", "a/b", "é", "a\n", "a\0", String(repeating: "n", count: 65)]
    )
    func badNamespaces(text: String) {
        Self.refused(["namespace", "1 to 64 of A-Z"]) { _ = try Tracker(url: "unix:///none.sock", namespace: text) }
    }

    @Test("that is refused is shown short and without control characters")
    func shownSafely() throws {
        let text = "\u{1b}[31m\n" + String(repeating: "x", count: 1000)
        #expect {
            try TaskID(text)
        } throws: {
            let message = ($0 as? TrackerError)?.message ?? ""
            return message.contains("\\u{1b}[31m\\u{a}xxx") && message.utf8.count < 300
                && !message.unicodeScalars.contains { $0.isControl }
        }
    }

    @Test("of a note has at most 64 bytes and no control characters")
    func notes() throws {
        try Names.checkNote("reason", "")
        try Names.checkNote("reason", String(repeating: "é", count: 32))
        for text in [String(repeating: "x", count: 65), "a\nb", "\0"] {
            Self.refused(["reason", "at most 64 bytes"]) { try Names.checkNote("reason", text) }
        }
    }
}
