import Belay

/// A worker.
struct WorkerJSON: Documented, Encodable {
    var name: String
    var alive: Bool?
    var seen: Timestamp
    var since: Timestamp?
    var aliveUntil: Timestamp?
    var interval: Seconds?
    var slots: Int?
    var active: Int?
    var succeeded: Int?
    var failed: Int?
    var software: String?
    var drift: Seconds?
    var kinds: [KindName]

    static let docs = [
        "name": "Its name.", "alive": "Whether it counts as alive; absent when it never beat.",
        "seen": "When it last claimed or beat.", "since": "Since when it works.",
        "aliveUntil": "Until when it counts as alive: two intervals after its last beat, or when it left.",
        "interval": "How often it beats.", "slots": "How many tasks it runs at once.",
        "active": "How many it ran when it last beat.", "succeeded": "How many it ended well.",
        "failed": "How many it ended otherwise.", "software": "What it is.",
        "drift": "How far its clock was ahead of the server's.", "kinds": "The kinds that it takes.",
    ]

    init(_ worker: WorkerInfo) {
        name = worker.name
        alive = worker.isAlive
        seen = worker.seen
        since = worker.since
        aliveUntil = worker.aliveUntil
        interval = Seconds(worker.interval)
        slots = worker.slots
        active = worker.active
        succeeded = worker.succeeded
        failed = worker.failed
        software = worker.software
        drift = Seconds(worker.drift)
        kinds = worker.kinds
    }
}
