import Foundation
import Testing

/// The sub-commands of `belay celery`.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CommandLineForeignTests {
    private static let lines = """
        {"type":"task-sent","uuid":"u1","timestamp":1767225600,"hostname":"client","name":"app.add","clock":1}

        {"type":"task-failed","uuid":"u1","timestamp":1767225601,"hostname":"w1","exception":"E","traceback":"a\\nb","clock":2}
        {"type":"worker-heartbeat","timestamp":1767225601,"hostname":"w2","freq":2,"active":3,"sw_ident":"py-celery"}
        {"type":"task-started","uuid":"u2","timestamp":1767225602,"hostname":"w1","parent_id":"u1","clock":3}
        """

    private func filled(_ folder: String) async throws -> CommandLineTool {
        let belay = try await CommandLineTool.shared()
        let file = folder + "/events.jsonl"
        try Self.lines.write(toFile: file, atomically: true, encoding: .utf8)
        let taken = try await belay("celery", "ingest", file)
        #expect(taken.out == "4 events taken, 0 known before\n", "\(taken.error)")
        let again = try await belay("celery", "ingest", file, "--json").object()
        #expect([again["applied"], again["unchanged"], again["evicted"]] == ["0", "4", "0"])
        return belay
    }

    @Test func tracksTasks() async throws {
        try await withTemporaryFolder { folder in
            let belay = try await filled(folder)
            let list = try await belay("celery", "list")
            #expect(list.lines.count == 3)
            #expect(list.lines[1].hasPrefix("u2    STARTED"))
            #expect(list.lines[2].contains("app.add"))
            #expect(try await belay("celery", "list", "--state", "failure", "--json").object()["uuid"] == "u1")
            #expect(try await belay("celery", "list", "--name", "app.add", "--json").object()["uuid"] == "u1")
            #expect(try await belay("celery", "list", "--worker", "w1", "--json").objects().count == 2)
            let page = try await belay("celery", "list", "--limit", "1", "--json").objects()
            #expect(page.count == 2)
            let cursor = try #require(page[1]["cursor"])
            #expect(try await belay("celery", "list", "--cursor", cursor, "--json").object()["uuid"] == "u1")
            let show = try await belay("celery", "show", "u1")
            for words in [
                "state           FAILURE", "client          client", "exception       E", "children        u2",
            ] {
                #expect(show.out.contains(words), "\(show.out)")
            }
            let object = try await belay("celery", "show", "u1", "--json").object()
            #expect([object["state"], object["fields", "traceback"]] == ["FAILURE", "a\nb"])
            #expect(object.value["ready"] as? Bool == true)
            #expect(try await belay("celery", "stats", "--json").object()["states", "FAILURE"] == "1")
            #expect(try await belay("celery", "stats").lines.count == 5)
            let workers = try await belay("celery", "workers", "--json").objects()
            #expect(workers.map { $0["hostname"] } == ["w1", "w2"])
            #expect([workers[1]["active"], workers[1]["interval"]] == ["3", "2"])
            #expect(workers[1].value["alive"] as? Bool == false)
            #expect(try await belay("celery", "workers").out.contains("py-celery"))
            #expect(try await belay("celery", "clear").out == "1 forgotten\n")
            #expect(try await belay("celery", "clear", "--all", "--json").object()["forgotten"] == "1")
        }
    }

    @Test func takesArrays() async throws {
        try await withTemporaryFolder { folder in
            let belay = try await CommandLineTool.shared()
            let file = folder + "/events.json"
            let lines = Self.lines.split(separator: "\n")
            try (" [" + lines.joined(separator: ",\n") + "]\n").write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await belay("celery", "ingest", file).out == "4 events taken, 0 known before\n")
            try ("[" + lines[0] + ",{}]").write(toFile: file, atomically: true, encoding: .utf8)
            try await belay.expectRefusal(["celery", "ingest", file], 65, "event 2: timestamp")
        }
    }

    @Test func refusesWrongEvents() async throws {
        try await withTemporaryFolder { folder in
            let belay = try await CommandLineTool.shared()
            let file = folder + "/events.jsonl"
            let first = Self.lines.prefix { $0 != "\n" }
            try "\(first)\n{\"type\":\"job-sent\",\"timestamp\":1}\n".write(
                toFile: file,
                atomically: true,
                encoding: .utf8
            )
            try await belay.expectRefusal(["celery", "ingest", file], 65, "line 2: type “job-sent”")
            #expect(try await belay("celery", "list", "--json").object()["uuid"] == "u1", "the lines before are taken")
            try await belay.expectRefusal(["celery", "ingest", folder + "/none"], 66, "No such file")
            try await belay.expectRefusal(["celery", "show", "none"], 66, "no event told of a task “none”")
            try await belay.expectRefusal(["celery", "list", "--state", "S", "--name", "n"], 64, "exclude each other")
        }
    }
}
