import RedisWire
import Testing

@testable import Belay

@Suite("A limit")
struct LimitsTests {
    static let handle = ClaimHandle(id: "a", token: "t", fence: 1)
    static let worker = WorkerName(trusted: "w")

    @Test("of a batch holds for every verb that takes many", arguments: [0, 501])
    func batches(count: Int) {
        let handles = Array(repeating: Self.handle, count: count)
        let ids = handles.map(\.id)
        let failure = TaskFailure(type: "t", message: "m")
        let verbs: [any Verb] = [
            Renew(items: handles.map { ($0, .seconds(1)) }),
            Complete(items: handles.map { ($0, .empty) }, payloadLimit: 1),
            Fail(items: handles.map { Fail.Item(handle: $0, failure: failure, disposition: .retry()) }),
            Release(handles: handles), SnoozeTasks(items: handles.map { ($0, .zero) }),
            Cancel(targets: .tasks(ids), reason: "", actor: "op"),
            Cancel(targets: .tag("g", [.ready], limit: count), reason: "", actor: "op"),
            Retry(targets: .tasks(ids), budget: .fresh, actor: "op"),
            Retry(targets: .tag("g", [.cancelled], limit: count), budget: .fresh, actor: "op"),
            Pause(.tasks(ids), actor: "op", message: ""), Resume(.tasks(ids), actor: "op", message: ""),
            Ignore(ids: ids, actor: "op", message: ""), Delete(targets: .tasks(ids), force: true),
            Delete(targets: .tag("g", [.ready], limit: count), force: true),
            Prioritise(ids: ids, priority: 5, actor: "op"),
            Undefine(kind: "k", force: true, limit: count), Reap(limit: count), Purge(limit: count), Get(ids: ids),
            Find(kinds: [], states: [], order: .newestFirst, limit: count, cursor: nil),
            Peek(kinds: ["k"], limit: count, order: .due, scheduled: true),
            ClaimMany(token: "t", worker: Self.worker, count: count, kinds: ["k"], lease: nil),
            Enqueue(nonce: nil, actor: "op", kinds: [], items: [], payloadLimit: 1), Workers(limit: count),
        ]
        for verb in verbs {
            NamesTests.refused(["1 to 500", "“\(verb is Enqueue ? 0 : count)”"]) { try verb.validate() }
        }
    }

    @Test("of a batch lets 1 and 500 pass", arguments: [1, 500])
    func batchesInRange(count: Int) throws {
        let handles = Array(repeating: Self.handle, count: count)
        try Release(handles: handles).validate()
        try Renew(items: handles.map { ($0, .milliseconds(50)) }).validate()
        try Reap(limit: count).validate()
    }

    @Test(
        "of a lease holds wherever one is given",
        arguments: [Duration.zero, .microseconds(49_999), .seconds(86_401)]
    )
    func leases(lease: Duration) {
        let verbs: [any Verb] = [
            Renew(items: [(Self.handle, lease)]),
            Acquire(id: "a", token: "t", worker: Self.worker, lease: lease, options: []),
            ClaimMany(token: "t", worker: Self.worker, count: 1, kinds: ["k"], lease: lease),
        ]
        for verb in verbs { NamesTests.refused(["lease", "50 ms to 24 h"]) { try verb.validate() } }
    }

    @Test(
        "of a delay holds wherever one is given",
        arguments: [Duration.microseconds(-1), .seconds(3650 * 86_400 + 1)]
    )
    func delays(delay: Duration) {
        let failure = TaskFailure(type: "t", message: "m")
        let verbs: [any Verb] = [
            Release(handles: [Self.handle], delay: delay),
            SnoozeTasks(items: [(Self.handle, delay)]),
            Fail(items: [Fail.Item(handle: Self.handle, failure: failure, disposition: .retry(after: delay))]),
        ]
        for verb in verbs { NamesTests.refused(["delay", "0 s to 3,650 days"]) { try verb.validate() } }
    }

