import Testing

@testable import Belay

@Suite("Replaying events")
struct EventReplayTests {
    private static func event(_ name: TrackerEvent.Name, _ task: TaskID? = "a", _ detail: String = "") -> TrackerEvent {
        TrackerEvent(
            position: TrackerEvent.Position(entry: "1-0", place: 0),
            name: name,
            time: Timestamp(microseconds: 0),
            kind: "k",
            task: task,
            detail: detail
        )
    }

    private static func states(_ events: [TrackerEvent]) -> [TaskState: Int] {
        var replay = EventReplay()
        for event in events { replay.apply(event) }
        return replay.counts["k"] ?? [:]
    }

    @Test("follows a task from state to state")
    func states() {
        let ends: [(TrackerEvent.Name, String, TaskState?)] = [
            (.claimed, "1", .running), (.succeeded, "", .succeeded), (.retrying, "5", .ready),
            (.exhausted, "", .exhausted),
            (.ignored, "q", .ignored), (.cancelled, "why", .cancelled), (.cancelRequested, "why", .ready),
            (.released, "5", .ready), (.snoozed, "5", .ready), (.reaped, "x", .exhausted), (.reaped, "q", .ready),
            (.superseded, "r", .running), (.requeued, "s", .ready), (.blocked, "", .blocked), (.unblocked, "5", .ready),
            (.parentFailed, "t:b", .cancelled), (.expired, "", .cancelled), (.deduplicated, "b", .cancelled),
            (.paused, "q", .paused), (.resumed, "p", .ready), (.resumed, "h", .running), (.deleted, "q", nil),
            (.purged, "s", nil), (.progressed, "5", .ready), (.saved, "v", .ready), (.reused, "", .ready),
        ]
        for (name, detail, state) in ends {
            let counts = Self.states([Self.event(.enqueued), Self.event(name, "a", detail)])
            #expect(counts == (state.map { [$0: 1] } ?? [:]), "\(name) \(detail)")
        }
    }

    @Test("forgets the tasks of a kind that is removed")
    func undefined() {
        #expect(Self.states([Self.event(.enqueued), Self.event(.undefined, nil)]) == [:])
    }

    @Test("says when events are missing")
    func incomplete() {
        var replay = EventReplay()
        replay.apply(Self.event(.enqueued))
        #expect(replay.isComplete)
        replay.apply(Self.event(.claimed, "never heard of"))
        #expect(!replay.isComplete)
        replay = EventReplay()
        replay.apply(Self.event(.historyLost, nil))
        #expect(!replay.isComplete)
        replay = EventReplay()
        replay.apply(EventPage(events: [], isLost: true, position: nil, now: Timestamp(microseconds: 0)))
        #expect(!replay.isComplete)
    }

    @Test("names where it differs from stats, and nothing where it does not")
    func differences() {
        var replay = EventReplay()
        replay.apply(Self.event(.enqueued))
        var kind = TrackerStats.Kind(kind: "k")
        kind.scheduled = 1
        let now = Timestamp(microseconds: 0)
        #expect(replay.differences(from: TrackerStats(now: now, kinds: [kind], workers: 0)) == [])
        (kind.scheduled, kind.blocked) = (0, 1)
        #expect(
            replay.differences(from: TrackerStats(now: now, kinds: [kind], workers: 0))
                == ["k ready: 1 by events, 0 by stats", "k blocked: 0 by events, 1 by stats"]
        )
        #expect(replay.differences(from: TrackerStats(now: now, kinds: [], workers: 0)).count == 1)
    }
}
