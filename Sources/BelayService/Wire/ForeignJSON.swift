package import Belay

/// A task that Celery runs.
package struct ForeignTaskJSON: Documented, Encodable {
    var uuid: TaskID
    var state: String
    var active: Bool
    var ready: Bool
    var name: String?
    var hostname: String?
    var client: String?
    var timestamp: Timestamp
    var clock: Int
    var lastEvent: Timestamp
    var moments: [String: Timestamp]
    var fields: [String: String]
    var parent: TaskID?
    var root: TaskID?
    var children: [TaskID]?

    static let docs = [
        "uuid": "Its id in Celery.",
        "state":
            "Where it stands: PENDING, RECEIVED, STARTED, RETRY, REJECTED, REVOKED, FAILURE, SUCCESS, or a state of the "
            + "program's own.",
        "active": "Whether its latest run goes on: it was sent, received or started.",
        "ready": "Whether it has ended: SUCCESS, FAILURE or REVOKED.", "name": "The name of what it runs.",
        "hostname": "The worker that it was last on.", "client": "The client that sent it.",
        "timestamp": "When the event that brought it to its state was sent.",
        "clock": "The Lamport clock of that event; 0 where it told none.",
        "lastEvent": "When the newest of its events was sent.",
        "moments":
            "When the newest event of each sort was sent: `sent`, `received`, `started`, `succeeded`, `failed`, `retried`, "
            + "`revoked`, `rejected`, or that of a state of the program's own.",
        "fields":
            "What else its events told, such as `args`, `result` or `exception`, as text; text that was too long is cut.",
        "parent": "The task that sent it.", "root": "The first task of its tree.",
        "children": "The tasks that name it as their parent, the first 500; absent in listings.",
    ]

    package init(_ task: ForeignTask, withChildren: Bool) {
        uuid = task.uuid
        state = task.state.name
        active = task.state.isActive
        ready = task.state.isReady
        name = task.name
        hostname = task.hostname
        client = task.client
        timestamp = task.timestamp
        clock = task.clock
        lastEvent = task.lastEvent
        moments = task.moments
        fields = task.fields
        parent = task.parent
        root = task.root
        children = withChildren ? task.children : nil
    }
}

/// A worker of Celery.
package struct ForeignWorkerJSON: Documented, Encodable {
    var hostname: String
    var alive: Bool
    var beats: [Timestamp]
    var left: Timestamp?
    var aliveUntil: Timestamp?
    var interval: Seconds
    var drift: Seconds?
    var drifting: Bool
    var software: String?
    var active: Int?
    var processed: Int?

    static let docs = [
        "hostname": "Its host name.", "alive": "Whether it counts as alive.",
        "beats": "Its last heartbeats, at most 4; each event of a task that it sent counts as one. None when it left.",
        "left": "When it last left.", "aliveUntil": "Two intervals after its latest heartbeat; absent when it left.",
        "interval": "How often it sends a heartbeat; 60 s where it told nothing.",
        "drift": "How far its clock was behind that of who received its latest event.",
        "drifting": "Whether its clock is off by more than 16 s.", "software": "What it runs.",
        "active": "How many tasks it ran when it last told.", "processed": "How many it has run.",
    ]

    package init(_ worker: ForeignWorker) {
        hostname = worker.hostname
        alive = worker.isAlive
        beats = worker.beats
        left = worker.left
        aliveUntil = worker.aliveUntil
        interval = Seconds(worker.interval)
        drift = Seconds(worker.drift)
        drifting = worker.isDrifting
        software = worker.software
        active = worker.active
        processed = worker.processed
    }
}
