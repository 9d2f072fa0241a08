/// Every bound that Belay states; each is checked before anything is sent, and again by the script where it guards memory.
public enum Limits {
    /// Bytes of a namespace: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    public static let namespaceBytes = 64
    /// Bytes of a kind's name: 1 to 64 of `A-Z a-z 0-9 . _ : / -`.
    public static let kindBytes = 64
    /// Bytes of a task's id: 1 to 256, any UTF-8 without control characters.
    public static let idBytes = 256
    /// Bytes of a worker's name: 1 to 64, printable ASCII without spaces.
    public static let workerBytes = 64
    /// Bytes of a payload or result unless the tracker was created with another limit: 1 MiB.
    public static let defaultPayloadBytes = 1 << 20
    /// The largest payload limit a tracker may be created with: 64 MiB.
    public static let maximumPayloadBytes = 64 << 20
    /// Bytes of an error as it is stored, backtrace included; both are shortened to fit: 16 KiB.
    public static let failureBytes = 16 << 10
    /// Bytes of a message in a task's log: 1 KiB.
    public static let messageBytes = 1 << 10
    /// Lines kept in a task's log, beside what its record and attempts tell: 100.
    public static let logLines = 100
    /// Bytes of a lock's token: 1 to 64, printable ASCII without spaces.
    public static let tokenBytes = 64
    /// Bytes of a content type, a progress message or a reason: 64.
    public static let noteBytes = 64
    /// Tasks in one call of a transition or query: 500.
    public static let batch = 500
    /// Bytes of payloads or results in one call that was put together from those of several callers, unless one is larger: 4 MiB.
    public static let gatheredBytes = 4 << 20
    /// Bytes of a payload or result up to which its call may go together with others: 64 KiB.
    public static let sharedBytes = 64 << 10
    /// Tasks in one step of what goes through many, so that others wait a millisecond or two at most: 50.
    public static let step = 50
    /// Bytes of a tag: 1 to 62 of `A-Z a-z 0-9 . _ : / @ -`.
    public static let tagBytes = 62
    /// Tags of one task: 8.
    public static let tags = 8
    /// Tags whose counts are asked for in one call: 100.
    public static let tagsPerQuery = 100
    /// Parents that one task waits for: 100. For more, tag them and wait for the tag.
    public static let parents = 100
    /// Children that are told of an end within the call that ended their parent: 200; a reaper, or the next claim, tells the rest.
    public static let childrenPerCall = 200
    /// Signals that a running program may be cancelled with: 1 to 64.
    public static let signals = 1...64
    /// Kinds in one tracker: 1,000.
    public static let kinds = 1000
    /// Kinds in one claim: 100.
    public static let kindsPerClaim = 100
    /// Attempts remembered of one task, beside the current one: 20.
    public static let attemptsRemembered = 20
    /// A lease: 50 ms to 24 hours.
    public static let lease: ClosedRange<Duration> = .milliseconds(50) ... .seconds(86_400)
    /// A delay before a task runs, or between its attempts: 0 to 3,650 days.
    public static let delay: ClosedRange<Duration> = .zero ... .seconds(3650 * 86_400)
    /// Attempts that a policy may allow: 1 to 10,000.
    public static let attempts = 1...10_000
    /// The longest run of an attempt that a policy may set: 50 ms to 3,650 days.
    public static let timeout: ClosedRange<Duration> = .milliseconds(50) ... .seconds(3650 * 86_400)
    /// Waiting tasks that a policy may allow: 1 to a thousand million.
    public static let queueLimit = 1...1_000_000_000
    /// How often a worker says that it lives: 1 s to 1 h.
    public static let beatInterval: ClosedRange<Duration> = .seconds(1) ... .seconds(3600)
    /// Finished hooks in one tracker: 100.
    public static let hooks = 100
    /// Bytes of a finished hook as JSON: 16 KiB.
    public static let hookBytes = 16 << 10
    /// Foreign tasks in one tracker: 10,000; the one that was not heard of for longest makes room.
    public static let foreignTasks = 10_000
    /// Foreign workers in one tracker: 5,000; the one that was not heard of for longest makes room.
    public static let foreignWorkers = 5000
    /// States that Celery does not know itself, in use by the foreign tasks of one tracker: 100.
    public static let foreignStates = 100
    /// Bytes of a foreign task's arguments, result or exception, each; longer text is cut: 1 KiB.
    public static let foreignTextBytes = 1 << 10
    /// Bytes of a foreign task's traceback; a longer one is cut: 4 KiB.
    public static let foreignTracebackBytes = 4 << 10
    /// Bytes of any other field of a foreign task or worker, names of tasks among them; longer text is cut: 256.
    public static let foreignFieldBytes = 256
    /// How often a foreign worker may say that it sends a heartbeat: 1 ms to 24 hours.
    public static let foreignInterval: ClosedRange<Duration> = .milliseconds(1) ... .seconds(86_400)
    /// Partitions of one tracker: 1 to 256.
    public static let partitions = 1...256
    /// Priorities: 0 to 9, 9 is claimed first.
    public static let priorities = 0...9
}
