import Foundation
import RedisWire
import Testing

@testable import Belay

/// The folders of the package, as the compiler saw them.
private enum Package {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Basenames of the files with this ending.
    static func files(_ folder: String, _ ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            .filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func isThere(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }
}

/// A script's file and its verb.
private struct LuaFile: Sendable, CustomStringConvertible {
    let folder: String
    let script: RedisScript
    var name: String { script.name }
    var path: String { "lua/\(folder)/\(name).lua" }
    /// The name of the Swift file, and of the test file without `Tests`.
    var swiftName: String { name.prefix(1).uppercased() + name.dropFirst() }
    var swiftPath: String { "Sources/Belay/\(folder == "queries" ? "Queries" : "Transitions")/\(swiftName).swift" }
    var description: String { name }

    static let all: [LuaFile] = {
        let transitions: [any Verb.Type] = [
            Acquire.self, Advance.self, Beat.self, Cancel.self, ClaimMany.self, Clear.self, Complete.self, Define.self,
            Delete.self, Destroy.self,
            Enqueue.self, Fail.self, Gate.self, DefineHook.self, Ignore.self, Ingest.self, Leave.self, Log.self,
            Open.self,
            Pause.self, Prioritise.self, Progress.self, Purge.self,
            Reap.self,
            Release.self, Renew.self, Resume.self, Retry.self, Save.self, ChangeSegments.self, SnoozeTasks.self,
            Undefine.self,
        ]
        let queries: [any Verb.Type] = [
            Attempts.self, Explain.self, Find.self, Fleet.self, ForeignMany.self, Get.self, Hooks.self, Kinds.self,
            Logs.self, Parents.self, Peek.self, Segments.self, Stats.self,
            Belay.Stream.self, Tags.self, Workers.self,
        ]
        return transitions.map { LuaFile(folder: "transitions", script: $0.script) }
            + queries.map { LuaFile(folder: "queries", script: $0.script) }
    }()
}

@Suite("The Lua files")
struct LuaFilesTests {
    @Test("of transitions and queries each have a verb, a Swift file and a test file, and the other way round")
    func bothWays() throws {
        for folder in ["transitions", "queries"] {
            let verbs = LuaFile.all.filter { $0.folder == folder }
            #expect(try Package.files("lua/\(folder)", ".lua") == verbs.map(\.name).sorted())
            let swift = try Package.files(
                "Sources/Belay/\(folder.prefix(1).uppercased() + folder.dropFirst())",
                ".swift"
            )
            // Row.swift reads what shared/row.lua writes.
            #expect(swift.filter { $0 != "Row" } == verbs.map(\.swiftName).sorted())
        }
        #expect(try Package.files("Tests/TransitionTests", "Tests.swift") == LuaFile.all.map(\.swiftName).sorted())
    }

    @Test("have basenames of their own, because each becomes a constant of one target")
    func basenames() throws {
        let names = try ["transitions", "queries", "shared"].flatMap { try Package.files("lua/\($0)", ".lua") }
        #expect(Set(names).count == names.count)
        for folder in ["transitions", "queries", "shared"] {
            let all = try FileManager.default.contentsOfDirectory(
                atPath: Package.root.appendingPathComponent("lua/\(folder)").path
            )
            #expect(all.allSatisfy { $0.hasSuffix(".lua") }, "every file of these folders is embedded")
        }
    }

    @Test("include pieces that exist, and every piece is included")
    func includes() throws {
        let pieces = Set(try Package.files("lua/shared", ".lua"))
        var used: Set<String> = []
        for file in LuaFile.all {
            let names = try Package.text(file.path).split(separator: "\n").map { $0.drop { $0 == " " } }
                .filter { $0.hasPrefix("-- @include ") }.map { String($0.dropFirst("-- @include ".count)) }
            #expect(Set(names).count == names.count, "\(file) includes a piece twice")
            #expect(pieces.isSuperset(of: names), "\(file) includes \(Set(names).subtracting(pieces))")
            used.formUnion(names)
        }
        #expect(pieces.subtracting(used) == [])
        for piece in pieces { #expect(try !Package.text("lua/shared/\(piece).lua").contains("@include")) }
    }

    @Test("begin with their contract", arguments: LuaFile.all)
    private func header(file: LuaFile) throws {
        let lines = try Package.text(file.path).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first?.hasPrefix("-- \(file.name): ") == true)
        var rest = lines.dropFirst()
        for word in ["KEYS", "ARGV", "RETURNS", "EMITS", "COST", "WHY"] {
            let place = try #require(
                rest.firstIndex { $0.hasPrefix("-- \(word) ") },
                "\(word) is missing or out of order"
            )
            rest = rest[(place + 1)...]
        }
    }

