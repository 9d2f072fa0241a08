/// Something that happened in a tracker: one transition of one task, or a change of a kind, a gate or a worker.
public struct TrackerEvent: Sendable, Hashable, Codable {
    /// What happened; grows with the library, so a `switch` needs a default.
    public struct Name: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
        /// The name as it is stored.
        public let rawValue: String
        /// A name as it is stored.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// The name.
        public var description: String { rawValue }

        /// A task was created.
        public static let enqueued = Name(rawValue: "enqueued")
        /// A task was created, or is to run again, and waits for its parents.
        public static let blocked = Name(rawValue: "blocked")
        /// Its parents ended as it needs, and it is ready; the detail is its due time.
        public static let unblocked = Name(rawValue: "unblocked")
        /// A task was cancelled because it cannot have of its parents what it needs; the detail is the parent.
        public static let parentFailed = Name(rawValue: "parent-failed")
        /// A task was cancelled because its time to begin had passed.
        public static let expired = Name(rawValue: "expired")
        /// A task was cancelled because another one has the same content; the detail is its id.
        public static let deduplicated = Name(rawValue: "deduplicated")
        /// A task that had succeeded is used again.
        public static let reused = Name(rawValue: "reused")
        /// A worker took a task's lock; the detail is the fence.
        public static let claimed = Name(rawValue: "claimed")
        /// A holder said how far it is; the detail is in thousandths.
        public static let progressed = Name(rawValue: "progressed")
        /// A holder saved data (`v`) or its response (`r`).
        public static let saved = Name(rawValue: "saved")
        /// A task ended well.
        public static let succeeded = Name(rawValue: "succeeded")
        /// An attempt failed; the task runs again at the time that the detail tells, µs since 1970.
        public static let retrying = Name(rawValue: "retrying")
        /// A task's attempts are used up.
        public static let exhausted = Name(rawValue: "exhausted")
        /// An operator gave a task another priority; the detail is that.
        public static let prioritised = Name(rawValue: "prioritised")
        /// A task was set aside.
        public static let ignored = Name(rawValue: "ignored")
        /// A task ended on request; the detail is the reason.
        public static let cancelled = Name(rawValue: "cancelled")
        /// A running task was asked to stop; the detail is the reason.
        public static let cancelRequested = Name(rawValue: "cancel-requested")
        /// A holder handed a task back; the detail is its due time.
        public static let released = Name(rawValue: "released")
        /// A holder put a task off; the detail is its due time.
        public static let snoozed = Name(rawValue: "snoozed")
        /// A lease ran out; the detail is the letter of the state after.
        public static let reaped = Name(rawValue: "reaped")
        /// A holder lost its lock to another; the detail is the letter of the state after.
        public static let superseded = Name(rawValue: "superseded")
        /// An operator runs a task again; the detail is the letter of the state before.
        public static let requeued = Name(rawValue: "requeued")
        /// A task was paused; the detail is the letter of the state before.
        public static let paused = Name(rawValue: "paused")
        /// A pause ended; the detail is the letter of the state before.
        public static let resumed = Name(rawValue: "resumed")
        /// An operator deleted a task; the detail is the letter of the state before.
        public static let deleted = Name(rawValue: "deleted")
        /// A task was kept long enough; the detail is the letter of the state before.
        public static let purged = Name(rawValue: "purged")
        /// An index named a task that is not there.
        public static let orphaned = Name(rawValue: "orphaned")
        /// A kind's policy was stored; the detail is its text.
        public static let defined = Name(rawValue: "defined")
        /// A kind was removed.
        public static let undefined = Name(rawValue: "undefined")
        /// A kind, or without one the tracker, was paused; the detail says why.
        public static let kindPaused = Name(rawValue: "kind-paused")
        /// Its pause ended.
        public static let kindResumed = Name(rawValue: "kind-resumed")
        /// A worker began to work.
        public static let workerOnline = Name(rawValue: "worker-online")
        /// A worker left.
        public static let workerOffline = Name(rawValue: "worker-offline")
        /// A worker left, because too much of what it ran failed.
        public static let workerDrained = Name(rawValue: "worker-drained")
        /// Events of Celery changed a foreign task; the detail is its state after. Without a task: `evicted N` foreign tasks made
        /// room, or of a foreign worker `worker-online` or `worker-offline`.
        public static let ingested = Name(rawValue: "ingested")
        /// Not stored: events before this one are not kept any more, and were not seen.
        public static let historyLost = Name(rawValue: "history-lost")
    }

    /// Where an event stands in the stream: `entry/place`, for example `1767225600000-0/2`.
    ///
    /// On a tracker of several partitions there is a stream in each, and a position tells how far each was read, in their order,
    /// joined by commas: `-` for nothing, and `@` before the event's own, for example `1767225600000-0/2,@1767225600001-0/0,-`.
    /// Two readers may have read different parts when they come to the same event.
    public struct Position: Sendable, Hashable, Codable, CustomStringConvertible {
        let entry: String
        let place: Int
        /// What was read last of each partition; none on a tracker of one.
        let read: [Spot?]
        /// The partition whose event this is.
        let partition: Int

        /// A place in one stream.
        struct Spot: Sendable, Hashable {
            let entry: String
            let place: Int
        }

        package init(entry: String, place: Int) {
            self.entry = entry
            self.place = place
            read = []
            partition = 0
        }

        /// A position among several partitions, at what was read last of one; nil when nothing was.
        init?(_ read: [Spot?], at partition: Int) {
            guard let spot = read[partition] else { return nil }
            (entry, place) = (spot.entry, spot.place)
            self.read = read
            self.partition = partition
        }

        /// Reads what ``description`` writes; nil for anything else.
        public init?(_ text: String) {
            let words = text.split(separator: ",", omittingEmptySubsequences: false)
            if words.count == 1, let spot = Spot(words[0]) {
                self.init(entry: spot.entry, place: spot.place)
                return
            }
            guard words.count > 1, words.count <= Limits.partitions.upperBound,
                let own = words.firstIndex(where: { $0.hasPrefix("@") })
            else { return nil }
            var read: [Spot?] = []
            for (place, word) in words.enumerated() {
                let spot = Spot(place == own ? word.dropFirst() : word)
                guard spot != nil || word == "-" else { return nil }
                read.append(spot)
            }
            self.init(read, at: own)
        }

        /// `entry/place`, or that of each partition.
        public var description: String {
            guard !read.isEmpty else { return "\(entry)/\(place)" }
            return read.enumerated().map { place, spot in
                spot.map { (place == partition ? "@" : "") + "\($0.entry)/\($0.place)" } ?? "-"
            }.joined(separator: ",")
        }

        /// What tells the event from all others, whoever reads it.
        var own: String { read.isEmpty ? description : "\(partition):\(entry)/\(place)" }

        /// Reads the text of ``description``.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let position = Position(text) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no position: \(text)")
            }
            self = position
        }

        /// Writes ``description``.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(description)
        }
    }

    /// Where it stands in the stream; a reader that begins there sees what came after.
    public var position: Position
    /// What happened.
    public var name: Name
    /// When, by the server's clock.
    public var time: Timestamp
    /// The kind; nil when it concerns none.
    public var kind: KindName?
    /// The task; nil when it concerns none.
    public var task: TaskID?
    /// What the name says of it; empty when there is nothing.
    public var detail: String
    /// The worker that acted or held the task; nil when none did.
    public var worker: String?

    package init(
        position: Position,
        name: Name,
        time: Timestamp,
        kind: KindName? = nil,
        task: TaskID? = nil,
        detail: String,
        worker: String? = nil
    ) {
        self.position = position
        self.name = name
        self.time = time
        self.kind = kind
        self.task = task
        self.detail = detail
        self.worker = worker
    }

    /// The event's type in the terms of Celery (`task-sent`, `task-started` ...); nil for what Celery does not know.
    ///
    /// A claim is `task-started`: a worker of Belay receives a task by starting it. A released task is `task-rejected`, one
    /// that is handed back to the queue.
    public var celeryType: String? {
        switch name {
        case .enqueued, .blocked: "task-sent"
        case .claimed: "task-started"
        case .succeeded: "task-succeeded"
        case .exhausted, .ignored: "task-failed"
        case .retrying: "task-retried"
        case .reaped: ["x", "n"].contains(detail) ? "task-failed" : detail == "c" ? "task-revoked" : "task-retried"
        case .cancelled, .expired, .deduplicated, .parentFailed: "task-revoked"
        case .released: "task-rejected"
        case .workerOnline: "worker-online"
        case .workerOffline, .workerDrained: "worker-offline"
        default: nil
        }
    }

    /// Whether the run that the event tells of goes on: sent, received and started are active; succeeded, failed, revoked
    /// and retried are not (after a retry the task is, its run is not). Nil for events of no run.
    public var isActive: Bool? {
        switch celeryType {
        case "task-sent", "task-started": true
        case "task-succeeded", "task-failed", "task-revoked", "task-retried", "task-rejected": false
        default: nil
        }
    }
}

