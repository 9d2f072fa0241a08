import Belay
import Foundation
import Testing

@testable import BelayService

@Suite("The table of verbs")
struct VerbTableTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/Belay")

    private static func matches(_ file: String, _ pattern: Regex<(Substring, Substring)>) throws -> [String] {
        let text = try String(contentsOf: sources.appendingPathComponent(file), encoding: .utf8)
        return text.matches(of: pattern).map { String($0.output.1) }
    }

    /// Where one function of the library is not the verb of its name: `claim` of a named task is `acquire`, the log of a
    /// task is `logs`, those of a tag are `cancelTag` and `retryTag`; the first verb is found by its other overload.
    private static let others = [
        "claim": ["claim", "acquire"], "log": ["log", "logs"], "cancel": ["cancel", "cancelTag"],
        "retry": ["retry", "retryTag"],
    ]

    @Test("has every public verb and query of the library, and nothing else but the clock")
    func complete() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).filter {
            $0.hasPrefix("Tracker") && $0.hasSuffix(".swift")
        }
        #expect(files.count > 4)
        var functions: Set<String> = []
        for file in files { functions.formUnion(try Self.matches(file, /public func (\w+)[(<]/)) }
        // The end of the connection, and what reads a body.
        functions.subtract(["close", "decoded"])
        let wanted = Set(functions.flatMap { Self.others[$0] ?? [$0] })
        let names = VerbTable.entries.map(\.name)
        #expect(Set(names) == wanted.union(["clock/set", "clock/advance"]))
        #expect(Set(names).count == names.count)
    }

    @Test("has as many entries for overloads as it says")
    func overloads() throws {
        let claims = try Self.matches("Tracker+Claims.swift", /public func (claim)\(/)
        #expect(claims.count == 2, "one is claim, the other acquire; a third needs an entry")
        for name in ["cancel", "retry"] {
            let all = try Self.matches("Tracker+Operations.swift", /public func (cancel|retry)\(/).filter { $0 == name }
            #expect(all.count == 2, "one is \(name), the other \(name)Tag; a third needs an entry")
        }
    }

    @Test("tells of every reason of an explanation by a word, its numbers and the line for people")
    func reasons() throws {
        let moment = Timestamp(microseconds: 1_767_225_600_000_000)
        let failure = TaskFailure(type: "E", message: "no")
        let kind: KindName = "k"
        let all: [(Explanation.Reason, String, [String])] = [
            (.notDue(at: moment, in: .seconds(5)), "notDue", ["at", "delay"]),
            (.retrying(attempt: 2, of: 3, after: failure), "retrying", ["attempt", "attempts", "failure"]),
            (
                .kindPaused(kind: kind, since: moment, by: "ann", message: ""), "kindPaused",
                ["by", "kind", "message", "since"]
            ),
            (.kindPaused(kind: nil, since: moment, by: "ann", message: "m"), "kindPaused", ["by", "message", "since"]),
            (.behind(tasks: 7, endedLastMinute: 1), "behind", ["endedLastMinute", "tasks"]),
            (.noWorker(lastLeft: nil), "noWorker", []), (.imminent(workers: 1), "imminent", ["workers"]),
            (.running(worker: "w", until: moment, renewals: 2), "running", ["renewals", "until", "worker"]),
            (.leaseOver(worker: "w", since: moment), "leaseOver", ["since", "worker"]),
            (.asked(toStopAt: moment, reason: "r"), "asked", ["at", "message"]),
            (.paused(since: moment, worker: nil), "paused", ["since"]), (.succeeded(at: moment), "succeeded", ["at"]),
            (.exhausted(at: moment, attempts: 3, error: failure), "exhausted", ["at", "attempts", "failure"]),
            (.cancelled(at: moment, reason: "r"), "cancelled", ["at", "message"]),
            (.ignored(at: moment), "ignored", ["at"]),
            (.awaiting(parents: [], needed: 1, unfinished: 2), "awaiting", ["needed", "parents", "unfinished"]),
            (.expires(at: moment, in: .seconds(-1)), "expires", ["at", "delay"]),
            (.expired(at: moment), "expired", ["at"]),
            (.deduplicated(at: moment, of: "a"), "deduplicated", ["at", "of"]),
            (.parentFailed(at: moment, parent: .tag("t")), "parentFailed", ["at", "parent"]),
        ]
        #expect(Set(all.map(\.1)) == Set(ReasonJSON.Word.words))
        for (reason, word, fields) in all {
            let json = try JSONParser.parse(try JSONText.bytes(ReasonJSON(reason)))
            #expect(json["reason"]?.string == word)
            #expect(json["text"]?.string == reason.description)
            #expect(Set(json.names) == Set(fields + ["reason", "text"]), "\(json.text)")
        }
    }

    @Test("knows the code of every error of the library")
    func codes() throws {
        let codes = try Self.matches("Model/TrackerError.swift", /static let (\w+) = Code\(/)
        #expect(codes.count > 10)
        for code in codes { #expect(ProblemCode(rawValue: code) != nil, "\(code)") }
        #expect(Set(ProblemCode.allCases.map(\.title)).count == ProblemCode.allCases.count)
    }

    @Test("tells what every field means, and of no other")
    func docs() {
        for entry in VerbTable.entries {
            #expect(entry.summary.hasSuffix("."), "\(entry.name)")
            for shape in [entry.request, entry.response] {
                guard case .object = shape else {
                    Issue.record("\(entry.name) has a shape that could not be drawn: \(shape)")
                    continue
                }
                for object in shape.objects {
                    for field in object.fields {
                        #expect(field.doc.hasSuffix("."), "\(object.name).\(field.name)")
                        #expect(!field.doc.contains("  "), "\(object.name).\(field.name)")
                    }
                }
            }
        }
    }

    @Test("has one meaning for every name of an object")
    func names() {
        var fields: [String: [String]] = [:]
        for entry in VerbTable.entries {
            for object in entry.request.objects + entry.response.objects {
                let names = object.fields.map(\.name)
                #expect(fields[object.name] ?? names == names, "\(object.name)")
                fields[object.name] = names
            }
        }
        #expect(fields.count > 40)
    }

    @Test("documents no field that is not there")
    func spareDocs() {
        let types: [any Documented.Type] = [
            TaskJSON.self, AttemptJSON.self, FailureJSON.self, LogLineJSON.self, PolicyJSON.self, RetryJSON.self,
            KindCountsJSON.self, ClaimJSON.self, NewTaskJSON.self, NewBodyJSON.self, BodyJSON.self, ClaimHandle.self,
            AcquireRequest.self, AcquireResponse.self, TransitionJSON.self, FindRequest.self, LineCall.self,
            ReasonJSON.self, EventJSON.self, WorkerJSON.self, BeatRequest.self, ExplainResponse.self,
            ForeignTaskJSON.self, ForeignWorkerJSON.self, IngestRequest.self, ForeignTasksRequest.self,
            ForeignCountsResponse.self,
            AfterJSON.self, UniqueJSON.self, ParentJSON.self, ParentNameJSON.self, CauseJSON.self, TagCountsJSON.self,
            EnqueuedJSON.self, RenewedJSON.self, CancelTagRequest.self, RetryTagRequest.self, StatsResponse.self,
        ]
        for type in types { #expect(Set(type.docs.keys) == Set(Shape.of(type).fieldNames), "\(type)") }
    }

    @Test("draws shapes with their types and what is optional")
    func shapes() throws {
        guard case .object(let task) = Shape.of(NewTaskJSON.self) else { throw Problem(.internalError, "no object") }
        #expect(task.name == "NewTask")
        #expect(task.fields.filter { !$0.isOptional }.map(\.name) == ["kind"])
        #expect(Shape.of(ClaimJSON.self).objects.map(\.name) == ["Claim", "ClaimHandle", "Body"])
        #expect(Shape.of(StatsRequest.self).fieldNames.isEmpty)
    }
}