    @Test("travel without their comments, each with its pieces and its name in front", arguments: LuaFile.all)
    private func sources(file: LuaFile) {
        let lines = file.script.source.split(separator: "\n")
        #expect(lines.first == "-- belay 1 \(file.name)")
        #expect(!lines.dropFirst().contains { $0.drop { $0 == " " }.hasPrefix("--") })
        #expect(file.script.sha1.utf8.count == 40)
    }

    @Test(
        "use neither random numbers, the wall clock (but for one piece), cjson nor KEYS and SCAN",
        arguments: LuaFile.all
    )
    private func forbidden(file: LuaFile) throws {
        let text = try Package.text(file.path)
        let words = [
            "math.random", "os.time", "os.clock", "cjson", "cmsgpack", "loadstring", "'KEYS'", "EXPIRE", "'TIME'",
        ]
        for word in words { #expect(!text.contains(word), "\(file) uses \(word)") }
        // Only who deletes a whole tracker may look for its keys.
        #expect(text.contains("'SCAN'") == (file.name == "destroy"))
        if file.folder == "queries" {
            for word in ["SET", "HDEL", "ZADD", "ZREM", "DEL", "UNLINK", "PUSH", "XADD", "PUBLISH", "POP"] {
                #expect(
                    !text.contains("'\(word)") && !text.contains("H\(word)'"),
                    "the query \(file) writes with \(word)"
                )
            }
        }
    }

    @Test("use just the commands that open asks for, and that the README tells operators to allow")
    func rights() throws {
        var used: Set<String> = []
        for file in LuaFile.all {
            let calls = file.script.source.matches(of: /redis\.p?call\('([A-Z]+)'/)
            used.formUnion(calls.map { $0.output.1.lowercased() })
        }
        let open = try Package.text("lua/transitions/open.lua")
        let asked = Set(open.matches(of: /\{'([A-Z]+)', (?:key|channel|stream)/).map { $0.output.1.lowercased() })
        // TIME is needed before anything can be asked; SCAN only to delete a whole tracker.
        #expect(asked == used.subtracting(["time", "scan"]))
        let readme = try Package.text("lua/README.md")
        let rights = try #require(readme.firstMatch(of: /the commands inside the scripts: `([^`]*)`/)).output.1
        let allowed = Set(rights.split(whereSeparator: \.isWhitespace).map { String($0.dropFirst()) })
        #expect(allowed == used)
    }

    // MARK: Words

    /// Upper-case words in quotes that are not commands or their options.
    private static func words(_ source: String) -> Set<String> {
        let commands = /redis\.p?call\('[A-Z]+'(, [A-Za-z0-9_.\[\] ]+)*/
        let options: Set = ["LIMIT", "WITHSCORES", "MAXLEN", "MATCH", "COUNT"]
        // The rights that `open` asks for: {'HSET', key, 'f', 'v'}.
        let rights = /\{'[A-Z]+', (key|channel|stream)/
        let quoted = /'([A-Z][A-Z_]+)'/
        let words = source.replacing(commands, with: "").replacing(rights, with: "").matches(of: quoted).map {
            String($0.output.1)
        }
        return Set(words).subtracting(options)
    }

    @Test("answer only with words that their Swift decoder knows", arguments: LuaFile.all)
    private func knownWords(file: LuaFile) throws {
        let words = Self.words(file.script.source)
        #expect(words.contains("OK"))
        // What every script may answer is known to the backend.
        let common: Set = ["NO_TRACKER", "SCHEMA", "CLOCK", "PARTITIONS"]
        let swift =
            try ["Transitions/Renew", "Transitions/Pause", "Store/ScriptReply"].map {
                try Package.text("Sources/Belay/\($0).swift")
            }
            .joined() + Package.text(file.swiftPath)
        let backend = try Package.text("Sources/Belay/Store/RedisBackend.swift")
        for word in words.subtracting(common) {
            #expect(swift.contains("\"\(word)\""), "\(file.swiftPath) does not know the word \(word)")
        }
        for word in words.intersection(common) {
            #expect(backend.contains("\"\(word)\""), "the backend does not know the word \(word)")
        }
    }

    @Test("can answer each word that their header names", arguments: LuaFile.all)
    private func namedWords(file: LuaFile) throws {
        let lines = try Package.text(file.path).split(separator: "\n")
        let from = try #require(lines.firstIndex { $0.hasPrefix("-- RETURNS") })
        let end = try #require(lines.firstIndex { $0.hasPrefix("-- EMITS") })
        let header = lines[from..<end].joined(separator: " ").replacing("RETURNS", with: "")
        let named = Set(header.matches(of: /\b[A-Z][A-Z_]+\b/).map { String($0.output) })
        let words = Self.words(file.script.source).subtracting(["NO_TRACKER"])
        #expect(named.subtracting(words) == [], "named in the header, and never answered")
        let common: Set = ["SCHEMA", "CLOCK"]
        #expect(words.subtracting(named).subtracting(common) == [], "answered, and not named in the header")
    }
}
