import Foundation
import Testing

@testable import Belay

@Suite("Pipelines")
struct PipelineTests {
    private struct Parameters: Encodable {
        var z: Int
        var a: String
    }

    private static func key(_ segment: Segment, _ more: [Segment] = []) throws -> String {
        try #require(try Pipeline(more + [segment]).instance(of: segment.name)).description
    }

    @Test("give a segment a key of name, version, parameters, rule, files and parents, and of nothing else")
    func keys() throws {
        let plain = try Self.key(Segment("s"))
        #expect(plain.wholeMatch(of: /s@[0-9a-f]{12}/) != nil)
        #expect(try Self.key(Segment("s")) == plain)
        let same = try Segment("s", start: .any, tag: "mine", kind: "other", policy: KindPolicy(attempts: 9))
        #expect(try Self.key(same) == plain)
        let scan = try Segment("scan")
        var others = [
            try Self.key(Segment("t")), try Self.key(Segment("s", version: "2")),
            try Self.key(Segment("s", parameters: Parameters(z: 1, a: ""))),
            try Self.key(Segment("s", parameters: Parameters(z: 2, a: ""))),
            try Self.key(Segment("s", rule: .gather)), try Self.key(Segment("s", parents: ["scan"]), [scan]),
            try Self.key(Segment("s", parents: ["scan"]), [Segment("scan", version: "2")]),
        ]
        others.append(plain)
        #expect(Set(others).count == others.count)
        // Names of objects come in order, so the order of a Swift type's properties does not matter.
        #expect(try Segment("s", parameters: Parameters(z: 1, a: "")).parameters.text == #"{"a":"","z":1}"#)
    }

    @Test("hash declared files by their content, wherever they lie")
    func files() throws {
        let folder = URL(filePath: "/tmp/belay-pipeline-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ text: String) throws -> String {
            let url = folder.appendingPathComponent(name)
            try Data(text.utf8).write(to: url)
            return url.path
        }
        let one = try Self.key(Segment("s", files: [file("a", "text")]))
        #expect(try Self.key(Segment("s", files: [file("b", "text")])) == one)
        #expect(try Self.key(Segment("s", files: [file("a", "other")])) != one)
        #expect(try Self.key(Segment("s")) != one)
        var given = try Segment("s")
        given.fileHashes = ["982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"]
        #expect(try Self.key(given) == one)
        let missing = try Segment("s", files: ["/nowhere/at/all"])
        let error = #expect(throws: TrackerError.self) { try Pipeline([missing]) }
        #expect(error?.message.contains("/nowhere/at/all") == true)
        given.fileHashes = ["short"]
        #expect(throws: TrackerError.self) { try Pipeline([given]) }
    }

    @Test("stand in the order of their connections; a cycle and an unknown parent are named")
    func connections() throws {
        let pipeline = try Pipeline([
            Segment("report", parents: ["sum", "class"]), Segment("sum", parents: ["scan"]),
            Segment("class", parents: ["scan"]), Segment("scan"),
        ])
        #expect(pipeline.segments.map(\.name) == ["scan", "sum", "class", "report"])
        #expect(
            pipeline.registrations[3].parents == [
                pipeline.registrations[1].instance, pipeline.registrations[2].instance,
            ]
        )
        let a = try Segment("a", parents: ["b"])
        let b = try Segment("b", parents: ["a"])
        var error = #expect(throws: TrackerError.self) { try Pipeline([a, b]) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("a -> b -> a") == true, "\(error?.message ?? "")")
        error = #expect(throws: TrackerError.self) { try Pipeline([a]) }
        #expect(error?.code == .unknownParent)
        #expect(error?.message.contains("“b”") == true)
        #expect(throws: TrackerError.self) { try Pipeline([]) }
        #expect(throws: TrackerError.self) { try Pipeline([Segment("a"), Segment("a", version: "2")]) }
    }

    @Test("refuse names, parameters, shares and versions that are not allowed")
    func refused() throws {
        for name in ["", "a b", "a@b", "a/b", String(repeating: "n", count: 50)] {
            #expect(throws: TrackerError.self, "\(name)") { try Segment(name, kind: "k") }
        }
        #expect(throws: TrackerError.self) { try Segment("a", version: String(repeating: "v", count: 65)) }
        let large = #expect(throws: TrackerError.self) {
            try Segment("a", parameters: String(repeating: "p", count: 4095))
        }
        #expect(large?.code == .tooLarge)
        #expect(large?.message.contains("4097") == true)
        for share in [0, -1, 1.01, Double.nan] {
            #expect(throws: TrackerError.self) { try Segment("a", start: .share(share)) }
        }
        let name = String(repeating: "n", count: 60)
        #expect(throws: TrackerError.self) { try Segment("a", rule: .group(by: name) { _ in "" }) }
    }

    @Test("give the same input the same task, by content, content type and group")
    func taskIDs() throws {
        let (one, two) = (Body(text: "1"), Body(text: "2"))
        let id = SegmentTask.id("s@0", input: [one, two])
        #expect(id.description.wholeMatch(of: /s@0\/[0-9a-f]{24}/) != nil)
        #expect(SegmentTask.id("s@0", input: [one, two]) == id)
        let others = [
            SegmentTask.id("s@1", input: [one, two]), SegmentTask.id("s@0", input: [two, one]),
            SegmentTask.id("s@0", input: [Body(text: "12")]), SegmentTask.id("s@0", input: [one, two], group: ""),
            SegmentTask.id("s@0", input: [Body(bytes: one.bytes), two]), SegmentTask.id("s@0", input: []),
            SegmentTask.id("s@0", input: [Body(bytes: [0xff]), two]),
            SegmentTask.id("s@0", input: [Body(bytes: [0xfe]), two]),
        ]
        #expect(Set(others + [id]).count == others.count + 1)
        #expect(SegmentTask.instance(of: id) == "s@0")
        #expect(SegmentTask.instance(of: "flow/x/y") == nil)
    }

    @Test("map states to pipelet's words, each state to one")
    func statuses() {
        #expect(SegmentStatus.allCases.flatMap(\.states).count == TaskState.allCases.count)
        for state in TaskState.allCases { #expect(SegmentStatus(state).states.contains(state)) }
        var counts = TagCounts(tag: "t")
        (counts.ready, counts.blocked, counts.paused, counts.running) = (1, 2, 4, 8)
        (counts.succeeded, counts.exhausted, counts.cancelled, counts.ignored) = (16, 32, 64, 128)
        #expect(SegmentStatus.allCases.map { counts.count($0) } == [7, 8, 16, 224])
    }
}