    @Test("of a message is 1,024 bytes, line feeds and tabs allowed, wherever one is given")
    func messages() throws {
        func verbs(_ message: String) -> [any Verb] {
            [
                Pause(.tasks(["a"]), actor: "op", message: message),
                Pause(.held(Self.handle), actor: "op", message: message),
                Resume(.tasks(["a"]), actor: "op", message: message), Ignore(ids: ["a"], actor: "op", message: message),
                Log(id: "a", actor: "op", nonce: "n", message: message),
                Log(id: "a", handle: Self.handle, actor: "op", nonce: "n", message: message),
                Retry(targets: .tasks(["a"]), budget: .fresh, actor: "op", message: message),
                Enqueue(
                    nonce: nil,
                    actor: "op",
                    message: message,
                    kinds: [],
                    items: [
                        Enqueue.Item(
                            id: "a",
                            kind: 0,
                            due: .now,
                            priority: 5,
                            payload: .empty,
                            attempts: nil,
                            trace: [:]
                        )
                    ],
                    payloadLimit: 1
                ),
            ]
        }
        for verb in verbs("a\n\tb") + verbs("") + verbs(String(repeating: "é", count: 512)) { try verb.validate() }
        for text in [String(repeating: "x", count: 1025), "\r", "\0", "\u{1b}", "\u{85}"] {
            for verb in verbs(text) { NamesTests.refused(["message", "at most 1024 bytes"]) { try verb.validate() } }
        }
    }

    private static func enqueue(_ wishes: Enqueue.Wishes) -> Enqueue {
        let item = Enqueue.Item(
            id: "a",
            kind: 0,
            due: .now,
            priority: 5,
            payload: .empty,
            attempts: nil,
            trace: [:],
            wishes: wishes
        )
        return Enqueue(nonce: nil, actor: "op", kinds: [], items: [item], payloadLimit: 1)
    }

    @Test("of a tag is 62 bytes of its alphabet, beginning with a letter or digit")
    func tags() throws {
        for text in ["a", "0", "A.b_c:d/e@f-g", String(repeating: "x", count: 62)] {
            #expect(try TaskTag(text).description == text)
        }
        for text in ["", "-a", ".a", ":a", "a b", "a\n", "é", "a,b", "a\"", "a*", String(repeating: "x", count: 63)] {
            NamesTests.refused(["tag", "1 to 62"]) { _ = try TaskTag(text) }
        }
    }

    @Test("of a task's tags is 8, each once, and names the task")
    func tagsOfTask() throws {
        var wishes = Enqueue.Wishes()
        wishes.tags = (1...8).map { TaskTag(trusted: "t\($0)") }
        try Self.enqueue(wishes).validate()
        for tags in [wishes.tags + ["t9"], ["x", "x"]] as [[TaskTag]] {
            wishes.tags = tags
            NamesTests.refused(["tags of task a", "at most 8, each once"]) { try Self.enqueue(wishes).validate() }
        }
    }

    @Test("of a task's parents is 100, each once and not itself, and tags that it has not")
    func parents() throws {
        func wishes(_ dependencies: Dependencies, tags: [TaskTag] = []) -> Enqueue.Wishes {
            var wishes = Enqueue.Wishes()
            (wishes.dependencies, wishes.tags) = (dependencies, tags)
            return wishes
        }
        let many = (0...100).map { Dependencies.Parent.task(TaskID(trusted: "p\($0)")) }
        try Self.enqueue(wishes(Dependencies(Array(many.prefix(100))), tags: ["x"])).validate()
        try Self.enqueue(wishes(.after(tag: "a"))).validate()
        for count in [0, 101] {
            NamesTests.refused(["number of parents", "“\(count)”", "1 to 100"]) {
                try Self.enqueue(wishes(Dependencies(Array(many.prefix(count))))).validate()
            }
        }
        NamesTests.refused(["parents", "t:b, t:b", "each parent once"]) {
            try Self.enqueue(wishes(.after("b", "b"))).validate()
        }
        NamesTests.refused(["parent of task a", "itself"]) { try Self.enqueue(wishes(.after("b", "a"))).validate() }
        NamesTests.refused(["parent of task a", "tags that it has not"]) {
            try Self.enqueue(wishes(.after(tag: "x"), tags: ["x"])).validate()
        }
        for share in [0, -0.5, 1.0001, .nan, .infinity] {
            NamesTests.refused(["share of the parents", "above 0 to 1"]) {
                try Self.enqueue(wishes(.after("b", quorum: .share(share)))).validate()
            }
        }
    }

