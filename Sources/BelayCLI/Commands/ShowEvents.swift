import ArgumentParser
import Belay
import BelayService

/// Shows what happened, or what happens.
struct ShowEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what happened, oldest first; or, with --follow, what happens.",
        discussion: """
            Without --from and --all it shows the last 100 events, and with --follow those
            from now on. The tracker keeps about the last 10,000 calls; where events are
            missing, history-lost stands. Each event shows its position, from which
            --from goes on. SIGINT ends --follow with exit code 0.

            EXAMPLES
              belay events --follow --kind mail
              belay events --all --id mail-7
              belay events --follow --from 1767225600000-0/2 --json
            """
    )

    /// How many are shown when nothing says where to begin.
    private static let last = 100

    @Option(help: "Only what came after this position.")
    var from: String?

    @Flag(help: "Begin with the oldest event that is kept.")
    var all = false

    @Flag(help: "Go on until SIGINT or SIGTERM.")
    var follow = false

    @Option(help: "Only events of this kind.")
    var kind: String?

    @Option(help: "Only events of this task.")
    var id: String?

    @OptionGroup var global: GlobalOptions

    private func start() throws -> EventStart? {
        guard let from else { return all ? .oldest : nil }
        guard !all else { throw Failure(.usage, "give either --from or --all, not both") }
        guard let position = TrackerEvent.Position(from) else {
            throw Failure(
                .usage,
                "--from “\(Escaping.line(from))” is no position; write it as 'belay events' shows it, such as "
                    + "1767225600000-0/2, or give --all"
            )
        }
        return .after(position)
    }

    func run() async throws {
        let start = try start()
        let filter = EventFilter(kind: try kind.map { try KindName($0) }, id: try id.map { try TaskID($0) })
        try await global.withSession { session in
            if follow { return try await Self.follow(session, start ?? .newest, filter) }
            var events: [TrackerEvent] = []
            try await Self.read(session.tracker, from: start ?? .oldest) { page in
                events += page.filter(filter.passes)
                guard start == nil else {
                    for event in events { session.output.event(event) }
                    return events.removeAll()
                }
                events.removeFirst(max(0, events.count - Self.last))
            }
            for event in events { session.output.event(event) }
        }
    }

    /// Reads up to what has happened when it begins: others may make events faster than they are read.
    private static func read(
        _ tracker: Tracker,
        from start: EventStart,
        _ body: ([TrackerEvent]) -> Void
    ) async throws {
        var reader = EventReader(tracker, from: start)
        var end: Timestamp?
        while true {
            let (events, now) = try await reader.next()
            body(events)
            let limit = end ?? now
            end = limit
            guard let last = events.last, last.time <= limit else { return }
        }
    }

    private static func follow(_ session: Session, _ start: EventStart, _ filter: EventFilter) async throws {
        // A server that was never there is an error; one that goes away later is waited for.
        try await session.tracker.open()
        let end = try await Supervisor().run {
            for try await event in session.tracker.events(following: start) where filter.passes(event) {
                session.output.event(event)
            }
        }
        if end.isForced { try end.throwIfSignalled() }
    }
}

/// Which events are shown.
private struct EventFilter: Sendable {
    var kind: KindName?
    var id: TaskID?

    func passes(_ event: TrackerEvent) -> Bool {
        event.name == .historyLost || (kind == nil || event.kind == kind) && (id == nil || event.task == id)
    }
}

extension Output {
    /// An event in a line of its own; lines come one by one, so columns have the width that names mostly need.
    fileprivate func event(_ event: TrackerEvent) {
        guard !isJSON else { return json(EventJSON(event)) }
        func column(_ text: String, _ width: Int, _ code: Colours.Code? = nil) -> String {
            let shown = Escaping.line(text)
            return colours.paint(shown, code) + String(repeating: " ", count: max(0, width - Escaping.width(shown)) + 2)
        }
        let text =
            column(event.time.description, 27, .dim) + column(event.position.description, 19, .dim)
            + column(event.name.rawValue, 16, event.name.colour) + column(event.kind?.description ?? "-", 10)
            + column(event.task?.description ?? "-", 20) + column(event.worker ?? "-", 16)
            + Escaping.line(event.detail)
        line(String(text.reversed().drop { $0 == " " }.reversed()))
    }
}

extension TrackerEvent.Name {
    /// The colour that stands for it.
    fileprivate var colour: Colours.Code? {
        switch self {
        case .claimed, .progressed, .saved: .blue
        case .succeeded: .green
        case .exhausted, .reaped, .retrying, .workerDrained, .historyLost: .red
        case .cancelled, .cancelRequested, .expired, .deduplicated, .parentFailed: .yellow
        case .paused, .kindPaused, .superseded: .yellow
        default: nil
        }
    }
}
