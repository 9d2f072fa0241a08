import Belay
import BelayTestKit
import Foundation
import Testing

/// `belay demo --pipeline` and `belay segments`: pipelines of real processes.
@Suite("Pipelines of processes", .serialized, .timeLimit(.minutes(3)))
struct PipelineTests {
    private func makeFiles(_ count: Int, in folder: String) throws {
        for number in 1...count {
            let text = String(repeating: "line of file \(number)\n", count: number)
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/file \(number)"))
        }
        try Data([0, 1, 2]).write(to: URL(filePath: folder + "/binary"))
        try Data().write(to: URL(filePath: folder + "/empty"))
    }

    @Test("are killed whole and resumed without repeating anything, and use again what did not change")
    func killedAndResumed() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            try makeFiles(20, in: folder)
            let demo = try await belay("demo", "--pipeline", folder, "--floor", "100ms", "--json")
            #expect(demo.exitCode == 0, "\(demo.error)")
            let proof = try demo.object()
            #expect(Int(try #require(proof["finishedAtKill"])) ?? 0 > 30)
            #expect(proof["repeated"] == "0")
            #expect(proof["doubled"] == "0")
            // 22 files and one of the demo's own; a further one is missing.
            #expect(proof["verified"] == "23")
            #expect(proof["secondReused"] == "70")
            #expect(proof["secondRan"] == "0")
            #expect(proof["thirdReused"] == "66")
            #expect(proof["thirdRan"] == "4")
            #expect(proof["byEvents", "succeeded"] == "74")
            #expect(proof["byStats", "succeeded"] == "74")
            #expect(proof["byEvents", "exhausted"] == proof["byStats", "exhausted"])
            #expect(demo.error.contains("SIGKILL to the driver and 3 workers"))
            let namespace = try #require(demo.error.firstMatch(of: /namespace (demo-[a-z0-9]+)/)).1
            #expect(try await belay("kinds", "--json", "--namespace", String(namespace)).lines.isEmpty)
        }
    }

    @Test("are shown with a verdict for people")
    func summary() async throws {
        let belay = try await CommandLineTool.shared()
        try await withTemporaryFolder { folder in
            try makeFiles(3, in: folder)
            let demo = try await belay("demo", "--pipeline", folder)
            #expect(demo.exitCode == 0, "\(demo.error)")
            for word in ["segment ", "resume ", "report ", "second run ", "changed ", "by events ", "by stats "] {
                #expect(demo.lines.contains { $0.hasPrefix(word) }, "\(word)")
            }
            #expect(demo.out.contains("nothing repeated, nothing lost, events and stats agree"))
        }
    }

    @Test("have segments that are listed, tagged, cleaned, recovered and forgotten by command")
    func commands() async throws {
        let belay = try await CommandLineTool.shared()
        let namespace = try #require(belay.variables["BELAY_NAMESPACE"])
        let tracker = try Tracker(
            url: try #require(belay.variables["REDIS_URL"]),
            namespace: namespace,
            logger: .silent
        )
        let pipeline = try Pipeline([Segment("scan", tag: "nightly"), Segment("sum", parents: ["scan"])])
        try await tracker.registerSegments(of: pipeline)
        let scan = try #require(pipeline.instance(of: "scan"))
        try await tracker.define("scan")
        let tasks = try ["1", "2"].map {
            NewTask("scan", options: EnqueueOptions(id: try TaskID("\(scan)/\($0)"), tags: [scan]))
        }
        try await tracker.enqueue(tasks)
        _ = try await tracker.claim(["scan"], limit: 1)

        let list = try await belay("segments", "--json").objects()
        #expect(list.map { $0["name"] } == ["sum", "scan"])
        #expect(list[1]["instance"] == scan.description)
        #expect(list[1]["counts", "queued"] == "1")
        #expect(list[1]["counts", "running"] == "1")
        let table = try await belay("segments", "scan", "--tag", "nightly")
        #expect(table.lines.count == 2)
        #expect(table.out.contains(scan.description))
        #expect(try await belay("segments", "--tag", "other", "--json").lines.isEmpty)
        #expect(try await belay("segments", "--created-to", "2020-01-01T00:00:00Z", "--json").lines.isEmpty)

        #expect(try await belay("segments", "tag", scan.description, "--tag", "other").exitCode == 0)
        #expect(try await belay("segments", "--tag", "other", "--json").object()["name"] == "scan")
        #expect(try await belay("segments", "recover", scan.description).out == "1 tasks queued\n")
        try await belay.expectRefusal(["segments", "forget", scan.description], 1, "exist")
        #expect(try await belay("segments", "clean", scan.description, "--json").object()["changed"] == "2")
        #expect(try await belay("segments", "forget", scan.description).exitCode == 0)
        for command in ["clean", "recover", "forget", "tag"] {
            try await belay.expectRefusal(["segments", command, scan.description], 66, scan.description)
        }
        await tracker.close()
    }
}