    @Test("of a share of parents is rounded up, and at least one")
    func shares() {
        func needed(_ count: Int, _ quorum: Dependencies.Quorum) -> Int {
            Dependencies((0..<count).map { .task(TaskID(trusted: "p\($0)")) }, quorum: quorum).needed
        }
        #expect([needed(3, .all), needed(3, .any), needed(1, .all)] == [3, 1, 1])
        #expect([needed(3, .share(0.5)), needed(4, .share(0.5)), needed(100, .share(0.001))] == [2, 2, 1])
        #expect(
            [needed(3, .share(1)), needed(10, .share(0.1)), needed(10, .share(0.3)), needed(10, .share(0.7))] == [
                3, 1, 3, 7,
            ]
        )
    }

    @Test("of an expiry is that of a delay, or a moment from 1970 to 2100; of a window it is 3,650 days")
    func expiries() throws {
        func wishes(_ expires: Enqueue.Due) -> Enqueue.Wishes {
            var wishes = Enqueue.Wishes()
            wishes.expires = expires
            return wishes
        }
        for good in [Enqueue.Due.after(.zero), .after(.seconds(3650 * 86_400)), .at(Timestamp(microseconds: 0))] {
            try Self.enqueue(wishes(good)).validate()
        }
        for delay in [Duration.microseconds(-1), .seconds(3650 * 86_400 + 1)] {
            NamesTests.refused(["expiry", "0 s to 3,650 days"]) { try Self.enqueue(wishes(.after(delay))).validate() }
        }
        for moment in [-1, 4_102_444_800_000_001] {
            NamesTests.refused(["expiry", "from 1970 to 2100"]) {
                try Self.enqueue(wishes(.at(Timestamp(microseconds: moment)))).validate()
            }
        }
        var unique = Enqueue.Wishes()
        for window in [Duration.zero, .seconds(3650 * 86_400 + 1)] {
            unique.unique = Uniqueness(window: window)
            NamesTests.refused(["window of uniqueness", "1 µs to 3,650 days"]) { try Self.enqueue(unique).validate() }
        }
        unique.unique = Uniqueness(states: [])
        NamesTests.refused(["states of uniqueness", "at least one"]) { try Self.enqueue(unique).validate() }
    }

    @Test("that two options contradict is told with both")
    func contradictions() throws {
        let moment = Timestamp(microseconds: 1)
        NamesTests.refused(["expiry after 1.0 seconds", "\(moment)", "one of the two"]) {
            _ = try EnqueueOptions(expiresAfter: .seconds(1), expiresAt: moment).wishes()
        }
        NamesTests.refused(["reuse", "an id of your own"]) { _ = try EnqueueOptions(reuse: true).wishes() }
        #expect(try EnqueueOptions(id: "a").wishes() == nil, "a plain task asks for nothing more")
    }

    @Test("of a signal is 1 to 64")
    func signals() throws {
        func cancel(_ signal: Int?) -> Cancel {
            Cancel(targets: .tasks(["a"]), reason: "", signal: signal, actor: "op")
        }
        for signal in [nil, 1, 64] { try cancel(signal).validate() }
        for signal in [0, 65, -9] {
            NamesTests.refused(["signal", "“\(signal)”", "1 to 64"]) { try cancel(signal).validate() }
        }
    }

    @Test("of the tags in one query is 100")
    func tagQueries() throws {
        let tags = (0...100).map { TaskTag(trusted: "t\($0)") }
        try Tags(tags: Array(tags.prefix(100))).validate()
        for count in [0, 101] {
            NamesTests.refused(["number of tags", "“\(count)”", "1 to 100"]) {
                try Tags(tags: Array(tags.prefix(count))).validate()
            }
        }
    }

    @Test("of a token is 64 printable characters, of the caller's and of a held lock")
    func tokens() throws {
        func verbs(_ token: String) -> [any Verb] {
            [
                Acquire(id: "a", token: token, worker: Self.worker, lease: nil, options: []),
                Acquire(id: "a", token: "t", worker: Self.worker, lease: nil, options: [], held: token),
                ClaimMany(token: token, worker: Self.worker, count: 1, kinds: ["k"], lease: nil),
            ]
        }
        for token in ["t", String(repeating: "t", count: 64), Host.token()] {
            for verb in verbs(token) { try verb.validate() }
        }
        for token in ["", "a b", "é", "a\n", "\0", String(repeating: "t", count: 65)] {
            for verb in verbs(token) { NamesTests.refused(["token", "1 to 64"]) { try verb.validate() } }
        }
    }

    @Test("of an actor is 64 printable characters")
    func actors() throws {
        var configuration = Tracker.Configuration(redis: try RedisConfiguration(url: "unix:///none.sock"))
        let plain = try Tracker(configuration: configuration)
        #expect(plain.actor == plain.workerName.description)
        for actor in ["op", String(repeating: "a", count: 64)] {
            configuration.actor = actor
            #expect(try Tracker(configuration: configuration).actor == actor)
        }
        for actor in ["", "a b", "é", "a\n", String(repeating: "a", count: 65)] {
            configuration.actor = actor
            NamesTests.refused(["actor", "1 to 64"]) { _ = try Tracker(configuration: configuration) }
        }
    }

    @Test("of a gate's message is 64 bytes of one line")
    func gateMessages() throws {
        func verb(_ message: String) -> Gate { Gate(kind: nil, pause: true, actor: "op", message: message) }
        for text in ["", String(repeating: "é", count: 32)] { try verb(text).validate() }
        for text in [String(repeating: "x", count: 65), "a\nb", "\u{85}"] {
            NamesTests.refused(["message", "at most 64 bytes"]) { try verb(text).validate() }
        }
    }

    @Test("of a page of events is 2 to 500 entries: with one it would not get on")
    func pages() throws {
        for limit in [2, 500] { try Belay.Stream(start: .oldest, limit: limit).validate() }
        for limit in [1, 0, 501] {
            NamesTests.refused(["2 to 500", "“\(limit)”"]) { try Belay.Stream(start: .oldest, limit: limit).validate() }
        }
    }

    @Test("of a payload is what the tracker says, to the byte")
    func payloads() throws {
        try Enqueue.check(Body(bytes: [1, 2, 3]), limit: 3, what: "payload")
        #expect {
            try Enqueue.check(Body(bytes: [1, 2, 3, 4]), limit: 3, what: "payload of task “a”")
        } throws: {
            let error = $0 as? TrackerError
            return error?.code == .tooLarge
                && error?.message.contains("payload of task “a” has 4 bytes; allowed: 3") == true
        }
        for type in [String(repeating: "x", count: 65), "a\nb"] {
            NamesTests.refused(["content type"]) {
                try Enqueue.check(Body(bytes: [], contentType: type), limit: 3, what: "")
            }
        }
    }

    @Test("of the payload limit itself is 1 byte to 64 MiB", arguments: [0, -1, (64 << 20) + 1])
    func payloadLimits(limit: Int) throws {
        var configuration = Tracker.Configuration(redis: try RedisConfiguration(url: "unix:///none.sock"))
        configuration.payloadLimit = limit
        NamesTests.refused(["payload limit", "1 byte to 64 MiB"]) { _ = try Tracker(configuration: configuration) }
    }

    @Test("is what the README promises")
    func values() {
        #expect(Limits.defaultPayloadBytes == 1_048_576)
        #expect(Limits.failureBytes == 16_384)
        #expect([Limits.idBytes, Limits.kindBytes, Limits.workerBytes, Limits.noteBytes] == [256, 64, 64, 64])
        #expect([Limits.messageBytes, Limits.logLines, Limits.tokenBytes] == [1024, 100, 64])
        #expect(Limits.timeout == .milliseconds(50) ... .seconds(3650 * 86_400))
        #expect(Limits.queueLimit == 1...1_000_000_000)
        #expect(Limits.beatInterval == .seconds(1) ... .seconds(3600))
        #expect([Limits.foreignTasks, Limits.foreignWorkers, Limits.foreignStates] == [10_000, 5000, 100])
        #expect(
            [Limits.foreignTextBytes, Limits.foreignTracebackBytes, Limits.foreignFieldBytes] == [1024, 4096, 256]
        )
        #expect([Limits.tagBytes, Limits.tags, Limits.tagsPerQuery] == [62, 8, 100])
        #expect([Limits.parents, Limits.childrenPerCall] == [100, 200])
        #expect(Limits.signals == 1...64)
        #expect([Limits.batch, Limits.kinds, Limits.kindsPerClaim, Limits.attemptsRemembered] == [500, 1000, 100, 20])
    }

    @Test("of a trace context is 256 bytes, the trace's parent first, in pieces of 64")
    func traces() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let trace = ["traceparent": parent, "a": String(repeating: "a", count: 200), "b": "1", "x\ny": "2", "c=d": "3"]
        let text = TraceText.encode(trace)
        #expect(text == "traceparent=\(parent)\nb=1")
        #expect(TraceText.decode(text) == ["traceparent": parent, "b": "1"])
        let fields = TraceText.fields(["k": String(repeating: "é", count: 126)])
        #expect(fields.map(\.0) == ["tr", "tr1", "tr2", "tr3"])
        #expect(fields.map(\.1.count) == [64, 64, 64, 62])
        #expect(TraceText.fields(["k": String(repeating: "x", count: 255)]).isEmpty)
        #expect(TraceText.decode("a=b=c\nnothing\n=x") == ["a": "b=c", "": "x"])
    }
}
