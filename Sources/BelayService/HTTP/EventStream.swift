import Belay
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization

/// The live events of a tracker as Server-Sent Events: one block an event, its id the position to go on from.
///
/// It rides out a server that is away, and ends with the service, with its client, or with an error that stays.
struct EventStream: Sendable {
    static let pollInterval = Duration.milliseconds(250)

    var reader: EventReader
    var waiting: [TrackerEvent]
    let heartbeat: Duration
    /// Given back when nobody holds the stream any more, read or not.
    let slot: StreamSlots.Slot

    /// A stream that has looked once, so that what is wrong is told before it begins.
    init(_ tracker: Tracker, from start: EventStart, heartbeat: Duration, slot: StreamSlots.Slot) async throws(Problem)
    {
        reader = EventReader(tracker, from: start)
        do { waiting = try await reader.next().events } catch { throw Problem(error) }
        self.heartbeat = heartbeat
        self.slot = slot
    }

    /// The answer whose body never ends by itself.
    func response(to request: Request) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "text/event-stream"],
            body: .init { writer in
                try? await request.body.consumeWithCancellationOnInboundClose { _ in
                    try await write(to: &writer)
                }
                try await writer.finish(nil)
            }
        )
    }

    @concurrent private func write(to writer: inout any ResponseBodyWriter) async throws {
        var reader = reader
        // An id without data: who comes back before the first event goes on here too.
        try await writer.write(
            ByteBuffer(string: "retry: 1000\n" + (reader.position.map { "id: \($0)\n" } ?? "") + "\n")
        )
        try await writer.write(ByteBuffer(string: Self.blocks(waiting)))
        var sent = ContinuousClock.now
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let events = try await Self.read(&reader)
            if !events.isEmpty {
                try await writer.write(ByteBuffer(string: Self.blocks(events)))
                sent = .now
            } else {
                if sent.duration(to: .now) >= heartbeat {
                    try await writer.write(ByteBuffer(string: ": alive\n\n"))
                    sent = .now
                }
                try await Task.sleep(for: Self.pollInterval)
            }
        }
    }

    private static func read(_ reader: inout EventReader) async throws(TrackerError) -> [TrackerEvent] {
        do { return try await reader.next().events } catch {
            guard error.isRetriable else { throw error }
            return []
        }
    }

    private static func blocks(_ events: [TrackerEvent]) -> String {
        events.map { event in
            let data = (try? JSONText.bytes(EventJSON(event))).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
            return "id: \(event.position)\nevent: \(event.name)\ndata: \(data)\n\n"
        }
        .joined()
    }
}

extension EventStream {
    /// Where a request begins: `Last-Event-ID`, which a browser sends when it comes back, else `?from=`, else now.
    static func start(of request: Request) throws(Problem) -> EventStart {
        for (name, _) in request.uri.queryParameters where name != "from" {
            throw Problem(
                .unknownField,
                "\(JSONValue.string(String(name)).found) is no parameter of events; allowed: from",
                field: String(name.prefix(64)),
                allowed: ["from"]
            )
        }
        let last = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }.flatMap { $0.isEmpty ? nil : $0 }
        guard let text = last ?? request.uri.queryParameters["from"].map(String.init) else { return .newest }
        guard let from = EventFrom(text) else {
            let place = last == nil ? "from" : "Last-Event-ID"
            throw Problem(
                .invalidArgument,
                "\(place) \(JSONValue.string(text).found) is not where events can begin; allowed: \(EventFrom.allowed)",
                field: place,
                found: String(text.prefix(64)),
                allowed: ["oldest", "newest", "a position"]
            )
        }
        return from.start
    }
}

/// So many streams at once.
final class StreamSlots: Sendable {
    /// One stream; given back when nobody holds it.
    final class Slot: Sendable {
        private let slots: StreamSlots
        fileprivate init(_ slots: StreamSlots) { self.slots = slots }
        deinit { slots.taken.withLock { $0 -= 1 } }
    }

    private let limit: Int
    private let taken = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// - Throws: ``Problem`` (`tooManyStreams`).
    func take() throws(Problem) -> Slot {
        let isTaken = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        guard isTaken else {
            throw Problem(
                .tooManyStreams,
                "\(limit) streams of events are open, which is the most; close one, or ask POST events for pages",
                isRetriable: true
            )
        }
        return Slot(self)
    }
}
