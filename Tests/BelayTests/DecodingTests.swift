import RedisWire
import Testing

@testable import Belay

/// A verb with an answer that it understands, and the words that it may answer with.
private struct Sample: Sendable, CustomStringConvertible {
    let name: String
    let good: [RedisReply]
    let decode: @Sendable ([RedisReply]) throws -> Void

    init<V: Verb>(_ verb: V, _ good: [RedisReply]) {
        name = V.script.name
        self.good = good
        decode = { _ = try verb.decode(ScriptReply(.array($0), of: V.script.name)) }
    }

    var description: String { name }
}

extension RedisReply {
    fileprivate static func text(_ text: String) -> RedisReply { .bytes(Array(text.utf8)) }
    fileprivate static func list(_ items: RedisReply...) -> RedisReply { .array(items) }
    /// A list of texts; "-" stands for an empty one.
    fileprivate static func words(_ line: String) -> RedisReply {
        .array(line.split(separator: " ").map { .text($0 == "-" ? "" : String($0)) })
    }

    /// This reply with one of its parts, at any depth, replaced by each of the damages.
    fileprivate func damaged(by damages: [RedisReply]) -> [RedisReply] {
        guard case .array(let items) = self else { return damages }
        var results = damages + [.array(items.dropLast()), .array(items + items)]
        for place in items.indices {
            for damage in items[place].damaged(by: damages) {
                var items = items
                items[place] = damage
                results.append(.array(items))
            }
        }
        return results
    }
}

private let now = RedisReply.text("1767225600000000")
private let ok = RedisReply.text("OK")
private let handle = ClaimHandle(id: "a", token: "t", fence: 1)
private let grant: [RedisReply] = [.text("a"), .text("k"), .text("1 7 9 8 1 2 0 0"), .text("payload"), .text("")]
private let richGrant = Array(grant.dropLast()) + [RedisReply.words("- traceparent=00 data t/x 12 11")]
private let row = RedisReply.words("a k q 0 0 0 5 1 1 - - 1 - -")