extension TrackerEvent.Position.Spot {
    /// `entry/place`; nil for anything else.
    fileprivate init?(_ text: Substring) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let numbers = parts.first?.split(separator: "-", omittingEmptySubsequences: false) ?? []
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard parts.count == 2, numbers.count == 2,
            numbers.allSatisfy({ UInt64($0) != nil && $0.utf8.allSatisfy(digits.contains) }),
            let place = Int(parts[1]), place >= 0
        else { return nil }
        (entry, self.place) = (String(parts[0]), place)
    }
}

/// Where to begin to read events.
public enum EventStart: Sendable, Hashable {
    /// With the oldest that is kept.
    case oldest
    /// With what comes from now on.
    case newest
    /// With what comes after that.
    case after(TrackerEvent.Position)
}

/// A page of events.
public struct EventPage: Sendable, Hashable {
    /// The events, oldest first.
    public var events: [TrackerEvent]
    /// Whether events after the position asked for are not kept any more: the stream keeps about the last 10,000 entries.
    public var isLost: Bool
    /// Where to go on; nil when nothing ever happened.
    public var position: TrackerEvent.Position?
    /// The moment of the answer.
    public var now: Timestamp

    package init(events: [TrackerEvent], isLost: Bool, position: TrackerEvent.Position?, now: Timestamp) {
        self.events = events
        self.isLost = isLost
        self.position = position
        self.now = now
    }
}
