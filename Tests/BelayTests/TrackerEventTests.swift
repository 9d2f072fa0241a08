import Foundation
import Testing

@testable import Belay

@Suite("An event")
struct TrackerEventTests {
    typealias Name = TrackerEvent.Name
    typealias Position = TrackerEvent.Position

    private static func event(_ name: Name, detail: String = "") -> TrackerEvent {
        TrackerEvent(
            position: Position(entry: "1767225600000-0", place: 2),
            name: name,
            time: Timestamp(microseconds: 1),
            kind: "k",
            task: "a",
            detail: detail,
            worker: "w"
        )
    }

    @Test(
        "has a position that is text, and the text is a position",
        arguments: [("0-0", 0), ("1767225600000-17", 499)]
    )
    func positions(entry: String, place: Int) throws {
        let position = Position(entry: entry, place: place)
        #expect(position.description == "\(entry)/\(place)")
        #expect(Position(position.description) == position)
        #expect(try JSONDecoder().decode([Position].self, from: JSONEncoder().encode([position])) == [position])
        let largest = "18446744073709551615-18446744073709551615/\(Int.max)"
        #expect(Position(largest)?.description == largest)
    }

    @Test(
        "has no position in any other text",
        arguments: [
            "", "/", "-", "-/", "1-0", "1-0/", "/1", "1/1", "1-0/-1", "1-0/x", "x-0/1", "1-x/1", "1-0-0/1", "1-0/1/1",
            "-0/1",
            "1-/1", " 1-0/1", "1-0/1 ", "+1-0/1", "1-+0/1", "1--1/0", "18446744073709551616-0/0",
            "1-0/9223372036854775808",
            "$/0", "٣-0/1",
        ]
    )
    func noPositions(text: String) {
        #expect(Position(text) == nil)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Position].self, from: JSONEncoder().encode([text]))
        }
    }

    @Test("keeps everything through JSON, names that it does not know among them")
    func codable() throws {
        for name in [Name.claimed, Name(rawValue: "of the future")] {
            let event = Self.event(name, detail: "7")
            #expect(try JSONDecoder().decode(TrackerEvent.self, from: JSONEncoder().encode(event)) == event)
            #expect(name.description == name.rawValue)
        }
    }

    /// Each name with its type in the terms of Celery, and whether its run goes on.
    private static let table: [(name: Name, stored: String, type: String?, isActive: Bool?)] = [
        (.enqueued, "enqueued", "task-sent", true),
        (.blocked, "blocked", "task-sent", true),
        (.unblocked, "unblocked", nil, nil),
        (.parentFailed, "parent-failed", "task-revoked", false),
        (.expired, "expired", "task-revoked", false),
        (.deduplicated, "deduplicated", "task-revoked", false),
        (.reused, "reused", nil, nil),
        (.claimed, "claimed", "task-started", true),
        (.succeeded, "succeeded", "task-succeeded", false),
        (.exhausted, "exhausted", "task-failed", false),
        (.ignored, "ignored", "task-failed", false),
        (.retrying, "retrying", "task-retried", false),
        (.cancelled, "cancelled", "task-revoked", false),
        (.released, "released", "task-rejected", false),
        (.workerOnline, "worker-online", "worker-online", nil),
        (.workerOffline, "worker-offline", "worker-offline", nil),
        (.workerDrained, "worker-drained", "worker-offline", nil),
        (.ingested, "ingested", nil, nil),
        (.progressed, "progressed", nil, nil),
        (.saved, "saved", nil, nil),
        (.cancelRequested, "cancel-requested", nil, nil),
        (.snoozed, "snoozed", nil, nil),
        (.superseded, "superseded", nil, nil),
        (.requeued, "requeued", nil, nil),
        (.prioritised, "prioritised", nil, nil),
        (.paused, "paused", nil, nil),
        (.resumed, "resumed", nil, nil),
        (.deleted, "deleted", nil, nil),
        (.purged, "purged", nil, nil),
        (.orphaned, "orphaned", nil, nil),
        (.defined, "defined", nil, nil),
        (.undefined, "undefined", nil, nil),
        (.kindPaused, "kind-paused", nil, nil),
        (.kindResumed, "kind-resumed", nil, nil),
        (.historyLost, "history-lost", nil, nil),
        (Name(rawValue: "of the future"), "of the future", nil, nil),
    ]

    @Test("has the type that Celery knows it by, and says whether its run goes on")
    func celery() {
        for row in Self.table {
            let event = Self.event(row.name)
            #expect(row.name.rawValue == row.stored)
            #expect(event.celeryType == row.type, "\(row.stored)")
            #expect(event.isActive == row.isActive, "\(row.stored)")
        }
    }

    @Test(
        "of a lease that ran out is told by what became of the task",
        arguments: [("q", "task-retried"), ("x", "task-failed"), ("n", "task-failed"), ("c", "task-revoked")]
    )
    func reaped(state: String, type: String) {
        let event = Self.event(.reaped, detail: state)
        #expect(event.celeryType == type)
        #expect(event.isActive == false)
    }

    @Test("has a name that a script writes, and every name that a script writes is known")
    func names() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("lua/README.md"), encoding: .utf8)
        let section = try #require(readme.firstMatch(of: /## Events\n\n[\s\S]*?Events: ([\s\S]*?)\n\n/)).output.1
        let told = Set(section.matches(of: /`([a-z-]{3,})`/).map { String($0.output.1) })
        let known = Set(Self.table.map(\.stored)).union(["reaped"]).subtracting(["history-lost", "of the future"])
        #expect(told == known)
    }
}