private let samples: [Sample] = {
    let worker = WorkerName(trusted: "w")
    let claim = ClaimMany(token: "t", worker: worker, count: 2, kinds: ["k"], lease: nil)
    let acquire = Acquire(id: "a", token: "t", worker: worker, lease: nil, options: [])
    let item = Enqueue.Item(id: "a", kind: 0, due: .now, priority: 5, payload: .empty, attempts: nil, trace: [:])
    let failure = TaskFailure(type: "t", message: "m")
    let fail = Fail(items: [Fail.Item(handle: handle, failure: failure, disposition: .exhaust)])
    let policy = RedisReply.text(PolicyText.encode(.default))
    let record = RedisReply.words("k k s r c 1 g 2 n 3 b 4 u 5 .expires 6 pg 7 X 8 m x m1 y ex 9 cc expired ru 2 pn 1")
    let blocked: [RedisReply] = [
        "k", "k", "s", "j", "c", "1", "pc", "e2", "pn", "2", "pw", "2", ".alive", "0", ".parents", "q t:p\nj g:x",
    ].map { .text($0) }
    let waiting: [RedisReply] = [
        "k", "k", "s", "q", "c", "1", "d", "7", "n", "1", "f", "1", "x", "1", "l", "3", ".policy",
        PolicyText.encode(.default), ".gate", "5 op a message", ".gate*", "5 op ", ".before", "2", ".ended", "3",
        ".alive", "0", ".left", "5", ".last", "1 2 3 4 failed w 7 -\n{}",
    ].map { .text($0) }
    let entry = RedisReply.list(.text("1-0"), .words("e claimed t 5 k k i a d 7 w w"))
    let handBack = [ok, now, .list(.text("q 7"))]
    return [
        Sample(acquire, [ok, now] + grant),
        Sample(acquire, [.text("LOCKED"), now, now, .text("w")]),
        Sample(acquire, [.text("NOT_DUE"), now, now]),
        Sample(acquire, [.text("PAUSED"), now]),
        Sample(acquire, [.text("ENDED"), now, .text("x")]),
        Sample(
            Beat(
                worker: worker,
                event: .online,
                interval: .seconds(1),
                slots: 1,
                active: 0,
                succeeded: 0,
                failed: 0,
                software: "s",
                kinds: ["k"]
            ),
            [ok, now]
        ),
        Sample(acquire, [.text("BLOCKED"), now]),
        Sample(acquire, [ok, now] + richGrant),
        Sample(
            Cancel(targets: .tasks(["a"]), reason: "", actor: "op"),
            [ok, now, .list(.text("CANCELLED")), .integer(0), .integer(1)]
        ),
        Sample(
            Cancel(targets: .tag("g", [.ready]), reason: "", signal: 9, actor: "op"),
            [ok, now, .list(.text("REQUESTED"), .text("s")), .integer(1), .integer(0)]
        ),
        Sample(claim, [ok, now, .array(richGrant)]),
        Sample(claim, [ok, now, .array(grant + grant)]),
        Sample(claim, [.text("EMPTY"), now, .text("")]),
        Sample(
            Complete(items: [(handle, .empty)], payloadLimit: 9),
            [ok, now, .list(.list(.integer(1), .text("STALE")))]
        ),
        Sample(Delete(targets: .tasks(["a"]), force: false), [ok, now, .list(.text("DELETED")), .integer(0)]),
        Sample(Define(kind: "k", policy: .default, replace: false), [ok, now, policy]),
        Sample(
            Enqueue(nonce: nil, actor: "op", kinds: [("k", nil)], items: [item], payloadLimit: 9),
            [
                ok, now, .list(.integer(1)), .list(.integer(1), .integer(5)), .list(.integer(1), .text("b")),
                .list(.integer(1)),
            ]
        ),
        Sample(Destroy(), [ok, now, .text("17"), .integer(3)]),
        Sample(fail, handBack),
        Sample(Gate(kind: "k", pause: true, actor: "op", message: ""), [ok, now]),
        Sample(Ignore(ids: ["a"], actor: "op", message: ""), [ok, now, .list(.words("OK n"))]),
        Sample(Log(id: "a", actor: "op", nonce: "n", message: "m"), [ok, now]),
        Sample(
            Open(clock: .server, payloadLimit: 9),
            [ok, now, .text("1"), .text("1"), .text("server"), .text("9"), now]
        ),
        Sample(Pause(.held(handle), actor: "op", message: ""), [ok, now, .list(.words("ILLEGAL s"))]),
        Sample(Progress(handle: handle, fraction: nil, message: ""), [ok, now]),
        Sample(Purge(limit: 1), [ok, now, .integer(0), .list(.words("a k s"))]),
        Sample(Reap(limit: 1), [ok, now, .integer(1), .list(.words("a k q 7 w"))]),
        Sample(Release(handles: [handle]), handBack),
        Sample(
            Renew(items: [(handle, .seconds(1))]),
            [ok, now, .list(.list(.integer(1), .text("CANCEL"), .text("7"), .text("9")))]
        ),
        Sample(
            Renew(items: [(handle, .seconds(1))]),
            [ok, now, .list(.list(.integer(1), .text("ENDING"), .text("7")))]
        ),
        Sample(Resume(.tasks(["a"]), actor: "op", message: ""), [ok, now, .list(.words("OK q"))]),
        Sample(
            Retry(targets: .tasks(["a"]), budget: .fresh, actor: "op"),
            [ok, now, .list(.text("WAITING")), .integer(0)]
        ),
        Sample(Save(handle: handle, place: .data, body: .empty, payloadLimit: 9), [ok, now]),
        Sample(SnoozeTasks(items: [(handle, .zero)]), handBack),
        Sample(Undefine(kind: "k", force: false), [ok, now, .integer(1), .integer(500)]),
        Sample(Undefine(kind: "k", force: false), [.text("IN_USE"), now, .integer(3)]),
        Sample(
            Attempts(id: "a"),
            [ok, now, .list(.text("1 2 3 4 failed w - f00\n{}")), .words("r 1 2 3 4 w"), .words("f00 trace")]
        ),
        Sample(
            Logs(id: "a"),
            [
                ok, now, .list(.text("1 2 3 4 failed w -n -\n{}")), .words("r 1 2 3 4 w 5"),
                .list(.text("6 message op -\nhello")),
            ]
        ),
        Sample(Explain(id: "a"), [ok, now, .array(waiting)]),
        Sample(Explain(id: "a"), [ok, now, .words("k k s r c 1 n 1 w w rn 2 .expires 7 X 5 cr no .alive 0")]),
        Sample(Explain(id: "a"), [ok, now, .array(blocked)]),
        Sample(
            Explain(id: "a"),
            [ok, now, .list(.text("k"), .text("k"), .text("s"), .text("c"), .text("cc"), .text("parent t:p"))]
        ),
        Sample(
            Find(kinds: [], states: [], order: .oldestFirst, limit: 1, cursor: nil),
            [ok, now, .text(""), .list(row)]
        ),
        Sample(Get(ids: ["a"]), [ok, now, .list(record)]),
        Sample(Kinds(), [ok, now, .list(.list(.text("k"), policy))]),
        Sample(Peek(kinds: ["k"], limit: 1, order: .priority, scheduled: false), [ok, now, .list(row)]),
        Sample(Belay.Stream(start: .oldest, limit: 2), [ok, now, .integer(0), .list(entry)]),
        Sample(
            Belay.Stream(start: .after(TrackerEvent.Position(entry: "1-0", place: 0)), limit: 2),
            [ok, now, .integer(1), .list(entry)]
        ),
        Sample(Clear(finishedOnly: true), [ok, now, .integer(1), .integer(500)]),
        Sample(Fleet(limit: 1), [ok, now, .list(.words("w b 1 off 1 freq 5 drift 7 v 8 sw_ver 5 active 9"))]),
        Sample(
            ForeignOne(uuid: "a"),
            [
                ok, now,
                .list(.text("a"), .text("s"), .text("STARTED"), .text("m"), .text("1 2"), .text("l"), .text("5")),
                .words("b c"),
            ]
        ),
        Sample(
            ForeignMany(filter: .all, limit: 1),
            [
                ok, now, .text("5 a"),
                .list(.list(.text("a"), .text("s"), .text("X"), .text("m"), .text("1 2"), .text("l"), .text("5"))),
            ]
        ),
        Sample(
            ForeignCount(),
            [
                ok, now, .integer(1), .text("5"), .text("3"), .list(.text("STARTED"), .integer(1)),
                .list(.text("n"), .integer(1)),
            ]
        ),
        Sample(
            Ingest(events: [try! CeleryEvent(type: "task-sent", uuid: "a", timestamp: Timestamp(microseconds: 1))]),
            [ok, now, .integer(1), .integer(0)]
        ),
        Sample(Workers(limit: 1), [ok, now, .list(.words("w 1 2 3 9 5 6 7 8 9 s 11 k"))]),
        Sample(
            Parents(id: "a"),
            [ok, now, .integer(2), .list(.words("t:b s result t/x"), .words("g:c j - -"))]
        ),
        Sample(Prioritise(ids: ["a", "b"], priority: 9, actor: "op"), [ok, now, .words("OK s")]),
        Sample(Tags(tags: ["x"]), [ok, now, .list(.words("1 2 3 4 5 6 7 8"))]),
        Sample(Stats(), [ok, now, .list(.words("k 1 1 1 1 1 1 7 8 1 1 1 0")), .integer(2), .integer(1)]),
    ]
}()

@Suite("An answer")
struct DecodingTests {
    /// Decodes what is malformed: a protocol error, or a value where the damage does not matter; never a crash.
    private static func survives(_ sample: Sample, _ elements: [RedisReply], mustFail: Bool = false) {
        do {
            try sample.decode(elements)
            #expect(!mustFail, "\(sample.name) accepted \(elements)")
        } catch let error as TrackerError {
            let codes: [TrackerError.Code] = [
                .protocolViolation, .tooLarge, .unknownKind, .unknownParent, .kindConflict, .full, .invalidArgument,
            ]
            #expect(codes.contains(error.code), "\(sample.name) threw \(error) for \(elements)")
            if mustFail { #expect(error.code == .protocolViolation) }
            let isNamed = error.message.contains("script \(sample.name)") || error.message.contains("stored policy")
            #expect(isNamed || error.code != .protocolViolation)
        } catch {
            Issue.record("\(sample.name) threw \(error)")
        }
    }

    @Test("of every verb is understood", arguments: samples)
    private func good(sample: Sample) throws { try sample.decode(sample.good) }

    @Test("with an unknown word is a protocol error", arguments: samples, ["", "ok", "MAYBE", "OK ", "ERR"])
    private func unknownWord(sample: Sample, word: String) {
        Self.survives(sample, [.text(word)] + sample.good.dropFirst(), mustFail: true)
    }

    @Test("that ends early is a protocol error", arguments: samples)
    private func short(sample: Sample) {
        // Nobody reads define's policy, the time of progress, log, save, beat and gate, open's creation time, or how many
        // keys destroy deleted.
        let unread: [String: Int] = [
            "define": 2, "progress": 1, "open": 1, "destroy": 1, "log": 1, "save": 1, "beat": 1, "gate": 1,
        ]
        // What is left out where there is nothing to tell.
        let optional: [String: Int] = ["enqueue": 2, "complete": 2, "renew": 2]
        // A word alone is all that some refusals need.
        let isWordAlone = sample.good.first == .text("PAUSED") || sample.good.first == .text("BLOCKED")
        let needed = sample.good.count - (isWordAlone ? 1 : unread[sample.name] ?? 0)
        for count in 1..<sample.good.count {
            let isWhole = count == optional[sample.name]
            Self.survives(sample, Array(sample.good.prefix(count)), mustFail: count < needed && needed > 1 && !isWhole)
        }
    }

    @Test("with a damaged element never crashes", arguments: samples)
    private func damaged(sample: Sample) {
        let damages: [RedisReply] = [
            .null, .integer(-1), .integer(.max), .integer(.min), .text("\(Int.min)"), .text("\(Int.max)"), .text(""),
            .text("x"), .array([]), .list(.null), .list(.list()),
            .list(.list(.integer(0), .text("STALE"))), .list(.list(.integer(2), .text("STALE"))),
            .list(.list(.integer(1), .text("?"))), .list(.integer(0)), .list(.integer(99)), .list(.text("q")),
            .error(RedisServerError(message: "ERR x")), .list(.list(.text("q"))), .list(.list(.text("q"), .text("x"))),
            .list(.text("")), .list(.text("1 2 3 4 lost w -\n")), .list(.text("no newline")),
        ]
        for place in sample.good.indices.dropFirst() {
            for damage in sample.good[place].damaged(by: damages) {
                var elements = sample.good
                elements[place] = damage
                Self.survives(sample, elements)
            }
        }
    }

    @Test("that names a place outside of the request is a protocol error")
    func places() {
        let item = Enqueue.Item(id: "a", kind: 0, due: .now, priority: 5, payload: .empty, attempts: nil, trace: [:])
        let enqueue = Enqueue(nonce: nil, actor: "op", kinds: [("k", nil)], items: [item], payloadLimit: 9)
        let complete = Complete(items: [(handle, .empty)], payloadLimit: 9)
        let failing = Fail(
            items: [Fail.Item(handle: handle, failure: TaskFailure(type: "t", message: "m"), disposition: .exhaust)]
        )
        for place in [-1, 0, 2, .max] {
            for sample in [Sample(enqueue, []), Sample(complete, []), Sample(failing, [])] {
                Self.survives(sample, [.text("TOO_LARGE"), now, .integer(place), .text("9")], mustFail: true)
            }
            Self.survives(
                Sample(enqueue, []),
                [ok, now, .list(.integer(place)), .list(), .list(), .list()],
                mustFail: true
            )
            let full = RedisReply.list(.integer(place), .integer(5))
            Self.survives(Sample(enqueue, []), [ok, now, .list(), full, .list(), .list()], mustFail: true)
            let repeated = RedisReply.list(.integer(place), .text("b"))
            Self.survives(Sample(enqueue, []), [ok, now, .list(), .list(), repeated, .list()], mustFail: true)
            let reused = RedisReply.list(.integer(place))
            Self.survives(Sample(enqueue, []), [ok, now, .list(), .list(), .list(), reused], mustFail: true)
            Self.survives(
                Sample(enqueue, []),
                [.text("UNKNOWN_PARENT"), now, .integer(place), .text("t:p")],
                mustFail: true
            )
            let exceptions = RedisReply.list(.list(.integer(place), .text("STALE")))
            Self.survives(Sample(complete, []), [ok, now, exceptions], mustFail: true)
            Self.survives(Sample(Renew(items: [(handle, .seconds(1))]), []), [ok, now, exceptions], mustFail: true)
        }
    }

    @Test("that tells of too few or too many tasks, tags or parts is a protocol error")
    func counts() {
        let answers: [(Sample, [RedisReply])] = [
            (Sample(Tags(tags: ["x", "y"]), []), [ok, now, .list(.words("1 2 3 4 5 6 7 8"))]),
            (Sample(Tags(tags: ["x"]), []), [ok, now, .list(.words("1 2 3 4 5 6 7"))]),
            (Sample(Parents(id: "a"), []), [ok, now, .integer(1), .list(.words("t:b s result"))]),
            (Sample(Parents(id: "a"), []), [ok, now, .integer(1), .list(.words("b s result t/x"))]),
            (Sample(Parents(id: "a"), []), [ok, now, .integer(1), .list(.words("t:b z result t/x"))]),
            (Sample(Stats(), []), [ok, now, .list(.words("k 1 1 1 1 1 1 7 8 1 1")), .integer(2), .integer(0)]),
            (
                Sample(Delete(targets: .tasks(["a", "b"]), force: true), []),
                [ok, now, .list(.text("DELETED")), .integer(0)]
            ),
            (
                Sample(Retry(targets: .tasks(["a"]), budget: .fresh, actor: "op"), []),
                [ok, now, .list(.text("READY"), .text("READY")), .integer(0)]
            ),
            (
                Sample(Cancel(targets: .tasks([]), reason: "", actor: "op"), []),
                [ok, now, .list(.text("CANCELLED")), .integer(0), .integer(0)]
            ),
        ]
        for (sample, answer) in answers { Self.survives(sample, answer, mustFail: true) }
    }

    @Test("of a parent that is not known names it and the child, and says that nothing was done")
    func unknownParent() {
        let item = Enqueue.Item(id: "a", kind: 0, due: .now, priority: 5, payload: .empty, attempts: nil, trace: [:])
        let enqueue = Enqueue(nonce: nil, actor: "op", kinds: [("k", nil)], items: [item], payloadLimit: 9)
        #expect {
            try enqueue.decode(
                ScriptReply(.list(.text("UNKNOWN_PARENT"), now, .integer(1), .text("g:lost")), of: "enqueue")
            )
        } throws: {
            let error = $0 as? TrackerError
            return error?.code == .unknownParent && error?.message.contains("lost") == true
                && error?.message.contains("“a”") == true && error?.outcome == .nothing
        }
    }

    @Test("that is no array with a word in front is a protocol error")
    func noScriptReply() {
        for reply in [
            RedisReply.null, .integer(1), .text("OK"), .array([]), .list(.integer(1)), .list(.null), .list(.list()),
        ] {
            #expect {
                try ScriptReply(reply, of: "claim")
            } throws: {
                ($0 as? TrackerError)?.code == .protocolViolation
            }
        }
    }
}
